import { mkdirSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startSource, TestFolder, testTiming } from '../folder-fixture.ts';
import { service, toYaml, workload } from '../objects.ts';
import type { Recorder } from '../recorder.ts';

const names = (count: number, from = 0) => Array.from({ length: count }, (_, n) => `w-${from + n}`);
const objects = (list: readonly string[]) => toYaml(...list.map((name) => workload(name)));
const deletions = (seen: Recorder) => seen.log().filter((word) => word.startsWith('-'));
const held = (seen: Recorder) => seen.errors().find(({ message }) => /deletion is held/.test(message));

t.test('objects deleted one by one are deleted, to the last', async (t) => {
  const folder = new TestFolder(t);
  for (const name of names(3)) folder.write(`${name}.yaml`, objects([name]));
  const { seen } = await startSource(t, folder.path);
  for (const [index, name] of names(3).entries()) {
    folder.remove(`${name}.yaml`);
    await seen.until(`${name} to go`, () => deletions(seen).length === index + 1);
  }
  t.equal(seen.state().size, 0);
  t.notOk(held(seen));
});

t.test('documents taken out of a file are deleted', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', objects(names(30)));
  const { seen } = await startSource(t, folder.path);
  folder.write('mesh.yaml', objects(names(25)));
  await seen.until('the deletions', () => deletions(seen).length === 5);
  t.strictSame(
    deletions(seen).sort(),
    names(5, 25).map((name) => `-WorkloadEntry/shop/${name}`),
  );
});

t.test('an emptied folder deletes nothing until its files are back', async (t) => {
  const folder = new TestFolder(t);
  folder.write('a.yaml', objects(['w-0']));
  folder.write('b.yaml', objects(['w-1']));
  const { seen } = await startSource(t, folder.path);
  folder.remove('a.yaml', 'b.yaml');
  await seen.until('the hold', () => held(seen) !== undefined);
  t.match(held(seen), { where: folder.path, message: /^2 of 2 objects were deleted at once.*confirm/ });
  folder.write('b.yaml', toYaml(workload('w-1', { weight: 2 })));
  folder.write('a.yaml', objects(['w-0']));
  await seen.until(
    'the return',
    () => held(seen) === undefined && seen.count('+WorkloadEntry/shop/w-1') === 2,
  );
  t.strictSame(deletions(seen), []);
});

t.test('instances that all go at once are held, whatever else stays', async (t) => {
  const folder = new TestFolder(t);
  folder.write('service.yaml', toYaml(service('checkout', 'checkout.shop')));
  folder.write('instances/a.yaml', objects(['w-0']));
  folder.write('instances/b.yaml', objects(['w-1']));
  const { seen } = await startSource(t, folder.path);
  folder.remove('instances/a.yaml', 'instances/b.yaml');
  await seen.until('the hold', () => held(seen) !== undefined);
  t.match(held(seen), { message: /^2 of 3 objects were deleted at once/ });
  t.strictSame(deletions(seen), []);
});

t.test('a file that is emptied while it stays is a loss too', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', objects(names(4)));
  const { seen } = await startSource(t, folder.path);
  folder.write('mesh.yaml', '# nothing\n');
  await seen.until('the hold', () => held(seen) !== undefined);
  t.strictSame(deletions(seen), []);
});

t.test('losing ten objects and more than half at once is held, ten of forty are not', async (t) => {
  const folder = new TestFolder(t);
  folder.write('few.yaml', objects(names(10)));
  folder.write('many.yaml', objects(names(25, 10)));
  folder.write('rest.yaml', objects(names(5, 35)));
  const { seen } = await startSource(t, folder.path);
  folder.remove('few.yaml');
  await seen.until('ten to go', () => deletions(seen).length === 10);
  folder.remove('many.yaml');
  await seen.until('the hold', () => held(seen) !== undefined);
  t.equal(deletions(seen).length, 10);
  folder.write('rest.yaml', toYaml(...names(5, 35).map((name) => workload(name, { weight: 2 }))));
  await seen.until('other changes to go on', () => seen.count('+WorkloadEntry/shop/w-39') === 2);
  t.equal(deletions(seen).length, 10);
});

