import t from 'tap';
import type { CallShape } from '../../../src/drill/call/call.ts';
import type { RealMeasurement } from '../../../src/drill/drills/real/facts.ts';
import { groups, grpcMix, httpMix, planLoads, tcpMix } from '../../../src/drill/drills/real/mix.ts';
import { realRows, realUnprotected } from '../../../src/drill/drills/real/verdict.ts';
import { realDrill } from '../../../src/drill/drills/real.ts';
import { verdictOf } from '../../../src/drill/judge/verdict.ts';
import type { Sample } from '../../../src/drill/load/sample.ts';
import { ejectedBetween } from '../../../src/drill/measure/ejections.ts';
import type { AccessLine } from '../../../src/drill/measure/measurement.ts';
import type { UpstreamEntry } from '../../../src/drill/upstream/upstream-log.ts';
import { planTopology } from '../../../src/drill/world/topology.ts';
import { goodReal, kinds } from './real-fixture.ts';

const good = goodReal();
const missed = (m: RealMeasurement) =>
  realRows(m, kinds)
    .filter((row) => !row.ok)
    .map((row) => row.id);
const measured = (m: RealMeasurement, id: string) =>
  realRows(m, kinds).find((row) => row.id === id)?.measured ?? '';

/** Of a shape, the first request that was due at a moment or later. */
function first(shape: string, from: number): Sample {
  const found = good.samples.find((s) => s.call?.shape === shape && s.due >= from);
  if (!found) throw new Error(`no ${shape} from ${from}`);
  return found;
}

function changed(sample: Sample, change: Partial<Sample>): RealMeasurement {
  return { ...good, samples: good.samples.map((s) => (s.id === sample.id ? { ...s, ...change } : s)) };
}

const failure = { status: 503, error: 'status 503: no', idc: '', instance: '' } as const;

/** With one execution more, at an instance. */
function executed(m: RealMeasurement, { id, call }: Sample, instance: string, from: number, to: number) {
  const method = call?.kind === 'tcp' ? 'TCP' : (call?.method ?? 'GET');
  const ended = { at: to, answered: true, received: 0, sent: 0 };
  const entry: UpstreamEntry = { at: from, id, method, path: '/', leaked: [], ended };
  const entries = new Map(m.entries).set(instance, [...(m.entries.get(instance) ?? []), entry]);
  const inbound = m.access.find((line) => line.listener === 'inbound') as AccessLine;
  // It came through its sidecar: what is wrong with it is that it was executed again.
  const crossing = m.access.filter(({ listener, trail }) => listener === 'peer' && trail !== '').slice(0, 1);
  const leaving = m.access.filter(({ listener }) => listener === 'sidecar').slice(0, 1);
  const way = instance.startsWith('sh-b/') ? [...crossing, ...leaving] : [];
  const lines = [{ ...inbound, proxy: instance }, ...way].map((line) => ({ ...line, id }));
  const access = call?.kind === 'tcp' ? m.access : [...m.access, ...lines];
  return { ...m, entries, access };
}

/** The request was never at an instance, and its line says so. */
function neverThere(m: RealMeasurement, { id }: Sample, line: Partial<AccessLine>): RealMeasurement {
  const entries = new Map(
    [...m.entries].map(([name, list]) => [name, list.filter((entry) => entry.id !== id)] as const),
  );
  const access = m.access
    .filter((each) => each.id !== id || each.listener === 'outbound')
    .map((each) => (each.id === id ? { ...each, ...line } : each));
  return { ...m, entries, access };
}

