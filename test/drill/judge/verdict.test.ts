import t from 'tap';
import { isolationChecks } from '../../../src/drill/measure/isolation.ts';
import type { ScenarioMeasurement as Measurement } from '../../../src/drill/scenario/measurement.ts';
import { goodMeasurement, withAccess, withSamples } from '../fixture.ts';
import { judge } from '../scenario/scenario-fixture.ts';

const good = goodMeasurement();
const missed = (m: Measurement) =>
  judge(m)
    .rows.filter((row) => !row.ok)
    .map((row) => row.id);
const measuredOf = (m: Measurement, id: string) => judge(m).rows.find((row) => row.id === id)?.measured ?? '';

t.test('a drill in which all went well passes', async (t) => {
  t.same(missed(good), []);
  t.equal(judge(good).passed, true);
});

t.test('one failed request of 2,000 fails it, and does not read as 100 %', async (t) => {
  const m = withSamples(good, (s) =>
    s.id === 'caller-sh-a:700' ? { status: 503, error: 'status 503' } : undefined,
  );
  t.same(missed(m), ['success-rate']);
  t.match(measuredOf(m, 'success-rate'), /^99\.950 % \(1 of 2000 failed, first in outage: status 503\)/);
});

t.test('a failure in recovery is a failed failback as well', async (t) => {
  const m = withSamples(good, (s) =>
    s.id === 'caller-sh-a:1200' ? { status: 0, error: 'reset' } : undefined,
  );
  t.same(missed(m), ['success-rate', 'failback-failed']);
});

/** The same, of a Group that asks for hedging. */
const hedged = { ...good, hedging: ['checkout.shop'] };

t.test('the p99 of the outage, where nothing is declared and where a Group asks for hedging', async (t) => {
  const slow = (s: { due: number }) => s.due >= 5000 && s.due < 5100;
  const all = (m: typeof good, ms: number) =>
    withSamples(m, (s) => (slow(s) ? { end: s.due + ms } : undefined));
  t.same(missed(all(good, 2001)), ['outage-p99']);
  t.same(missed(all(good, 1999)), []);
  // Nobody asks for a host that declares nothing: that row has nothing to judge, and does not pass.
  t.same(missed(all(hedged, 601)), ['outage-p99', 'hedged-outage-p99']);
  t.same(missed(all(hedged, 599)), ['outage-p99']);
  t.match(measuredOf(all(hedged, 599), 'hedged-outage-p99'), '599.0 ms (caller-sh-a)');
});

t.test('the p50 of the outage against the steady one', async (t) => {
  const inOutage = (s: { due: number }) => s.due >= 5100 && s.due < 10_000;
  const m = withSamples(good, (s) => (inOutage(s) ? { end: s.due + 13.5 } : undefined));
  t.ok(missed(m).includes('outage-p50'));
  t.notOk(
    missed(withSamples(good, (s) => (inOutage(s) ? { end: s.due + 9 } : undefined))).includes('outage-p50'),
  );
});

/** The measurement with one request slow and tried twice by the egress. */
function delayed(due: number, m = good): Measurement {
  const slow = withSamples(m, (s) => (s.due === due ? { end: due + 50 } : undefined));
  const id = `caller-sh-a:${due / 10}`;
  return withAccess(slow, (line) =>
    line.id === id && line.listener === 'sidecar' ? { attempts: 2 } : undefined,
  );
}

t.test('the last request that the outage delayed, measured from the fault', async (t) => {
  t.same(missed(delayed(7990)), []);
  t.same(missed(delayed(8010)), ['last-slow']);
  t.match(measuredOf(delayed(8010), 'last-slow'), /^3\.01 s/);
});

t.test('a single slow request does not count as outage, but is reported', async (t) => {
  const m = withSamples(good, (s) => (s.due === 9000 ? { end: s.due + 50 } : undefined));
  t.same(missed(m), []);
  t.match(measuredOf(m, 'last-slow'), /for any cause: 11, the last after 4\.00 s/);
});

