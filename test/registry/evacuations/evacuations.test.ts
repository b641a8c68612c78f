import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Clock, sleep, systemClock } from '../../../src/base/clock.ts';
import type { Finding } from '../../../src/model/finding.ts';
import type { Change } from '../../../src/model/object.ts';
import { evacuationRecords } from '../../../src/registry/evacuations/evacuation-record.ts';
import { createEvacuationsSource } from '../../../src/registry/evacuations/evacuations-source.ts';
import { type RecordsPeer, recordTimes } from '../../../src/registry/records/records-source.ts';
import {
  isNewer,
  readRecords,
  readSentRecords,
  type SentRecord,
} from '../../../src/registry/records/stored-record.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/mesh.ts';

const clock = systemClock;
// The clock's timers let a process end.
const alive = setInterval(() => {}, 1_000);
t.teardown(() => clearInterval(alive));
const expires = new Date(clock.wall() + 3_600_000).toISOString();
const spec = (more: object = {}) => ({ idc: 'sh-a', expires, ...more });

const timeAt = (ms: number) => new Date(ms).toISOString();
/** Over before a clock that is ten minutes ahead. */
const soon = (more: object = {}) => spec({ expires: timeAt(clock.wall() + 60_000), ...more });

/** Records without the times at which they were told, of any of several clocks. */
const untold = (records: readonly SentRecord<{ readonly percent?: number | undefined }>[]) =>
  records.map(({ name, edit, by, spec }) => ({ name, edit, by, percent: spec?.percent }));

/** A started source, and what it has told. */
async function started(t: Test, file: string, peers: readonly RecordsPeer[] = [], by: Clock = clock) {
  const source = createEvacuationsSource({ file, clock: by, peers });
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  const told: string[] = [];
  const problems: Finding[] = [];
  const word = (change: Change) =>
    change.type === 'upsert'
      ? `${change.object.meta.name} ${(change.object.spec as { percent: number }).percent}`
      : change.type === 'delete'
        ? `-${change.ref.name}`
        : 'synced';
  await source.start(
    { changes: (batch) => told.push(...batch.map(word)), problems: (list) => problems.push(...list) },
    stop.signal,
  );
  return { source, told, problems, stop: () => stop.abort() };
}

t.test('an evacuation is announced, replaced, ended, and survives a restart', async (t) => {
  const file = join(t.testdir(), 'deep', 'evacuations.json');
  const one = await started(t, file);
  await one.source.put('e', spec({ percent: 10 }));
  await one.source.put('f', spec());
  await one.source.put('e', spec({ percent: 50 }));
  t.equal(await one.source.end('f'), true);
  t.equal(await one.source.end('f'), false);
  t.strictSame(one.told, ['synced', 'e 10', 'f 100', 'e 50', '-f']);
  one.stop();
  const two = await started(t, file);
  t.strictSame(two.told, ['e 50', 'synced']);
  t.strictSame(
    [...two.source.objects()].map(({ meta }) => meta.name),
    ['e'],
  );
  await t.rejects(one.source.put('g', spec()), { code: 'unavailable' }, 'a closed one takes nothing');
});

t.test('an invalid evacuation is refused, and changes nothing', async (t) => {
  const file = join(t.testdir(), 'evacuations.json');
  const { source, told } = await started(t, file);
  await t.rejects(source.put('e', { idc: 'sh-a' }), {
    code: 'invalid',
    message: /spec.expires: is required/,
  });
  await t.rejects(source.put('E!', spec()), { code: 'invalid', message: /metadata.name/ });
  t.strictSame(told, ['synced']);
  t.notOk(existsSync(file));
});

t.test('the number of names is limited, and existing ones can still be changed and ended', async (t) => {
  const file = join(t.testdir(), 'evacuations.json');
  const ended = (i: number) => ({ name: `e${i}`, edit: 1, until: clock.wall() + 60_000, spec: null });
  writeFileSync(file, JSON.stringify(Array.from({ length: 1_000 }, (_, i) => ended(i))));
  const { source } = await started(t, file);
  await t.rejects(source.put('new', spec()), {
    code: 'exhausted',
    message: /1000 evacuations have been put/,
  });
  await source.put('e7', spec());
  t.equal(await source.end('e7'), true);
});

t.test('a failed write is refused, and the existing evacuations stay', async (t) => {
  const file = join(t.testdir({ taken: 'a file' }), 'taken', 'evacuations.json');
  const { source, told } = await started(t, file);
  await t.rejects(source.put('e', spec()), { code: 'unavailable', message: /cannot be written/ });
  t.strictSame(told, ['synced']);
});

t.test('a damaged file is reported, and the rest continues', async (t) => {
  const file = join(t.testdir({ 'evacuations.json': '[{' }), 'evacuations.json');
  const { source, told, problems } = await started(t, file);
  t.match(problems, [{ severity: 'error', where: file, message: /cannot be read .* put them again/ }]);
  await source.put('e', spec());
  t.strictSame(told, ['synced', 'e 100']);
  t.match(JSON.parse(readFileSync(file, 'utf8')), [{ name: 'e' }]);
});