t.test('a confirmed loss is deleted', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', objects(names(3)));
  const { seen, source } = await startSource(t, folder.path);
  t.equal(source.facets.deletionGuard.confirm(), 0, 'nothing to confirm');
  folder.remove('mesh.yaml');
  await seen.until('the hold', () => held(seen) !== undefined);
  t.equal(source.facets.deletionGuard.confirm(), 3);
  await seen.until('the deletions', () => deletions(seen).length === 3);
  await seen.until('the problem to go', () => held(seen) === undefined);
  folder.write('mesh.yaml', objects(names(3)));
  await seen.until('the return', () => seen.state().size === 3);
  folder.remove('mesh.yaml');
  await seen.until('the next hold', () => held(seen) !== undefined);
  t.equal(deletions(seen).length, 3, 'one confirmation is for one loss');
});

t.test('a few that do not come back with the others go after a while', async (t) => {
  const folder = new TestFolder(t);
  for (const name of names(12)) folder.write(`${name}.yaml`, objects([name]));
  const { seen } = await startSource(t, folder.path);
  folder.remove(...names(12).map((name) => `${name}.yaml`));
  await seen.until('the hold', () => held(seen) !== undefined);
  for (const name of names(10)) folder.write(`${name}.yaml`, objects([name]));
  await seen.until('the two that are gone', () => deletions(seen).length === 2);
  t.strictSame(deletions(seen).sort(), ['-WorkloadEntry/shop/w-10', '-WorkloadEntry/shop/w-11']);
  t.notOk(held(seen));
});

t.test(
  'a vanished folder deletes nothing, not even a single object, and is read when it is back',
  async (t) => {
    const folder = new TestFolder(t);
    folder.write('mesh.yaml', objects(['w-0']));
    const { seen } = await startSource(t, folder.path, { ...testTiming, rescanMs: 200, retryMs: 20 });
    const away = join(folder.path, '..', 'away');
    renameSync(folder.path, away);
    await seen.until('the problem', () =>
      seen.errors().some(({ message }) => /folder cannot be read: it does not exist/.test(message)),
    );
    t.strictSame(deletions(seen), []);
    renameSync(away, folder.path);
    await seen.until('the end of it', () => seen.errors().length === 0);
    folder.write('mesh.yaml', toYaml(workload('w-0', { weight: 2 })));
    await seen.until('a change', () => seen.count('+WorkloadEntry/shop/w-0') === 2);
    t.strictSame(deletions(seen), []);
  },
);

t.test('a folder that is deleted with all in it deletes nothing', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', objects(['w-0']));
  const { seen, source } = await startSource(t, folder.path);
  folder.remove('.');
  await seen.until('the problem', () => seen.errors().length > 0);
  t.strictSame(deletions(seen), []);
  t.equal(source.facets.deletionGuard.confirm(), 1);
  await seen.until('the confirmed deletion', () => deletions(seen).length === 1);
});

t.test('an empty folder in its place, as after a lost mount, deletes nothing', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', objects(['w-0']));
  const link = join(folder.path, '..', 'link');
  const empty = join(folder.path, '..', 'empty');
  mkdirSync(empty);
  symlinkSync(folder.path, link);
  const { seen } = await startSource(t, link, { ...testTiming, rescanMs: 50 });
  symlinkSync(empty, `${link}-new`);
  renameSync(`${link}-new`, link);
  await seen.until('the hold', () => held(seen) !== undefined);
  t.strictSame(deletions(seen), []);
});

t.test('a folder in the folder that cannot be read keeps its objects', async (t) => {
  const folder = new TestFolder(t);
  folder.write('team/a.yaml', objects(['w-0']));
  folder.write('b.yaml', objects(['w-1']));
  const { seen } = await startSource(t, folder.path, { ...testTiming, rescanMs: 50 });
  // Root reads everything, so permissions would test nothing here: a link to itself cannot be read by
  // anybody.
  folder.move('team', '../team');
  symlinkSync('team', folder.at('team'));
  await seen.until('the problem', () => seen.errors().some(({ where }) => where === folder.at('team')));
  t.match(seen.errors()[0]?.message, /cannot be read: symbolic links form a circle/);
  // Whatever may be deleted is gone when this one is, as it is missing for a shorter time.
  folder.remove('b.yaml');
  await seen.until('a deletion elsewhere', () => deletions(seen).length > 0);
  t.strictSame(deletions(seen), ['-WorkloadEntry/shop/w-1']);
});