t.test('when most requests are slow together, it is the outage', async (t) => {
  const slow = (share: number) =>
    withSamples(good, (s) =>
      s.due >= 8500 && s.due < 9000 && (s.due / 10) % 10 < share ? { end: s.due + 11 } : undefined,
    );
  t.same(missed(slow(5)), []);
  t.same(missed(slow(6)), ['last-slow']);
});

t.test('after a second fault the clock starts again', async (t) => {
  t.same(missed(delayed(9000)), ['last-slow']);
  const faults = [
    ...good.faults,
    { claim: 'kill -9 of gateways', moment: { from: 7000, to: 7005 }, struck: [] },
  ];
  t.same(missed({ ...delayed(9000), faults }), []);
});

t.test('requests in flight at a fault count as delayed by that fault', async (t) => {
  const faults = [
    ...good.faults,
    { claim: 'kill -9 of gateways', moment: { from: 8020, to: 8025 }, struck: [] },
  ];
  t.same(missed(delayed(8010)), ['last-slow']);
  t.same(missed({ ...delayed(8010), faults }), []);
});

t.test('failing back', async (t) => {
  const never = withSamples(good, (s) => (s.due >= 11_000 ? { idc: 'sh-b' } : undefined));
  t.ok(missed(never).includes('failback'));
  t.equal(measuredOf(never, 'failback'), 'not back by the end');
  t.match(measuredOf(good, 'failback'), /^0\.20 s \(1\.00 s after healing began; steady share 100 %\)/);
  const relapse = withSamples(good, (s) => (s.due >= 17_000 && s.due < 17_300 ? { idc: 'sh-b' } : undefined));
  t.match(measuredOf(relapse, 'failback'), /7\.50 s after healing/, 'back is back for good');
  const healed = { from: 10_499, to: 10_500 };
  t.match(
    measuredOf({ ...good, healed }, 'failback'),
    /^0\.20 s/,
    'a last window of 1 ms with nothing in it',
  );
  t.ok(missed({ ...good, healthyAt: Number.NaN }).includes('failback'), 'never healthy');
});

t.test('crossings: too many, hidden, or round in a circle', async (t) => {
  const peer = (change: object) =>
    withAccess(good, (line) =>
      line.listener === 'peer' && line.id === 'caller-sh-a:600' ? change : undefined,
    );
  t.same(missed(peer({ trail: 'sh-a,sh-b,sh-a' })), ['crossings']);
  t.same(missed(peer({ trail: '' })), ['crossings']);
  const back = {
    ...good.access.find((line) => line.listener === 'peer' && line.id === 'caller-sh-a:600'),
    proxy: 'sh-a/ingress-1',
    idc: 'sh-a',
  };
  const circle = { ...good, access: [...good.access, back as Measurement['access'][number]] };
  t.ok(missed(circle).includes('circles'));
});

t.test('tries at instances', async (t) => {
  const entry = { at: 0, id: 'caller-sh-a:600', method: 'GET', path: '/', leaked: [] };
  const tried = (more: number) => ({
    ...good,
    entries: new Map(good.entries).set(
      'sh-a/catalog-1',
      Array.from({ length: more }, () => entry),
    ),
  });
  t.notOk(missed(tried(7)).includes('tries'));
  t.ok(missed(tried(8)).includes('tries'));
});

t.test('event → ACK: too slow, or of too little', async (t) => {
  const acks = (change: object) => ({
    ...good,
    acks: [{ ...(good.acks[0] as Measurement['acks'][number]), ...change }],
  });
  t.same(missed(acks({ p50Ms: 20.1 })), ['ack-p50']);
  t.same(missed(acks({ p99Ms: 101 })), ['ack-p99']);
  t.same(missed(acks({ count: 269 })), ['ack-p50', 'ack-p99'], 'a proxy of three took no edits');
  t.same(missed(acks({ count: 270 })), []);
  t.same(missed(acks({ proxies: 0 })), ['ack-p50', 'ack-p99']);
  t.same(missed({ ...good, edits: 50 }), ['ack-p50', 'ack-p99']);
  t.same(missed({ ...good, acks: [] }), ['ack-p50', 'ack-p99']);
});