t.test('a drill in which all went well passes, and tells what failed with what died', async (t) => {
  t.strictSame(missed(good), []);
  t.match(measured(good, 'kill-failed'), /was being executed on what died \(.*POST 1/);
  t.match(measured(good, 'kill-failed'), /its answer from what died had begun \(GET 2\)/);
  t.match(measured(good, 'executed-once'), /POST \d+ of \d+/);
});

t.test('each row of the first half fails for its own reason', async (t) => {
  const get = first('GET', 10_000);
  const slow = first('GET, slow', 10_000);
  const twice = executed(good, get, 'sh-a/checkout-1', get.end + 10, get.end + 60);
  t.strictSame(missed(twice), ['executed-once'], 'one after the other');
  const both = executed(good, slow, 'sh-a/checkout-1', slow.due + 400, slow.end + 400);
  t.strictSame(missed(both), ['executed-once', 'overlaps']);
  const ejections = [{ proxy: 'sh-a/caller', cluster: 'egress', count: 1 }];
  t.strictSame(missed({ ...good, ejections }), ['ejections']);
  t.strictSame(missed({ ...good, askedProxies: 0 }), ['ejections'], 'nobody was asked');
  const cut = missed(changed(get, failure));
  t.ok(cut.includes('cut') && cut.includes('bodies'), String(cut));
  t.strictSame(missed(changed(first('events', 10_000), { gapMs: 1600 })), ['streams'], 'a late piece');
  const lost = changed(first('TCP, server ends', 10_000), { ...failure, status: 0 });
  t.strictSame(missed(lost), ['cut', 'tcp-bytes']);
});

t.test('a load that is not mixed shows nothing', async (t) => {
  const without = (wanted: (s: Sample) => boolean) =>
    realRows({ ...good, samples: good.samples.filter(wanted) }, kinds).find(({ id }) => id === 'mixed');
  t.match(
    without(({ call }) => call?.shape !== 'events'),
    { ok: false, measured: /no events/ },
  );
  t.match(without(({ call }) => (call?.workMs ?? 0) < 10_000)?.ok, false);
  t.match(without(({ call }) => (call?.answerBytes ?? 0) < 4 * 1024 * 1024)?.ok, false);
});

t.test('a fault that strikes nothing fails', async (t) => {
  const [kill, ...rest] = good.faults;
  if (!kill) throw new Error('no kill');
  const nobody = missed({ ...good, faults: [{ ...kill, struck: [] }, ...rest] });
  t.ok(nobody.includes('kill-effect'), String(nobody));
  t.strictSame(missed({ ...good, faults: [{ ...kill, healthyAt: Number.NaN }, ...rest] }), ['kill-again']);
});

t.test('requests that may be retried must be served, in each fault', async (t) => {
  for (const { kind, injected } of good.faults) {
    const slow = good.samples.find(
      (s) => s.call?.shape === 'GET, slow' && s.due < injected.from && s.end > injected.to,
    );
    if (!slow) throw new Error(`no slow GET in ${kind}`);
    t.strictSame(missed(changed(slow, failure)), [`${kind}-failed`], `${kind}: a GET that was executed`);
    const get = first('GET', injected.to);
    t.strictSame(missed(changed(get, failure)), [`${kind}-failed`], `${kind}: a GET that came after it`);
    const begun = changed(slow, {
      ...failure,
      status: 200,
      error: 'the answer was cut',
      end: injected.to + 100,
    });
    t.strictSame(missed(begun), [], `${kind}: but one whose answer had begun`);
  }
});

t.test('a POST may fail where it was sent to what died, and nowhere else', async (t) => {
  for (const { kind, injected } of good.faults) {
    const row = `${kind}-failed`;
    const post = first('POST', injected.to);
    const there = { upstream: 'sh-a/checkout-1:8080', flags: 'UC', status: 503, at: injected.to + 100 };
    const failed = changed(post, { ...failure, call: { ...(post.call as object), bodyBytes: 10 } as never });
    t.strictSame(missed(neverThere(failed, post, there)), [], `${kind}: sent there`);
    const late = { ...there, at: injected.to + 5000 };
    t.strictSame(missed(neverThere(failed, post, late)), [row], `${kind}: long after the injected`);
    const refused = { ...there, flags: 'UF,URX' };
    t.strictSame(missed(neverThere(failed, post, refused)), [row], `${kind}: never sent`);
    const elsewhere = { ...there, upstream: '127.1.0.21:10081' };
    t.strictSame(missed(neverThere(failed, post, elsewhere)), [row], `${kind}: sent elsewhere`);
    const big = changed(post, failure);
    t.strictSame(missed(neverThere(big, post, refused)), [], `${kind}: longer than what is kept`);
  }
  const healed = first('POST', 112_000);
  t.strictSame(missed(changed(healed, failure)), ['kill-failed'], 'healing is no excuse');
});

t.test('clients learn of a failure within 5 s', async (t) => {
  for (const { kind, injected } of good.faults) {
    const post = good.samples.find(
      (s) => s.call?.shape === 'POST' && s.due < injected.from && s.end > injected.from && s.error !== '',
    );
    if (!post) throw new Error(`no POST in ${kind}`);
    t.strictSame(missed(changed(post, { end: injected.from + 4900 })), []);
    t.strictSame(missed(changed(post, { end: injected.from + 5100 })), [`${kind}-told`]);
  }
});

t.test('TCP: new connections are lost to a stopped process alone', async (t) => {
  for (const { kind, injected } of good.faults) {
    const connection = first('TCP, server ends', injected.to + 2000);
    const m = missed(changed(connection, { ...failure, status: 0 }));
    t.strictSame(m, kind === 'stop' ? [] : [`${kind}-failed`], kind);
    const far = { ...good, faults: good.faults.map((each) => ({ ...each, struck: ['sh-a/checkout-1'] })) };
    const other = { ...far, samples: changed(connection, { ...failure, status: 0 }).samples };
    t.ok(missed(other).includes(`${kind}-failed`), 'and only of a Group that was struck');
  }
});

t.test('what is not idempotent is executed once, whatever is broken', async (t) => {
  const post = good.samples.find((s) => s.call?.shape === 'POST' && s.due < 120_000 && s.end > 120_000);
  if (!post) throw new Error('no POST was under way');
  t.strictSame(
    missed(executed(good, post, 'sh-b/checkout-1', 135_000, 135_300)),
    ['twice'],
    'also much later',
  );
  const tcp = first('TCP, server ends', 145_000);
  t.strictSame(missed(executed(good, tcp, 'sh-b/ledger-1', tcp.end + 10, tcp.end + 20)), ['twice']);
  // A stopped process goes on with its PUT when it is let: who has sent it again meanwhile has two.
  const put = good.samples.find((s) => s.call?.shape === 'PUT' && s.due < 120_000 && s.end > 120_000);
  if (!put) throw new Error('no PUT was under way');
  t.strictSame(missed(executed(good, put, 'sh-b/checkout-1', 122_000, 122_300)), ['overlaps']);
  const after = executed(good, put, 'sh-b/checkout-1', 131_000, 131_300);
  t.strictSame(missed(after), [], 'one after another is harmless');
});

t.test(
  'what fails between the first half and the first fault belongs to no fault, and is missed',
  async (t) => {
    const early = { ...good, healthyTo: 50_000 };
    t.strictSame(missed(early), []);
    const lost = changed(first('GET', 60_000), failure);
    t.strictSame(missed({ ...lost, healthyTo: 50_000 }), ['failed-else']);
  },
);

t.test('the control proves something only if hedging alone did it', async (t) => {
  const slow = first('GET, slow', 10_000);
  const against = (m: RealMeasurement) => realUnprotected(m, verdictOf(realRows(m, kinds)));
  t.match(against(good), ['no request was executed more than once', /overlapped/, 'no instance was ejected']);
  const hedged = {
    ...executed(good, slow, 'sh-a/checkout-1', slow.due + 400, slow.end + 400),
    ejections: [{ proxy: 'sh-a/caller', cluster: 'egress', count: 1 }],
  };
  t.strictSame(against(hedged), []);
  const broken = {
    ...hedged,
    samples: hedged.samples.map((s) => (s.call?.shape === 'GET' ? { ...s, ...failure } : s)),
  };
  t.match(against(broken), [/only 0 of \d+ quick GETs/]);
});

t.test('ejections are counted between two readings', async (t) => {
  const [before, after] = [
    new Map([['sh-a/caller egress', 2]]),
    new Map([
      ['sh-a/caller egress', 3],
      ['b/c d', 0],
    ]),
  ];
  t.strictSame(ejectedBetween(before, after), [{ proxy: 'sh-a/caller', cluster: 'egress', count: 1 }]);
});

t.test('the load has what the drill is about, from sidecars and from the edge', async (t) => {
  const all: CallShape[] = [...httpMix, ...grpcMix, ...tcpMix];
  const most = (pick: (s: CallShape) => readonly [number, number] | undefined) =>
    Math.max(...all.map((s) => pick(s)?.[1] ?? 0));
  t.equal(
    most((s) => s.workMs),
    20_000,
  );
  t.equal(
    most((s) => s.bodyBytes),
    8 * 1024 * 1024,
  );
  t.equal(
    most((s) => s.answerBytes),
    8 * 1024 * 1024,
  );
  t.equal(Math.min(...all.map((s) => s.workMs?.[0] ?? 1)), 0);
  t.same(new Set(all.map((s) => s.method ?? 'GET')), new Set(['GET', 'POST', 'PUT', 'DELETE']));
  const topology = planTopology({ id: 'abcdef', slot: 7, world: { idcs: ['sh-a', 'sh-b'], groups } });
  const loads = planLoads(topology, { http: 10, grpc: 5, tcp: 5 }, 1000);
  t.strictSame(
    loads.map(({ stream }) => stream),
    [
      ...['http-sidecar', 'http-edge', 'grpc-sidecar', 'grpc-edge'],
      ...['tcp-ledger', 'tcp-vault', 'quiet-sidecar', 'quiet-edge'],
    ],
  );
  t.not(loads[4]?.tiers[0]?.[0]?.port, loads[5]?.tiers[0]?.[0]?.port, 'TCP Groups are told apart by port');
});

t.test('faults are chosen by name; without `drop` no namespaces are made', async (t) => {
  const plan = (flags: Record<string, string>, unprotected = false) =>
    realDrill.plan({ flags, unprotected, quick: false });
  t.equal(plan({ faults: 'kill,stop,drop' }).world.net, 'sh-a');
  t.equal(plan({ faults: 'kill,stop' }).world.net, undefined);
  t.same(plan({ faults: 'stop' }).phases, { steady: 320, stop: 40, 'recovery: stop': 53 });
  const seconds = Object.values(plan({ faults: 'kill,stop,drop' }).phases).reduce((a, b) => a + b, 0);
  t.ok(seconds >= 595 && seconds <= 605, `${seconds} s`);
  t.throws(() => plan({ faults: 'flood' }), /no fault 'flood': use some of kill, stop, drop/);
  t.match(plan({ faults: 'kill' }, true).world, { traffic: { hedge: true } });
});
