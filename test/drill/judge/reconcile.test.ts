import t from 'tap';
import { reconcile } from '../../../src/drill/judge/reconcile.ts';
import type { Measurement } from '../../../src/drill/measure/measurement.ts';
import { goodMeasurement, withAccess, withSamples } from '../fixture.ts';

const good = goodMeasurement();
const broken = (m: Measurement) =>
  reconcile(m)
    .filter((finding) => !finding.ok)
    .map((finding) => finding.claim);
const [records, successes, entries, entrances, crossings, counters, sidecars, groups] = reconcile(good).map(
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
  const ended = { at: 1, answered: true, received: 0, sent: 100 };
  const stray = { at: 0, id: 'caller-sh-a:99999', method: 'GET', path: '/', leaked: [], ended };
  const m = { ...good, entries: new Map([...good.entries, ['sh-b/catalog-1', [stray]]]) };
  t.same(broken(m), [entries, crossings, sidecars, groups]);
});

t.test('a request that bypassed the first Envoy, or was taken twice', async (t) => {
  t.same(
    broken(withAccess(good, (line) => (isCrossing('caller-sh-a:1')(line, 'outbound') ? null : undefined))),
    [entrances],
  );
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
    durationMs: 400,
    id: 'caller-sh-a:600',
    status: 0,
    flags: 'DC',
    trail: 'sh-a',
    attempts: 1,
    outcome: '',
  };
  t.same(broken({ ...good, access: [...good.access, given] }), []);
});

