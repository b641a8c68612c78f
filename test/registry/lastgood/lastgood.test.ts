import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import type { Ref } from '../../../src/model/object.ts';
import { createFilesSource } from '../../../src/registry/files/files-source.ts';
import {
  keepLastGood,
  type LastGoodTiming,
  lastGoodTiming,
} from '../../../src/registry/lastgood/last-good-source.ts';
import { readSnapshot, writeSnapshot } from '../../../src/registry/lastgood/snapshot-file.ts';
import { until } from '../../support/mesh.ts';
import { createRawSource } from '../../support/planes/raw-source.ts';
import { TestFolder, testTiming } from '../folder-fixture.ts';
import { idc, service, toYaml, workload } from '../objects.ts';
import { Recorder } from '../recorder.ts';

const clock = systemClock;
const quick: Partial<LastGoodTiming> = { writeMsMin: 1, retryMs: 10, confirmMs: 20 };
const instances = Array.from({ length: 20 }, (_, i) => workload(`w-${i}`));
const everything = toYaml(idc('sh-a'), service('s', 'a.example'), ...instances);
const count = 22;

/** A world of its own: a folder of objects, a folder for the state. */
function world(t: Test) {
  const config = new TestFolder(t);
  const state = mkdtempSync(join(tmpdir(), 'isthmus-state-'));
  t.teardown(() => rmSync(state, { recursive: true, force: true }));
  const file = join(state, 'registry-files.jsonl');
  /** Starts a source over them. */
  async function start(name = 'sh-a', soleMs = 0) {
    const stop = new AbortController();
    t.teardown(() => stop.abort());
    const source = keepLastGood(
      {
        open: () => createFilesSource({ folder: config.path, clock }, { ...testTiming, retryMs: 20 }),
        ...{ folder: state, idc: name, clock, soleMs },
      },
      quick,
    );
    const seen = new Recorder();
    await source.start(seen, stop.signal);
    return { source, seen, stop: () => stop.abort() };
  }
  /** A first run that leaves its state behind. */
  async function leaveState() {
    config.write('all.yaml', everything);
    const first = await start();
    await until('the state is on disk', () => first.source.facets.lastGood.status().writtenAt !== undefined);
    t.equal(first.source.facets.lastGood.status().from, 'source');
    first.stop();
  }
  return { config, state, file, start, leaveState };
}

const breakIt: Record<string, (config: TestFolder) => void> = {
  missing: (config) => config.remove(''),
  empty: (config) => config.remove('all.yaml'),
  'a file, not a folder': (config) => {
    config.remove('');
    writeFileSync(config.path, 'x');
  },
};

for (const [what, break_] of Object.entries(breakIt)) {
  t.test(`a folder that is ${what} at the start: from the last good state, until it is back`, async (t) => {
    const { config, leaveState, start } = world(t);
    await leaveState();
    break_(config);
    const { source, seen } = await start();
    t.equal(seen.state().size, count, 'all is there');
    t.equal(seen.count('synced'), 1);
    t.match(
      seen.errors()[0]?.message,
      what === 'empty' ? /22 of 22 objects are missing/ : /cannot be reached.*known to be good until 20/,
    );
    const status = source.facets.lastGood.status();
    t.match(status, { from: what === 'empty' ? 'both' : 'snapshot', held: count });
    t.ok(Math.abs((status.knownGoodAt ?? 0) - Date.now()) < 60_000, 'its age is known');
    if (what !== 'empty') rmSync(config.path, { recursive: true, force: true });
    config.write('all.yaml', everything.replace('10.1.0.1', '10.9.9.9'));
    await until('the source has taken over', () => source.facets.lastGood.status().from === 'source');
    t.equal(seen.state().size, count);
    t.match(JSON.stringify([...seen.state().values()]), /10\.9\.9\.9/, 'with what is new');
    t.notOk(
      seen.log().some((word) => word.startsWith('-')),
      'and nothing was deleted on the way',
    );
    t.same(seen.errors(), []);
  });
}

