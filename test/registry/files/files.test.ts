import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { systemClock } from '../../../src/base/clock.ts';
import { MeshError } from '../../../src/base/error.ts';
import { createFilesSource } from '../../../src/registry/files/files-source.ts';
import { createWatchers } from '../../../src/registry/files/watchers.ts';
import { startSource, TestFolder, testTiming } from '../folder-fixture.ts';
import { drGroup, idc, service, toYaml, workload } from '../objects.ts';
import { Recorder } from '../recorder.ts';

const w1 = '+WorkloadEntry/shop/w-1';

t.test('a missing folder, or a file in its place, is reported first', async (t) => {
  const folder = new TestFolder(t);
  folder.write('file', 'text');
  for (const [name, code, words] of [
    ['nowhere', 'not-found', /nowhere.*does not exist.*create it/],
    ['file', 'unavailable', /file.*not a folder/],
  ] as const) {
    const seen = new Recorder();
    const source = createFilesSource({ folder: folder.at(name), clock: systemClock });
    const error = await source.start(seen, new AbortController().signal).catch((reason: unknown) => reason);
    t.ok(error instanceof MeshError && error.code === code && words.test(error.message), String(error));
    t.strictSame(seen.batches, []);
  }
});

t.test('a file replaced by rename gives no deletion, and only what changed', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', toYaml(workload('w-1'), workload('w-2')));
  const { seen } = await startSource(t, folder.path);
  folder.replace('mesh.yaml', toYaml(workload('w-1', { weight: 2 }), workload('w-2')));
  await seen.until('the change', () => seen.count(w1) === 2);
  t.strictSame(seen.log().slice(3), [w1]);
});

t.test('a file that is gone for a moment gives no deletion', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', toYaml(workload('w-1')));
  const { seen } = await startSource(t, folder.path);
  // As editors with backups save: the file is moved away, then written anew.
  folder.move('mesh.yaml', 'mesh.yaml~');
  folder.write('mesh.yaml', toYaml(workload('w-1', { weight: 2 })));
  await seen.until('the change', () => seen.count(w1) === 2);
  t.equal(seen.count('-WorkloadEntry/shop/w-1'), 0);
});

t.test('a file that gets another name changes nothing', async (t) => {
  const folder = new TestFolder(t);
  folder.write('b.yaml', toYaml(service('s', 'a.example')));
  const { seen } = await startSource(t, folder.path);
  folder.move('b.yaml', 'a.yaml');
  folder.write('c.yaml', toYaml(workload('w-1')));
  await seen.until('the other file', () => seen.count(w1) === 1);
  folder.append('a.yaml', toYaml(workload('w-2')));
  await seen.until('a change of the renamed file', () => seen.count('+WorkloadEntry/shop/w-2') === 1);
  t.strictSame(seen.log(), ['+ServiceEntry/shop/s', 'synced', w1, '+WorkloadEntry/shop/w-2']);
  t.strictSame(seen.errors(), []);
});

t.test('new folders are read, and the files that are there before they are watched', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', toYaml(workload('w-1')));
  const { seen } = await startSource(t, folder.path);
  folder.write('team/deep/a.yml', toYaml(workload('w-2')));
  await seen.until('the file', () => seen.count('+WorkloadEntry/shop/w-2') === 1);
  folder.write('team/deep/a.yml', toYaml(workload('w-2', { weight: 2 })));
  await seen.until('its change', () => seen.count('+WorkloadEntry/shop/w-2') === 2);
  folder.write('team/b.json', JSON.stringify(workload('w-3'), null, '\t'));
  await seen.until('the JSON', () => seen.count('+WorkloadEntry/shop/w-3') === 1);
});

t.test('files that are not YAML, hidden or an editor’s are not read', async (t) => {
  const folder = new TestFolder(t);
  for (const name of [
    '.hidden.yaml',
    'a.yaml~',
    '.a.yaml.swp',
    '4913',
    '#a.yaml#',
    'notes.txt',
    '.git/x.yaml',
  ]) {
    folder.write(name, toYaml(workload('w-1')));
  }
  folder.write('mesh.yaml', toYaml(workload('w-2')));
  const { seen } = await startSource(t, folder.path);
  t.strictSame(seen.log(), ['+WorkloadEntry/shop/w-2', 'synced']);
});