t.test('two control planes agree, whichever was asked, and over an absence', async (t) => {
  const dir = t.testdir();
  const sources: Awaited<ReturnType<typeof started>>[] = [];
  let isAway = false;
  const peer = (index: number): RecordsPeer => ({
    name: `peer-${index}`,
    async pull() {
      if (isAway || sources[index] === undefined) throw new Error('away');
      return JSON.parse(JSON.stringify(sources[index]?.source.records()));
    },
  });
  for (const index of [0, 1]) sources.push(await started(t, join(dir, `${index}.json`), [peer(1 - index)]));
  const [a, b] = sources as [(typeof sources)[0], (typeof sources)[0]];
  await until('both have started', () => a.told.includes('synced') && b.told.includes('synced'));
  await a.source.put('e', spec({ percent: 10 }));
  await until('it is at the other', () => b.told.includes('e 10'));
  isAway = true;
  await b.source.put('e', spec({ percent: 50 }));
  await sleep(clock, 5);
  await a.source.end('e');
  await sleep(clock, 1.5 * recordTimes.pull);
  t.notOk(a.told.includes('e 50'), 'apart, each goes on alone');
  isAway = false;
  await until('the later one counts', () => b.told.includes('-e'));
  await sleep(clock, 1.5 * recordTimes.pull);
  t.notOk(a.told.includes('e 50'), 'and what was ended does not come back');
  t.strictSame(untold(a.source.records()), untold(b.source.records()));
});

t.test('control planes whose clocks are ten minutes apart agree, whoever puts and ends', async (t) => {
  const dir = t.testdir();
  const sources: Awaited<ReturnType<typeof started>>[] = [];
  const peer = (index: number): RecordsPeer => ({
    name: `peer-${index}`,
    pull: async () => JSON.parse(JSON.stringify(sources[index]?.source.records() ?? [])),
  });
  for (const [index, apartMs] of [0, 600_000].entries()) {
    const by = { ...clock, wall: () => clock.wall() + apartMs };
    sources.push(await started(t, join(dir, `${index}.json`), [peer(1 - index)], by));
  }
  const [behind, ahead] = sources as [(typeof sources)[0], (typeof sources)[0]];
  await until('both have started', () => behind.told.includes('synced') && ahead.told.includes('synced'));
  await ahead.source.put('e', spec({ percent: 10 }));
  await until('the other has it', () => behind.told.includes('e 10'));
  await behind.source.end('e');
  await until('it is ended', () => ahead.told.includes('-e'));
  await behind.source.put('e', soon({ percent: 20 }));
  await until('and put anew', () => ahead.told.includes('e 20'));
  await ahead.source.end('e');
  await until('and ended anew', () => behind.told.filter((word) => word === '-e').length === 2);
  t.strictSame(untold(behind.source.records()), untold(ahead.source.records()));
});

t.test('the remaining time is the same by clocks that are ten minutes apart', async (t) => {
  const put = { name: 'e', edit: 7, by: 'x', until: 61_000, spec: spec({ expires: timeAt(61_000) }) };
  const said = JSON.parse(JSON.stringify({ ...put, at: 1_000 }));
  t.strictSame(readSentRecords(evacuationRecords, [said], 601_000.5), [
    { ...put, until: 661_000, spec: spec({ expires: timeAt(661_000) }) },
  ]);
  const started = { ...said, spec: { ...said.spec, starts: timeAt(2_000) } };
  t.match(readSentRecords(evacuationRecords, [started], 601_000), [
    { spec: { starts: timeAt(602_000), expires: timeAt(661_000) } },
  ]);
  t.strictSame(
    readSentRecords(evacuationRecords, [put], 601_000),
    [put],
    'a peer of an earlier version does not say when',
  );
  const [far] = readSentRecords(
    evacuationRecords,
    [{ ...said, until: 1, spec: spec({ expires: '9999-12-31T23:59:59Z' }) }],
    9e14,
  );
  t.equal(far?.spec?.expires, '9999-12-31T00:00:00.000Z', 'no later than a time can be written');
  t.strictSame(readSentRecords(evacuationRecords, [{ ...said, spec: null }, 7, null], 2_000), [
    { ...put, until: 62_000, spec: null },
  ]);
  t.strictSame(readSentRecords(evacuationRecords, 'nothing', 1), []);
});

t.test('one that is renewed at a control plane is in force at one whose clock is ahead', async (t) => {
  const dir = t.testdir();
  const behind = await started(t, join(dir, 'behind.json'));
  const peer: RecordsPeer = {
    name: 'behind',
    pull: async () => JSON.parse(JSON.stringify(behind.source.records())),
  };
  const by = { ...clock, wall: () => clock.wall() + 600_000 };
  const ahead = await started(t, join(dir, 'ahead.json'), [peer], by);
  await behind.source.put('e', soon());
  for (let i = 0; i < 3; i += 1) await behind.source.renew('e', 60_000);
  const edit = () => ahead.source.records()[0]?.edit;
  await until('it has it', () => edit() === behind.source.records()[0]?.edit);
  const leftMs = Number(ahead.source.records()[0]?.until) - by.wall();
  t.ok(leftMs > 30_000 && leftMs <= 62_000, `${leftMs} ms are left`);
  await ahead.source.renew('e', 60_000);
});

