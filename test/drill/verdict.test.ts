import t from 'tap';
import { isolationChecks } from '../../src/drill/isolation.ts';
import type { Measurement } from '../../src/drill/measurement.ts';
import { judge } from '../../src/drill/verdict.ts';
import { goodMeasurement, withAccess, withSamples } from './fixture.ts';

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

t.test('the p99 of the outage', async (t) => {
  const slow = (s: { due: number }) => s.due >= 5000 && s.due < 5100;
  const m = withSamples(good, (s) => (slow(s) ? { end: s.due + 601 } : undefined));
  t.same(missed(m), ['outage-p99']);
  t.same(missed(withSamples(good, (s) => (slow(s) ? { end: s.due + 599 } : undefined))), []);
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

t.test('a hiccup of the machine is no symptom of the outage, but it is told', async (t) => {
  const m = withSamples(good, (s) => (s.due === 9000 ? { end: s.due + 50 } : undefined));
  t.same(missed(m), []);
  t.match(measuredOf(m, 'last-slow'), /whatever the cause: 11, the last after 4\.00 s/);
});

t.test('when most requests are slow together, it is the outage', async (t) => {
  const slow = (share: number) =>
    withSamples(good, (s) =>
      s.due >= 8500 && s.due < 9000 && (s.due / 10) % 10 < share ? { end: s.due + 11 } : undefined,
    );
  t.same(missed(slow(5)), []);
  t.same(missed(slow(6)), ['last-slow']);
});

t.test('after a second blow the clock starts again', async (t) => {
  t.same(missed(delayed(9000)), ['last-slow']);
  const faults = [
    ...good.faults,
    { claim: 'kill -9 of gateways', moment: { from: 7000, to: 7005 }, struck: [] },
  ];
  t.same(missed({ ...delayed(9000), faults }), []);
});

t.test('what was under way when a blow fell was delayed by that one', async (t) => {
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
    entries: new Map([...good.entries, ['sh-a/catalog-1', Array.from({ length: more }, () => entry)]]),
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
  t.same(missed(acks({ count: 99 })), ['ack-p50', 'ack-p99'], 'not every edit was ACKed by anybody');
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

t.test('nothing measured is nothing kept', async (t) => {
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
    outage: 'site' as const,
  });
  t.equal(judge(site({})).rows.find((row) => row.id === 'success-rate')?.ok, true);
  t.match(measuredOf(site({}), 'success-rate'), /apart: 1 in flight/);
  for (const [what, change] of Object.entries({
    'sent when the site was long gone': { sent: 5200, end: 5300 },
    'on a connection made after the blow': { connectedAt: 5020 },
    'to the other site': { target: '127.2.0.11:10080' },
    'ended before the blow': { sent: 4000, end: 4500 },
  })) {
    t.ok(missed(site(change)).includes('success-rate'), what);
  }
  t.ok(missed({ ...site({}), outage: 'kill' }).includes('success-rate'), 'other outages excuse nothing');
});