t.test('a file that is empty for a moment deletes nothing; one that stays empty does', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', objects(['w-0']));
  folder.write('other.yaml', objects(['w-1', 'w-2']));
  const { seen } = await startSource(t, folder.path);
  folder.write('mesh.yaml', '');
  folder.write('other.yaml', objects(['w-1']));
  // Whatever is believed at once is gone when this one is.
  await seen.until('a deletion elsewhere', () => deletions(seen).length > 0);
  t.strictSame(deletions(seen), ['-WorkloadEntry/shop/w-2']);
  folder.write('mesh.yaml', toYaml(workload('w-0', { weight: 2 })));
  await seen.until('the new text', () => seen.count('+WorkloadEntry/shop/w-0') === 2);
  t.equal(seen.count('-WorkloadEntry/shop/w-0'), 0);
  folder.write('mesh.yaml', '');
  await seen.until('the deletion', () => seen.count('-WorkloadEntry/shop/w-0') === 1);
});

t.test('an object goes though its file holds other kinds, and others with faults', async (t) => {
  const folder = new TestFolder(t);
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };
  folder.write('mesh.yaml', toYaml(namespace, workload('w-0'), workload('w-1'), workload('w-2')));
  const { seen } = await startSource(t, folder.path);
  folder.write(
    'mesh.yaml',
    toYaml(namespace, workload('w-0', { weight: 2 }), workload('w-1', { weight: -1 })),
  );
  await seen.until('the deletion', () => deletions(seen).length > 0);
  t.strictSame(deletions(seen), ['-WorkloadEntry/shop/w-2']);
  t.match(seen.errors(), [{ path: 'spec.weight' }]);
  t.equal(seen.count('+WorkloadEntry/shop/w-0'), 2, 'what is good counts');
  t.same(seen.state().has('WorkloadEntry/shop/w-1'), true, 'what is faulty stays as it was');
});

t.test('objects that an unreadable document may contain are held, and reported; the rest goes', async (t) => {
  const folder = new TestFolder(t);
  const good = (...names: string[]) => names.map((name) => toYaml(workload(name))).join('---\n');
  folder.write('mesh.yaml', good('w-0', 'w-1', 'w-2', 'w-3'));
  const { seen } = await startSource(t, folder.path);
  const kept = () => seen.current().find(({ message }) => /^not seen in it now/.test(message))?.message;
  const broken = 'kind: WorkloadEntry\nmetadata: {name: w-1}\nspec: [\n';
  folder.write('mesh.yaml', `${broken}---\n${good('w-0', 'w-3')}`);
  await seen.until('the deletion', () => deletions(seen).length > 0);
  t.strictSame(deletions(seen), ['-WorkloadEntry/shop/w-2']);
  t.match(kept(), /these: WorkloadEntry shop\/w-1\. Correct the file/);
  folder.write('mesh.yaml', `${good('w-0')}---\n${broken}`);
  await seen.until('the next state', () => /w-1, WorkloadEntry shop\/w-3\./.test(kept() ?? ''));
  t.equal(deletions(seen).length, 1, 'a file that ends in what cannot be read may have been cut');
  folder.write('mesh.yaml', good('w-0'));
  await seen.until('the deletions', () => deletions(seen).length === 3);
  t.equal(kept(), undefined);
});

t.test('a file in another encoding keeps what it held', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', objects(names(3)));
  const { seen } = await startSource(t, folder.path);
  folder.write('mesh.yaml', Buffer.from(`\ufeff${objects(names(2))}`, 'utf16le'));
  await seen.until('the problem', () => seen.errors().length > 0);
  t.match(seen.errors(), [{ message: 'the encoding is UTF-16 (little endian): save it as UTF-8.' }]);
  t.strictSame(deletions(seen), []);
  folder.write('mesh.yaml', `\ufeff${objects(names(2))}`);
  await seen.until('the deletion', () => deletions(seen).length === 1);
  t.same(seen.current(), [], 'UTF-8 may have a mark');
});