t.test('all control planes choose the same of two concurrent edits', async (t) => {
  const at = { name: 'e', edit: 7, until: 9 };
  const [x, y] = [
    { ...at, by: 'x', spec: null },
    { ...at, by: 'y', spec: spec() },
  ];
  t.not(isNewer(x, y), isNewer(y, x));
  t.ok(isNewer({ ...x, edit: 8 }, y));
  t.notOk(isNewer(x, x));
  t.notOk(isNewer({ ...x, until: 10 }, x), 'one whose times are of another clock is the same');
});

t.test('unreadable records of a peer are left out', async (t) => {
  t.strictSame(readRecords(evacuationRecords, 'nothing'), []);
  const good = { name: 'e', edit: 1, by: '', until: 2, spec: spec() };
  t.strictSame(
    readRecords(evacuationRecords, [
      good,
      { ...good, spec: { idc: 1 } },
      { ...good, edit: '1' },
      { ...good, by: 1 },
      7,
      null,
    ]),
    [good],
  );
  const { by: _, ...old } = good;
  t.strictSame(readRecords(evacuationRecords, [old]), [good], 'of an earlier version');
});

t.test('records are forgotten once no older one can win', async (t) => {
  const clock = manualClock();
  const until = clock.wall() + 1_000;
  const file = join(t.testdir(), 'e.json');
  const over = { name: 'old', edit: 1, until, spec: null };
  writeFileSync(file, JSON.stringify([over]));
  const source = createEvacuationsSource({ file, clock });
  await source.start({ changes() {}, problems() {} }, new AbortController().signal);
  const soon = () => ({ idc: 'sh-a', expires: new Date(clock.wall() + 60_000).toISOString() });
  await source.put('e', soon());
  t.strictSame(
    source.records().map(({ name }) => name),
    ['old', 'e'],
  );
  clock.pass(recordTimes.forget + 1_001);
  await source.put('f', soon());
  t.strictSame(
    source.records().map(({ name }) => name),
    ['e', 'f'],
  );
});

t.test('an evacuation in force is renewed, and an ended one does not come back', async (t) => {
  const { source, told } = await started(t, join(t.testdir(), 'evacuations.json'));
  const record = () => source.records().find(({ name }) => name === 'e');
  await t.rejects(source.renew('e', 1_000), { code: 'not-found', message: /evacuation e is not in force/ });
  await t.rejects(source.put('e', spec(), true), { code: 'not-found' });
  await source.put('e', spec({ percent: 10, expires: new Date(clock.wall() + 60_000).toISOString() }));
  const put = record();
  const before = clock.wall();
  await source.renew('e', 120_000);
  const renewed = record();
  t.ok(Number(renewed?.until) >= before + 120_000 && Number(renewed?.until) <= clock.wall() + 120_001);
  t.equal(renewed?.spec?.expires, new Date(Number(renewed?.until)).toISOString());
  t.equal(renewed?.spec?.percent, 10, 'nothing else has changed');
  t.equal(renewed?.edit, Number(put?.edit) + 1);
  await source.put('e', spec({ percent: 20 }), true);
  t.equal(record()?.edit, Number(put?.edit) + 2);
  await source.end('e');
  await t.rejects(source.renew('e', 120_000), { code: 'not-found' });
  await t.rejects(source.put('e', spec(), true), { code: 'not-found' });
  await source.put('e', spec({ percent: 30, expires: new Date(clock.wall() + 30).toISOString() }));
  await until('it is over', () => clock.wall() > Number(record()?.until));
  await t.rejects(source.renew('e', 120_000), { code: 'not-found' }, 'a lease that has run out is over');
  await t.rejects(source.put('e', spec(), true), { code: 'not-found' });
  t.strictSame(told, ['synced', 'e 10', 'e 10', 'e 20', '-e', 'e 30']);
});

t.test(
  'an end at one control plane counts before renewals at another that has not heard of it',
  async (t) => {
    const dir = t.testdir();
    const one = await started(t, join(dir, 'one.json'));
    await one.source.put('e', spec());
    const [put] = one.source.records();
    const peer: RecordsPeer = { name: 'one', pull: async () => (put === undefined ? [] : [put]) };
    const two = await started(t, join(dir, 'two.json'), [peer]);
    await until('it has it', () => two.source.has('e'));
    await until('time goes on', () => clock.wall() > Number(put?.edit) + 20);
    for (let i = 0; i < 5; i += 1) await one.source.renew('e', 60_000);
    await two.source.end('e');
    const [renewed] = one.source.records();
    const [ended] = two.source.records();
    if (renewed === undefined || ended === undefined) throw new Error('no records');
    t.ok(isNewer(ended, renewed));
    t.notOk(isNewer(renewed, ended));
  },
);