t.test('a counter that disagrees with its log', async (t) => {
  const counter = good.counters[0] as Measurement['counters'][number];
  t.same(broken({ ...good, counters: good.counters.with(0, { ...counter, lines: counter.lines - 1 }) }), [
    counters,
  ]);
  t.same(broken({ ...good, counters: good.counters.with(0, { ...counter, lines: counter.lines + 1 }) }), [
    counters,
  ]);
  t.same(
    broken({
      ...good,
      counters: good.counters.with(0, { ...counter, lines: counter.lines + 1, after: counter.after + 2 }),
    }),
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

t.test(
  'a client that was killed: what was due in its last 300 ms may be unrecorded, nothing else',
  async (t) => {
    const facts = good.streams[0] as Measurement['streams'][number];
    const killedAt = (ms: number, silentMs = 20) => ({
      ...good,
      streams: [{ ...facts, killed: { from: ms, to: ms } }],
      samples: good.samples.filter((s) => s.due < ms - silentMs),
    });
    const m = killedAt(19_980);
    t.match(reconcile(m)[0]?.detail, /3 requests of clients that were killed/);
    t.notOk(broken(killedAt(20_000)).includes(records as string));
    t.ok(broken(m).includes(entries as string), 'an instance served what was due after the death');
    t.notOk(broken(killedAt(20_000, 300)).includes(records as string));
    t.ok(broken(killedAt(20_000, 310)).includes(records as string), 'it had stopped sending before');
  },
);

t.test(
  'data that a client that was killed with its sidecar had sent may have come to an instance alone',
  async (t) => {
    const facts = good.streams[0] as Measurement['streams'][number];
    const lost = (dueBeforeMs: number) => {
      const at = facts.due(600) + dueBeforeMs;
      return {
        ...withAccess(good, (line) =>
          line.id === 'caller-sh-a:600' && line.listener !== 'inbound' ? null : undefined,
        ),
        streams: [{ ...facts, planned: 601, killed: { from: at, to: at } }],
        samples: good.samples.filter((s) => s.id !== 'caller-sh-a:600'),
      };
    };
    t.notOk(broken(lost(2)).includes(crossings as string));
    t.ok(broken(lost(400)).includes(crossings as string), 'long before its death it would be on record');
  },
);

t.test('a counter that is not there under the name of its listener', async (t) => {
  const renamed = good.counters.map((c) => (c.proxy === 'sh-a/caller' ? { ...c, listener: 'renamed' } : c));
  t.same(broken({ ...good, counters: renamed }), [counters]);
  t.same(broken({ ...good, counters: good.counters.slice(1) }), [counters]);
  t.same(broken({ ...good, listeners: [] }), [counters]);
});

/** The measurement with one more entry for a request, at an instance. */
function executed(id: string, at: number, name = 'sh-a/checkout-1'): Measurement {
  const ended = { at: at + 1, answered: true, received: 0, sent: 100 };
  const entry = { at, id, method: 'GET', path: '/', leaked: [], ended };
  return { ...good, entries: new Map([...good.entries, [name, [...(good.entries.get(name) ?? []), entry]]]) };
}

t.test('an instance that was reached past its sidecar, or executed a request twice', async (t) => {
  t.same(broken(executed('caller-sh-a:100', 1003)), [sidecars], 'twice');
  const around = withAccess(good, (line) =>
    line.id === 'caller-sh-a:100' && line.listener === 'inbound' ? null : undefined,
  );
  t.same(broken(around), [sidecars], 'past it');
  const elsewhere = withAccess(good, (line) =>
    line.id === 'caller-sh-a:100' && line.listener === 'inbound' ? { proxy: 'sh-a/checkout-2' } : undefined,
  );
  t.same(broken(elsewhere), [sidecars], 'through the sidecar of another');
  const open = executed('caller-sh-a:100', 1003);
  const list = open.entries
    .get('sh-a/checkout-1')
    ?.map(({ ended, ...entry }) => (entry.at === 1003 ? entry : { ...entry, ...(ended && { ended }) }));
  t.same(
    broken({ ...open, entries: new Map(open.entries).set('sh-a/checkout-1', list ?? []) }),
    [],
    'of what has not ended there is no line yet',
  );
});

t.test('a sidecar that answered what its application never saw', async (t) => {
  const line = { ...(good.access.find((l) => l.listener === 'inbound') as (typeof good.access)[number]) };
  t.same(broken({ ...good, access: [...good.access, line] }), [sidecars]);
  t.same(broken({ ...good, access: [...good.access, { ...line, status: 503, flags: 'UF' }] }), [], 'refused');
});

t.test('a killed sidecar excuses the lines that it had not written, and no others', async (t) => {
  const lost = [{ proxy: 'sh-a/checkout-1', killed: { from: 5000, to: 5010 } }];
  const without = (number: number, proxy = 'sh-a/checkout-1') =>
    withAccess({ ...good, lost: lost.map((each) => ({ ...each, proxy })) }, (line) =>
      line.id === `caller-sh-a:${number}` && line.listener === 'inbound' ? null : undefined,
    );
  t.same(broken(without(480)), []);
  t.same(broken(without(470)), [sidecars], 'written long before');
  t.same(broken(without(480, 'sh-a/checkout-2')), [sidecars], 'another was killed');
  const slow = without(470);
  const entries = (slow.entries.get('sh-a/checkout-1') ?? []).map((entry) => {
    const { ended, ...unended } = entry;
    return entry.id === 'caller-sh-a:470' ? unended : entry;
  });
  const died = { ...slow, entries: new Map(slow.entries).set('sh-a/checkout-1', entries) };
  t.same(broken(died), [], 'what it was still working on as it died');
});

t.test('a Group that answered for another', async (t) => {
  const facts = good.streams[0] as Measurement['streams'][number];
  const both = { ...good, streams: [{ ...facts, hosts: ['checkout.shop', 'catalog.shop'] }] };
  t.same(broken(both), [groups]);
  t.match(reconcile(both).at(-1)?.detail, /took caller-sh-a:1 for catalog\.shop/);
  const wrong = withSamples(good, (s) => (s.due === 50 ? { status: 503, instance: 'sh-a/catalog-1' } : {}));
  t.same(broken(wrong), [groups], 'by what the answer says');
});
