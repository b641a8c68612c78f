import t from 'tap';
import type { Measurement } from '../../src/drill/measurement.ts';
import { reconcile } from '../../src/drill/reconcile.ts';
import { goodMeasurement, withAccess, withSamples } from './fixture.ts';

const good = goodMeasurement();
const broken = (m: Measurement) =>
  reconcile(m)
    .filter((finding) => !finding.ok)
    .map((finding) => finding.claim);
const [records, successes, entries, entrances, crossings, counters] = reconcile(good).map(
  (finding) => finding.claim,
);
const isCrossing = (id: string) => (line: { id: string; listener: string }, listener: string) =>
  line.id === id && line.listener === listener;
const six = isCrossing('caller-sh-a:600');

t.test('all logs agree', async (t) => {
  t.same(broken(good), []);
});

t.test('a request without a record, and one with two', async (t) => {
  t.same(broken({ ...good, samples: good.samples.slice(0, -1) }), [records, entries]);
  const twice = {
    ...good,
    samples: [...good.samples.slice(0, -1), good.samples[0] as Measurement['samples'][number]],
  };
  t.ok(broken(twice).includes(records as string));
});

t.test('a success that its instance does not know', async (t) => {
  const m = withSamples(good, (s) =>
    s.id === 'caller-sh-a:0' ? { instance: 'sh-b/checkout-1' } : undefined,
  );
  t.same(broken(m), [successes]);
});

t.test('an instance that served what nobody sent', async (t) => {
  const stray = { at: 0, id: 'caller-sh-a:99999', method: 'GET', path: '/', leaked: [] };
  const m = { ...good, entries: new Map([...good.entries, ['sh-b/catalog-1', [stray]]]) };
  t.same(broken(m), [entries, crossings]);
});

t.test('a request that bypassed the first Envoy, or was taken twice', async (t) => {
  t.same(broken(withAccess(good, (line) => (line.id === 'caller-sh-a:1' ? null : undefined))), [entrances]);
  const again = good.access.find((line) => line.id === 'caller-sh-a:1') as Measurement['access'][number];
  t.same(broken({ ...good, access: [...good.access, again] }), [entrances]);
});

t.test(
  'a request that left and never arrived, arrived and never left, or came in past the gateways',
  async (t) => {
    t.same(broken(withAccess(good, (line) => (six(line, 'peer') ? null : undefined))), [crossings]);
    t.same(broken(withAccess(good, (line) => (six(line, 'sidecar') ? null : undefined))), [crossings]);
    const around = withAccess(good, (line) => (six(line, 'peer') || six(line, 'sidecar') ? null : undefined));
    t.same(broken(around), [crossings]);
  },
);

t.test('a try that was given up on its way need not have arrived', async (t) => {
  const given = {
    proxy: 'sh-a/egress-2',
    idc: 'sh-a',
    listener: 'sidecar',
    at: 6000,
    id: 'caller-sh-a:600',
    status: 0,
    flags: 'DC',
    trail: 'sh-a',
    attempts: 1,
  };
  t.same(broken({ ...good, access: [...good.access, given] }), []);
});

t.test('a counter that disagrees with its log', async (t) => {
  const counter = good.counters[0] as Measurement['counters'][number];
  t.same(broken({ ...good, counters: [{ ...counter, lines: counter.lines - 1 }] }), [counters]);
  t.same(broken({ ...good, counters: [{ ...counter, lines: counter.lines + 1 }] }), [counters]);
  t.same(
    broken({ ...good, counters: [{ ...counter, lines: counter.lines + 1, after: counter.after + 2 }] }),
    [],
    'health checks go on',
  );
  t.same(broken({ ...good, counters: [] }), [counters]);
});

t.test('a killed gateway excuses what it lost with it, for a moment and no longer', async (t) => {
  const lost = [{ proxy: 'sh-b/ingress-1', killed: { from: 6000, to: 6010 } }];
  const without = (id: string) =>
    withAccess({ ...good, lost }, (line) => (isCrossing(id)(line, 'peer') ? null : undefined));
  t.same(broken(without('caller-sh-a:600')), []);
  t.same(broken(without('caller-sh-a:900')), [crossings]);
});

t.test('a client that was killed: what was due by then may be unrecorded, nothing else', async (t) => {
  const facts = good.streams[0] as Measurement['streams'][number];
  const killedAt = (ms: number) => ({
    ...good,
    streams: [{ ...facts, killed: { from: ms, to: ms } }],
    samples: good.samples.filter((s) => s.due < ms - 20),
  });
  const m = killedAt(19_980);
  t.match(reconcile(m)[0]?.detail, /3 requests of clients that were killed/);
  t.notOk(broken(killedAt(20_000)).includes(records as string));
  t.ok(broken(m).includes(entries as string), 'an instance served what was due after the death');
});