t.test('a ConfigMap’s swap of ..data is one change', async (t) => {
  const folder = new TestFolder(t);
  folder.write('..2026_1/mesh.yaml', toYaml(workload('w-1'), workload('w-2')));
  symlinkSync('..2026_1', folder.at('..data'));
  symlinkSync('..data/mesh.yaml', folder.at('mesh.yaml'));
  const { seen } = await startSource(t, folder.path);
  t.equal(seen.state().size, 2);
  folder.write('..2026_2/mesh.yaml', toYaml(workload('w-1', { weight: 2 }), workload('w-2')));
  symlinkSync('..2026_2', folder.at('..data_tmp'));
  renameSync(folder.at('..data_tmp'), folder.at('..data'));
  rmSync(folder.at('..2026_1'), { recursive: true });
  await seen.until('the swap', () => seen.count(w1) === 2);
  t.strictSame(seen.log().slice(3), [w1]);
});

t.test('changes without an event are found by the rescan', async (t) => {
  const folder = new TestFolder(t);
  const outside = join(folder.path, '..', 'outside.yaml');
  writeFileSync(outside, toYaml(workload('w-1')));
  symlinkSync(outside, folder.at('mesh.yaml'));
  const { seen } = await startSource(t, folder.path, { ...testTiming, rescanMs: 100 });
  writeFileSync(outside, toYaml(workload('w-1', { weight: 2 })));
  await seen.until('the change', () => seen.count(w1) === 2);
  t.pass('seen');
});

t.test('a half-written file counts only when it is whole', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', toYaml(workload('w-1'), workload('w-2')));
  const { seen } = await startSource(t, folder.path, {
    ...testTiming,
    unchangedMs: 2000,
    unchangedMsMax: 20_000,
  });
  const whole = toYaml(workload('w-1', { weight: 2 }), workload('w-2', { weight: 3 }));
  // Within a word of the second document, within its mapping, and at the end of one of its lines.
  for (const end of [whole.length - 60, whole.length - 9, whole.lastIndexOf('\n', whole.length - 30) + 1]) {
    folder.write('mesh.yaml', whole.slice(0, end));
    // A file that comes after it by name is read after it: once it is seen, so is the half.
    folder.write('other.yaml', toYaml(workload('w-9', { weight: end })));
    const seenBefore = seen.count('+WorkloadEntry/shop/w-9');
    await seen.until('the other file', () => seen.count('+WorkloadEntry/shop/w-9') > seenBefore);
    t.equal(seen.count(w1), 1, `${end} of ${whole.length} characters`);
  }
  folder.write('mesh.yaml', whole);
  await seen.until('both', () => seen.count(w1) === 2 && seen.count('+WorkloadEntry/shop/w-2') === 2);
  t.strictSame(seen.reports, []);
});

t.test('a file that is no YAML keeps its objects; the documents that are good count', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', toYaml(workload('w-1'), workload('w-2')));
  folder.write('other.yaml', toYaml(workload('w-9')));
  const { seen } = await startSource(t, folder.path);
  folder.write('mesh.yaml', `${toYaml(workload('w-1', { weight: 2 }))}---\nkind: WorkloadEntry\n  name: [\n`);
  await seen.until('the problem', () => seen.errors().length === 1);
  t.match(seen.errors()[0], { where: /mesh\.yaml:\d+:\d+$/, path: '', message: /^not YAML: .*Correct it/ });
  await seen.until('the good document', () => seen.count(w1) === 2);
  // Whatever may be deleted is gone when this one is, as it is missing for a shorter time.
  folder.remove('other.yaml');
  await seen.until('a deletion', () => seen.count('-WorkloadEntry/shop/w-9') === 1);
  t.equal(seen.count('-WorkloadEntry/shop/w-2'), 0);
  folder.write('mesh.yaml', toYaml(workload('w-1', { weight: 2 })));
  await seen.until('its correction', () => seen.errors().length === 0 && seen.state().size === 1);
  t.equal(seen.count('-WorkloadEntry/shop/w-2'), 1);
});