t.test('objects deleted while the control plane was down go; new ones appear', async (t) => {
  const w = world(t);
  await w.leaveState();
  w.config.write(
    'all.yaml',
    toYaml(idc('sh-a'), service('s', 'a.example'), ...instances.slice(1), workload('new')),
  );
  const { seen, source } = await w.start();
  t.equal(source.facets.lastGood.status().from, 'source');
  t.notOk(seen.state().has('WorkloadEntry/shop/w-0'));
  t.ok(seen.state().has('WorkloadEntry/shop/new'));
});

t.test('what a host needs, moved away while the control plane was down, stays for a time', async (t) => {
  const w = world(t);
  await w.leaveState();
  w.config.write('all.yaml', toYaml(idc('sh-a'), ...instances.slice(1)));
  const { seen, source, stop } = await w.start('sh-a', 3_600_000);
  t.ok(seen.state().has('ServiceEntry/shop/s'));
  t.notOk(seen.state().has('WorkloadEntry/shop/w-0'), 'one instance of many goes');
  t.match(seen.current(), [
    {
      ...{ code: 'DeletionDelayed', severity: 'warning', where: 'source files' },
      message: /^missing in it since the last start: ServiceEntry shop\/s \(host a\.example\)\. .*for 60 min/,
    },
  ]);
  t.equal(source.facets.deletionGuard.confirm(), 1);
  t.notOk(seen.state().has('ServiceEntry/shop/s'));
  t.strictSame(seen.current(), []);
  stop();
});

t.test(
  'negative control: without a delay a host whose file went meanwhile is gone at the start',
  async (t) => {
    const w = world(t);
    await w.leaveState();
    w.config.write('all.yaml', toYaml(idc('sh-a'), ...instances.slice(1)));
    const { seen } = await w.start('sh-a', 0);
    t.notOk(seen.state().has('ServiceEntry/shop/s'));
  },
);

t.test('a delay of the start ends by itself, and when the object is back', async (t) => {
  const w = world(t);
  await w.leaveState();
  const { start, config } = w;
  config.write('all.yaml', toYaml(idc('sh-a'), ...instances));
  const short = await start('sh-a', 300);
  t.ok(short.seen.state().has('ServiceEntry/shop/s'));
  await short.seen.until('the deletion', () => short.seen.count('-ServiceEntry/shop/s') === 1);
  await until(
    'the shorter state is on disk',
    async () => (await readSnapshot(w.file)).contents.length === count - 1,
  );
  short.stop();
  config.write('all.yaml', toYaml(idc('sh-a')));
  const back = await start('sh-a', 3_600_000);
  t.equal(back.source.facets.lastGood.status().from, 'both', 'all instances are held, not delayed');
  config.write('all.yaml', toYaml(idc('sh-a'), ...instances));
  await until('all is back', () => back.source.facets.lastGood.status().from === 'source');
});

t.test('far fewer objects than it held: held, until the operator confirms', async (t) => {
  const w = world(t);
  await w.leaveState();
  w.config.write('all.yaml', toYaml(idc('sh-a'), service('s', 'a.example'), ...instances.slice(15)));
  const { seen, source } = await w.start();
  t.equal(seen.state().size, count);
  t.match(source.facets.lastGood.status(), {
    from: 'both',
    held: 15,
    reason: /15 of 22 objects are missing/,
  });
  t.equal(source.facets.deletionGuard.confirm(), 15);
  t.equal(seen.state().size, count - 15);
  await until(
    'it is written',
    () => source.facets.lastGood.status().from === 'source' && statSync(w.file).size > 0,
  );
});

t.test(
  'negative control: without a state a missing folder is no start, and an empty one an empty mesh',
  async (t) => {
    const w = world(t);
    await t.resolveMatch(
      w.start().then(({ seen }) => seen.state().size),
      0,
    );
    w.config.remove('');
    await t.rejects(w.start(), { code: 'not-found', message: /create it, or correct the path/ });
  },
);

