import t from 'tap';
import type { ScenarioMeasurement as Measurement } from '../../../src/drill/scenario/measurement.ts';
import { goodMeasurement, withAccess, withSamples } from '../fixture.ts';
import { judge } from './scenario-fixture.ts';

const ids = ['struck-instances-silent', 'struck-proxies-silent', 'outage-crossed'];

const good = goodMeasurement();
const injected = good.faults[0] as Measurement['faults'][number];
const missed = (m: Measurement, kind = 'kill') =>
  judge(m, kind)
    .rows.filter((row) => !row.ok && ids.includes(row.id))
    .map((row) => row.id);

/** The measurement with one more entry in an instance's log. */
function served(m: Measurement, name: string, at: number): Measurement {
  const entry = { at, id: 'caller-sh-a:600', method: 'GET', path: '/', leaked: [] };
  return { ...m, entries: new Map([...m.entries, [name, [...(m.entries.get(name) ?? []), entry]]]) };
}

t.test('struck parts are silent until healing', async (t) => {
  t.same(missed(good), []);
  t.same(missed(served(good, 'sh-a/checkout-1', 6000)), ['struck-instances-silent']);
  t.same(missed(served(good, 'sh-a/checkout-1', 9999)), ['struck-instances-silent']);
  const answer = { idc: 'sh-a', instance: 'sh-a/checkout-1' };
  const answered = withSamples(good, (s) => (s.due === 6000 ? answer : undefined));
  t.same(missed(answered), ['struck-instances-silent'], 'by what the answer says');
});

t.test('a fault that does nothing does not pass', async (t) => {
  const unbroken = {
    ...withAccess(
      withSamples(good, () => ({ idc: 'sh-a', instance: 'sh-a/checkout-1' })),
      (line) => (line.listener === 'outbound' ? undefined : null),
    ),
    entries: new Map([['sh-a/checkout-1', [...good.entries.values()].flat()]]),
  };
  t.same(missed(unbroken), ['struck-instances-silent', 'outage-crossed']);
  t.same(missed({ ...good, faults: [{ ...injected, struck: [] }] }), ['struck-instances-silent']);
  t.same(missed({ ...good, faults: [] }), ['struck-instances-silent', 'outage-crossed']);
  const spared = { ...good, entries: new Map([...good.entries, ['sh-a/catalog-1', []]]) };
  t.same(missed(spared), ['struck-instances-silent'], 'an instance of sh-a that nobody struck');
});

t.test('requests in flight at the fault, or answered after SIGCONT, do not count', async (t) => {
  t.same(missed(served(good, 'sh-a/checkout-1', injected.moment.to + 249)), []);
  t.same(missed(served(good, 'sh-a/checkout-1', good.healed.from)), []);
  const late = { idc: 'sh-a', instance: 'sh-a/checkout-1', end: good.healed.from + 5 };
  t.same(missed(withSamples(good, (s) => (s.due === 9990 ? late : undefined))), []);
});

t.test('`partial`: the hung instance of the other IDC is silent, and there is one', async (t) => {
  t.same(missed(good, 'partial'), ['struck-instances-silent']);
  const hung = {
    ...served(good, 'sh-b/checkout-2', 4000),
    faults: [{ ...injected, struck: [...injected.struck, 'sh-b/checkout-2'] }],
  };
  t.same(missed(hung, 'partial'), []);
  t.same(missed(served(hung, 'sh-b/checkout-2', 6000), 'partial'), ['struck-instances-silent']);
});

t.test('`gateway`: the killed gateways log nothing until they start again', async (t) => {
  const second = { claim: '', moment: { from: 7000, to: 7005 }, struck: ['sh-a/egress-2', 'sh-b/ingress-2'] };
  const gateway = { ...good, faults: [injected, second] };
  t.same(missed(gateway, 'gateway'), []);
  t.same(missed(good, 'gateway'), ['struck-proxies-silent'], 'none was killed');
  const alive = withAccess(gateway, (line) =>
    line.at === 8000 && line.listener === 'sidecar' ? { proxy: 'sh-a/egress-2' } : undefined,
  );
  t.same(missed(alive, 'gateway'), ['struck-proxies-silent']);
  const before = withAccess(gateway, (line) =>
    line.at === 6000 && line.listener === 'sidecar' ? { proxy: 'sh-a/egress-2' } : undefined,
  );
  t.same(missed(before, 'gateway'), []);
});

t.test('`site` needs no crossings: the clients of the edge go to the other IDC by themselves', async (t) => {
  const around = withAccess(good, (line) => (line.listener === 'peer' ? null : undefined));
  t.same(missed(around), ['outage-crossed']);
  t.notOk(missed(around, 'site').includes('outage-crossed'));
});