t.test('two objects of one name: the one in force stays, both places are named', async (t) => {
  const folder = new TestFolder(t);
  folder.write('b.yaml', toYaml(workload('w-1')));
  const { seen } = await startSource(t, folder.path);
  folder.write('a.yaml', `# a copy\n${toYaml(workload('w-1', { weight: 2 }))}`);
  await seen.until('the problem', () => seen.errors().length === 1);
  t.match(seen.errors()[0], { where: /a\.yaml:7:5$/, path: 'metadata.name', message: /b\.yaml:2 too/ });
  t.equal(seen.count(w1), 1);
  folder.remove('b.yaml');
  await seen.until('the other', () => seen.count(w1) === 2 && seen.errors().length === 0);
  t.equal(seen.count('-WorkloadEntry/shop/w-1'), 0);
});

t.test('hosts may be swapped between DrGroups in one save, but not be taken', async (t) => {
  const folder = new TestFolder(t);
  const group = (name: string, host: string) => drGroup(name, [host], 'sh-a', 'sh-b');
  folder.write('idcs.yaml', toYaml(idc('sh-a'), idc('sh-b')));
  folder.write('mesh.yaml', toYaml(group('g-1', 'a.example'), group('g-2', 'b.example')));
  const { seen } = await startSource(t, folder.path);
  folder.write('mesh.yaml', toYaml(group('g-1', 'b.example'), group('g-2', 'a.example')));
  await seen.until('the swap', () => seen.count('+DrGroup//g-1') === 2 && seen.count('+DrGroup//g-2') === 2);
  t.strictSame(seen.errors(), []);
  folder.write('a-first.yaml', toYaml(group('g-0', 'a.example')));
  await seen.until('the problem', () => seen.errors().length === 1);
  t.match(seen.errors()[0], {
    where: /a-first\.yaml:\d+:\d+$/,
    path: 'spec.hosts[0]',
    message: /a\.example belongs to DrGroup g-2/,
  });
  t.equal(seen.count('+DrGroup//g-0'), 0);
  // A renamed object keeps its host, though the old one is only gone after a moment.
  folder.write('mesh.yaml', toYaml(group('g-1', 'b.example'), group('g-3', 'c.example')));
  await seen.until('the host to be free', () => seen.count('+DrGroup//g-0') === 1);
  t.strictSame(seen.errors(), []);
});

t.test('ServiceEntries of one host stand beside each other', async (t) => {
  const folder = new TestFolder(t);
  folder.write('a.yaml', toYaml(service('s-1', 'a.example')));
  const { seen } = await startSource(t, folder.path);
  folder.write('b.yaml', toYaml(service('s-2', 'a.example')));
  await seen.until('the second', () => seen.count('+ServiceEntry/shop/s-2') === 1);
  folder.remove('a.yaml');
  await seen.until('that the first goes', () => seen.count('-ServiceEntry/shop/s-1') === 1);
  t.strictSame(seen.errors(), []);
});

t.test('a DrGroup that gets another name keeps its host, and nobody is told of a conflict', async (t) => {
  const folder = new TestFolder(t);
  folder.write('idcs.yaml', toYaml(idc('sh-a'), idc('sh-b')));
  folder.write('mesh.yaml', toYaml(drGroup('g-1', ['a.example'], 'sh-a', 'sh-b')));
  const { seen } = await startSource(t, folder.path);
  const before = seen.log().length;
  const batches = seen.batches.length;
  folder.write('mesh.yaml', toYaml(drGroup('g-2', ['a.example'], 'sh-a', 'sh-b')));
  await seen.until('the new name', () => seen.count('+DrGroup//g-2') === 1);
  t.strictSame(seen.log().slice(before), ['-DrGroup//g-1', '+DrGroup//g-2']);
  t.equal(seen.batches.length, batches + 1, 'in one batch');
  t.strictSame(seen.reports, []);
});