t.test('an incomplete state is refused with a reason, set aside, and never partly used', async (t) => {
  const w = world(t);
  await w.leaveState();
  w.config.remove('');
  const good = readFileSync(w.file);
  const body = good.indexOf('\n') + 1;
  const flipped = (at: number) => {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] as number) ^ 1;
    return bad;
  };
  const bad: [Buffer, RegExp][] = [
    [Buffer.alloc(0), /first line/],
    [Buffer.from('{"format":"isthmus registry snapshot","version":2}\n'), /version 2.*reads version 1/],
    [good.subarray(0, 100), /first line/],
    [good.subarray(0, body + 10), /bytes of objects/],
    [good.subarray(0, good.length - 1), /bytes of objects/],
    [Buffer.concat([good, good.subarray(body)]), /bytes of objects/],
    [Buffer.alloc(good.length), /first line/],
  ];
  for (let i = 0; i < 10; i += 1) bad.push([flipped(body + i * 97), /checksum/]);
  for (const [content, words] of bad) {
    writeFileSync(w.file, content);
    await t.rejects(w.start(), { code: 'not-found', message: words });
  }
  t.notOk(readdirSync(w.state).includes('registry-files.jsonl'));
  t.ok(readdirSync(w.state).some((name) => name.includes('.refused-')));
  writeFileSync(w.file, good);
  await t.rejects(w.start('sh-b'), { message: /it is of IDC sh-a/ });
  // A source that is there needs no state, and says what became of it.
  w.config.write('all.yaml', everything);
  writeFileSync(w.file, 'x');
  const { seen } = await w.start();
  t.equal(seen.state().size, count);
  t.match(seen.errors(), [{ where: /refused/, message: /not the one of a registry snapshot/ }]);
});

t.test('it is written when something changed, and marked when nothing did', async (t) => {
  const w = world(t);
  await w.leaveState();
  const { seen, source } = await w.start();
  const before = source.facets.lastGood.status().writtenAt;
  await until('the start is written', () => source.facets.lastGood.status().writtenAt !== before);
  const marked = source.facets.lastGood.status().knownGoodAt ?? 0;
  const { writtenAt } = source.facets.lastGood.status();
  await until('it is marked', () => (source.facets.lastGood.status().knownGoodAt ?? 0) > marked + 20);
  t.equal(source.facets.lastGood.status().writtenAt, writtenAt, 'and not written');
  w.config.write('more.yaml', toYaml(workload('w-new')));
  await seen.until('the change', () => seen.state().has('WorkloadEntry/shop/w-new'));
  while ((await readSnapshot(w.file)).header.objects !== count + 1)
    await new Promise((resolve) => setTimeout(resolve, 5));
  t.pass('written');
});

t.test('a failed write is reported, and the previous state stays', async (t) => {
  const w = world(t);
  await w.leaveState();
  const before = readFileSync(w.file);
  renameSync(w.file, `${w.file}.kept`);
  await t.rejects(
    writeSnapshot(join(w.state, 'no', 'such', 'folder'), [], { idc: 'a', source: 's', wallMs: 1 }),
    { code: 'unavailable', message: /free or mend the disk/ },
  );
  t.same(readFileSync(`${w.file}.kept`), before);
});

t.test(
  'a state that cannot be written is a problem until it is written, and told once in the log',
  async (t) => {
    const { config, state, file } = world(t);
    const told: string[] = [];
    const note = (message: string) => void told.push(message);
    const stop = new AbortController();
    t.teardown(() => stop.abort());
    config.write('all.yaml', everything);
    // As a disk that takes nothing: a folder is in the place of the file.
    mkdirSync(join(state, '.registry-files.jsonl.new'));
    const open = () => createFilesSource({ folder: config.path, clock }, { ...testTiming, retryMs: 20 });
    const logger = { ...silentLogger, error: note, info: note };
    const source = keepLastGood({ open, folder: state, idc: 'sh-a', clock, logger, soleMs: 0 }, quick);
    const seen = new Recorder();
    await source.start(seen, stop.signal);
    const codes = () => seen.current().map(({ code }) => code);
    await until('it is a problem', () => codes().includes('StateNotWritten'));
    await new Promise((resolve) => setTimeout(resolve, 20 * (quick.writeMsMin ?? 1) + 200));
    const lines = told.filter((line) => line.startsWith('last good state not written'));
    t.equal(lines.length, 1, 'however often it is tried');
    rmdirSync(join(state, '.registry-files.jsonl.new'));
    await until('it is written', () => !codes().includes('StateNotWritten'));
    t.ok(statSync(file).size > 0);
    t.ok(told.includes('the last good state is written again'));
  },
);