t.test('isolation and headers that reached an application', async (t) => {
  const found = { claim: 'isolated', ok: false, detail: 'knows 127.2.' };
  t.same(missed({ ...good, isolation: { ...good.isolation, control: found } }), ['isolation-control']);
  const { control, ...rest } = good.isolation;
  t.same(missed({ ...good, isolation: rest }), ['isolation-control'], 'what was not looked at');
  t.equal(missed({ ...good, isolation: {} }).length, isolationChecks.length);
  const entries = new Map(
    [...good.entries].map(([name, list], i) => [
      name,
      list.map((entry, j) => (i === 0 && j === 0 ? { ...entry, leaked: ['x-isthmus-trail'] } : entry)),
    ]),
  );
  t.same(missed({ ...good, entries }), ['no-leaked-headers']);
});

t.test('a bound without a measurement is missed', async (t) => {
  const nothing = { ...good, samples: [], access: [], entries: new Map(), counters: [] };
  for (const id of ['success-rate', 'outage-p99', 'outage-p50', 'failback', 'tries']) {
    t.ok(missed(nothing).includes(id), id);
  }
});

t.test('a site that dies takes with it what was in flight inside, and nothing else', async (t) => {
  const dying = { target: '127.1.0.11:10080', status: 0, idc: '', instance: '', error: 'socket hang up' };
  const site = (change: object) => ({
    ...withSamples(good, (s) =>
      s.id === 'caller-sh-a:500'
        ? { ...dying, sent: 5002, end: 5009, connectedAt: 100, ...change }
        : undefined,
    ),
    lostSite: { prefix: '127.1.', died: { from: 5000, to: 5010 } },
  });
  t.equal(judge(site({})).rows.find((row) => row.id === 'success-rate')?.ok, true);
  t.match(measuredOf(site({}), 'success-rate'), /not counted: 1 in flight/);
  for (const [what, change] of Object.entries({
    'sent when the site was long gone': { sent: 5200, end: 5300 },
    'on a connection made after the fault': { connectedAt: 5020 },
    'to the other site': { target: '127.2.0.11:10080' },
    'ended before the fault': { sent: 4000, end: 4500 },
  })) {
    t.ok(missed(site(change)).includes('success-rate'), what);
  }
  const refused = { sent: 5004, end: 5005, connectedAt: 0, target: '127.1.0.91:15001' };
  t.ok(missed(site(refused)).includes('success-rate'), 'a client that lives on has to be served');
  const ofTheDead = (change: object) => {
    const m = site({ ...refused, ...change });
    const killed = { from: 5008, to: 5008 };
    return {
      ...m,
      streams: m.streams.map((one) => (one.stream === 'caller-sh-a' ? { ...one, killed } : one)),
    };
  };
  t.match(
    measuredOf(ofTheDead({}), 'success-rate'),
    /not counted: 1 in flight/,
    'one that died with the site was inside',
  );
  t.notMatch(measuredOf(ofTheDead({ sent: 4000, end: 4500 }), 'success-rate'), /not counted: 1 in flight/);
  const { lostSite, ...kill } = site({});
  t.ok(missed(kill).includes('success-rate'), 'other outages excuse nothing');
});

t.test('a request that waited past its limit before a later fault counts from the earlier one', async (t) => {
  const second = { claim: 'kill -9 of gateways', moment: { from: 8700, to: 8705 }, struck: [] };
  const waiting = (due: number, end: number) => ({
    ...withSamples(hedged, (s) => (s.due === due ? { end } : undefined)),
    faults: [...good.faults, second],
  });
  t.ok(missed(waiting(8090, 8800)).includes('last-slow'), 'due 610 ms before the second injected');
  t.notOk(missed(waiting(8110, 8800)).includes('last-slow'), 'within its limit');
});