t.test(
  'a ServiceEntry that gets another name is there under the new one before the old one goes',
  async (t) => {
    const folder = new TestFolder(t);
    folder.write('mesh.yaml', toYaml(service('s-1', 'a.example')));
    const { seen } = await startSource(t, folder.path);
    folder.write('mesh.yaml', toYaml(service('s-2', 'a.example')));
    await seen.until('the old name to go', () => seen.count('-ServiceEntry/shop/s-1') === 1);
    t.strictSame(seen.log().slice(2), ['+ServiceEntry/shop/s-2', '-ServiceEntry/shop/s-1']);
    t.strictSame(seen.reports, []);
  },
);

t.test('a DrGroup waits for the Idcs that it names', async (t) => {
  const folder = new TestFolder(t);
  folder.write(
    'mesh.yaml',
    toYaml(idc('sh-a'), drGroup('g', ['a.example'], 'sh-a', 'sh-b'), service('s', 'a.example')),
  );
  const { seen } = await startSource(t, folder.path);
  t.equal(seen.state().has('DrGroup//g'), false);
  t.match(seen.errors(), [{ path: 'spec.idcs[1].name', message: /no Idc is named 'sh-b'.*add the Idc/ }]);
  folder.write('idc.yaml', toYaml(idc('sh-b')));
  await seen.until('the DrGroup', () => seen.count('+DrGroup//g') === 1 && seen.errors().length === 0);
  t.strictSame(seen.log().slice(-2), ['+Idc//sh-b', '+DrGroup//g']);
  folder.remove('idc.yaml');
  await seen.until('the problem', () => seen.errors().length === 1);
  t.equal(seen.count('-DrGroup//g'), 0, 'the last good version stays');
});

t.test('a stopped source watches nothing', async (t) => {
  const folder = new TestFolder(t);
  const { stop } = await startSource(t, folder.path);
  t.ok(process.getActiveResourcesInfo().includes('FSEventWrap'));
  stop();
  // A handle that was closed is gone some turns of the event loop later.
  const isWatching = () => process.getActiveResourcesInfo().includes('FSEventWrap');
  for (let turn = 0; turn < 1000 && isWatching(); turn++)
    await new Promise((resolve) => setImmediate(resolve));
  t.notOk(isWatching());
});

t.test('watchers that were closed do not begin anew', async (t) => {
  const folder = new TestFolder(t);
  const watchers = createWatchers(folder.path, () => {});
  t.equal(watchers.update(new Map([['', '1']])), true);
  watchers.close();
  t.equal(watchers.update(new Map([['', '2']])), false);
});

t.test('files that come while their new folder is being found are not missed', async (t) => {
  const folder = new TestFolder(t);
  const { seen } = await startSource(t, folder.path);
  for (let n = 0; n < 300; n++) {
    folder.write(`team-${n % 10}/deep/w-${n}.yaml`, toYaml(workload(`w-${n}`)));
    if (n % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await seen.until('all', () => seen.state().size === 300);
  t.equal(seen.log().length, 301);
});

t.test('a save is read within milliseconds', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', toYaml(workload('w-1')));
  const { seen } = await startSource(t, folder.path);
  const took: number[] = [];
  for (let weight = 2; weight < 32; weight++) {
    const saved = systemClock.now();
    folder.replace('mesh.yaml', toYaml(workload('w-1', { weight })));
    await seen.until('the change', () => seen.count(w1) === weight);
    took.push(systemClock.now() - saved);
  }
  const [median = Number.NaN] = took.sort((a, b) => a - b).slice(15);
  t.comment(`save → change: median ${median.toFixed(1)} ms, max ${took.at(-1)?.toFixed(1)} ms`);
  // Loosely, as the machine is shared: what is slower comes from a rescan, not from an event.
  t.ok(median < 50, `median ${median} ms`);
});

t.test('a folder that appears with content is complete', async (t) => {
  const folder = new TestFolder(t);
  const { seen } = await startSource(t, folder.path);
  const beside = join(folder.path, '..', 'beside');
  mkdirSync(beside);
  for (let n = 0; n < 50; n++) writeFileSync(join(beside, `w-${n}.yaml`), toYaml(workload(`w-${n}`)));
  renameSync(beside, folder.at('team'));
  await seen.until('all', () => seen.state().size === 50);
  t.equal(seen.log().length, 51);
});