t.test('deleted objects are released by the source that was opened last', async (t) => {
  const w = world(t);
  await w.leaveState();
  const released: string[] = [];
  let opened = 0;
  const open = () => {
    opened += 1;
    const life = opened;
    const raw = createRawSource([idc('sh-a'), service('s', 'a.example'), ...instances]);
    const finalizers = { release: async ({ name }: Ref) => void released.push(`${name} by ${life}`) };
    return {
      ...raw,
      name: 'files',
      start: life === 1 ? async () => Promise.reject(new Error('away')) : raw.start,
      facets: { ...raw.facets, finalizers },
    };
  };
  const source = keepLastGood({ open, folder: w.state, idc: 'sh-a', clock }, quick);
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  await source.start(new Recorder(), stop.signal);
  await until('the source is back', () => source.facets.lastGood.status().from === 'source');
  const { finalizers } = source.facets;
  if (finalizers === 'none') throw new Error('it has them');
  await finalizers.release({ kind: 'WorkloadEntry', namespace: 'shop', name: 'w-1' });
  t.strictSame(released, ['w-1 by 2']);
});

t.test('a source without a guard of its own is guarded while it runs', async (t) => {
  const raw = createRawSource([idc('sh-a'), ...instances]);
  const wrap = (loss: Partial<LastGoodTiming['loss']> = {}) =>
    keepLastGood({ open: () => raw, idc: 'sh-a', clock }, { loss: { ...lastGoodTiming.loss, ...loss } });
  const guarded = wrap();
  const seen = new Recorder();
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  await guarded.start(seen, stop.signal);
  const all = [...raw.stored.values()].filter(({ kind }) => kind === 'WorkloadEntry');
  raw.removeAll(all.slice(0, 1));
  t.equal(seen.state().size, 20, 'one goes at once');
  raw.removeAll(all.slice(1, 16));
  t.equal(seen.state().size, 20, 'fifteen of twenty do not');
  t.match(seen.errors(), [{ message: /15 of 20 objects are missing in it at once/ }]);
  t.equal(guarded.facets.deletionGuard.confirm(), 15);
  t.equal(seen.state().size, 5);
  t.same(seen.errors(), []);
});

t.test('an unconfirmed loss takes effect after a time, but never of the last instance', async (t) => {
  const raw = createRawSource([idc('sh-a'), ...instances]);
  const loss = { ...lastGoodTiming.loss, heldMsMax: 30 };
  const guarded = keepLastGood({ open: () => raw, idc: 'sh-a', clock }, { loss });
  const seen = new Recorder();
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  await guarded.start(seen, stop.signal);
  const all = [...raw.stored.values()].filter(({ kind }) => kind === 'WorkloadEntry');
  raw.removeAll(all.slice(0, 15));
  t.equal(seen.state().size, 21, 'held');
  await seen.until('it went', () => seen.state().size === 6);
  raw.removeAll(all.slice(15));
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.equal(seen.state().size, 6, 'all instances: only by a person');
});

t.test('60,000 objects: written and read again', { timeout: 120_000 }, async (t) => {
  const w = world(t);
  const raw = createRawSource([
    ...Array.from({ length: 30_000 }, (_, i) => service(`s-${i}`, `s-${i}.example`)),
    ...Array.from({ length: 30_000 }, (_, i) => workload(`w-${i}`)),
  ]);
  let start = performance.now();
  await writeSnapshot(w.file, [...raw.stored.values()], { idc: 'sh-a', source: 'files', wallMs: 1 });
  const wroteMs = performance.now() - start;
  start = performance.now();
  const { contents } = await readSnapshot(w.file);
  const readMs = performance.now() - start;
  t.equal(contents.length, 60_000);
  t.comment(
    `${Math.round(statSync(w.file).size / 2 ** 20)} MiB: written in ${wroteMs} ms, read in ${readMs} ms`,
  );
  t.ok(readMs < 30_000 && wroteMs < 60_000);
});