t.test('what took longer than the p99 may be counts, alone and at the first try', async (t) => {
  const alone = (m: typeof good, ms: number) =>
    withSamples(m, (s) => (s.due === 8010 ? { end: s.due + ms } : undefined));
  t.same(missed(alone(good, 2001)), ['last-slow']);
  t.same(missed(alone(good, 1999)), []);
  t.ok(missed(alone(hedged, 601)).includes('last-slow'));
  t.notOk(missed(alone(hedged, 599)).includes('last-slow'));
});

t.test('the p99 of recovery, from healing on', async (t) => {
  const slow = (from: number, to: number) =>
    withSamples(good, (s) => (s.due >= from && s.due < to ? { end: s.due + 2001 } : undefined));
  t.same(missed(slow(10_100, 10_160)), ['recovery-p99'], '6 of 490');
  t.same(missed(slow(10_100, 10_140)), [], '4 of 490');
  t.match(measuredOf(slow(10_100, 10_140), 'recovery-p99'), /slowest of all 2001\.0 ms/);
  t.same(missed(slow(15_000, 15_060)), [], 'steady again');
});

t.test('a load that is never served is not hidden by others', async (t) => {
  const facts = good.streams[0] as Measurement['streams'][number];
  const edge = good.samples
    .filter((s) => s.due >= 5000 && s.due < 5500)
    .map((s) => ({
      ...s,
      id: s.id.replace('caller-sh-a', 'edge'),
      stream: 'edge',
      status: 503,
      error: '503',
    }));
  const m = {
    ...good,
    samples: [...good.samples, ...edge],
    streams: [facts, { ...facts, stream: 'edge' }],
  };
  t.match(measuredOf(m, 'outage-p99'), 'nothing measured (edge)');
  t.ok(missed(m).includes('outage-p99'));
  // Served in the outage, but not in the steady phase: there is nothing to hold its p50 against.
  const served = { ...m, samples: m.samples.map((s) => ({ ...s, status: 200, error: '' })) };
  t.notOk(missed(served).includes('outage-p99'));
  t.match(measuredOf(served, 'outage-p50'), 'nothing measured');
  t.ok(missed(served).includes('outage-p50'));
});

t.test('each load is served at home while nothing is broken', async (t) => {
  const away = (from: number, count: number) =>
    withSamples(good, (s) =>
      s.due >= from && s.due < from + 10 * count ? { idc: 'sh-b', instance: 'sh-b/checkout-1' } : undefined,
    );
  t.ok(missed(away(1000, 6)).includes('home'), '6 of 500');
  t.notOk(missed(away(1000, 5)).includes('home'));
  t.ok(missed(away(16_000, 6)).includes('home'), 'in the second steady phase');
  t.match(measuredOf(away(16_000, 6), 'home'), '98.800 % (caller-sh-a in steady again)');
});

t.test('`site`: callers in the other IDC must not notice', async (t) => {
  const facts = good.streams[0] as Measurement['streams'][number];
  const site = (change: (s: Measurement['samples'][number]) => object | undefined) => ({
    ...withSamples(good, (s) => ({ stream: 'caller-sh-b', ...change(s) })),
    streams: [{ ...facts, stream: 'caller-sh-b', idc: 'sh-b' }],
  });
  const unaware = (m: Measurement, kind = 'site') =>
    judge(m, kind).rows.find((row) => row.id === 'unaware')?.ok;
  const quick = (s: { due: number }) => ({ end: s.due + 4 });
  t.equal(unaware(site(quick)), true);
  const slow = (ms: number, steady = 4) =>
    site((s) => ({ end: s.due + (s.due >= 5000 && s.due < 5100 ? ms : steady) }));
  t.equal(unaware(slow(49)), true);
  t.equal(unaware(slow(51)), false);
  t.equal(unaware(slow(59, 30)), true, 'twice a slow steady phase');
  t.equal(unaware(slow(61, 30)), false);
  t.equal(unaware(site((s) => (s.due === 6000 ? { status: 503, error: '503' } : quick(s)))), false);
  t.equal(unaware(good, 'kill'), undefined, 'of other outages nothing is said');
  t.equal(unaware(good), false, 'nobody called');
});
