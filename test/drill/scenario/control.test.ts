import t from 'tap';
import type { Sample } from '../../../src/drill/load/sample.ts';
import { judgeControl } from '../../../src/drill/scenario/control.ts';
import type { Control } from '../../../src/drill/scenario/document/document.ts';
import type { ScenarioMeasurement as Measurement } from '../../../src/drill/scenario/measurement.ts';
import { goodMeasurement, withAccess, withSamples } from '../fixture.ts';
import { judge, outage } from './scenario-fixture.ts';

const good = goodMeasurement();
const lost = { status: 503, idc: '', instance: '', error: 'status 503' };

/** sh-a out, nobody helps: all that was due from the fault until it was back fails. */
function unprotected(fails = (s: Sample) => s.due >= 5000 && s.due < 10_800): Measurement {
  const samples = withSamples(good, (s) =>
    fails(s) ? lost : { idc: 'sh-a', instance: 'sh-a/checkout-1', status: 200, error: '' },
  );
  const alone = withAccess(samples, (line) => (line.listener === 'outbound' ? undefined : null));
  return { ...alone, crossing: false, entries: new Map([...good.entries, ['sh-b/checkout-1', []]]) };
}
const against = (m: Measurement) => judgeControl(m, judge(m), outage('kill').spec.control as Control);

t.test('the negative control must fail for the right reason', async (t) => {
  t.same(against(unprotected()), []);
  t.equal(judge(unprotected()).passed, false);
  t.match(against(good), [
    /^Requests that succeed: 100 %/,
    /^only 0 of/,
    /requests crossed/,
    /another IDC served/,
  ]);
});

t.test('one failed request, or half of them, proves nothing', async (t) => {
  t.match(against(unprotected((s) => s.due === 6000)), [
    /^Requests that struck instances served/,
    /^only 1 of 499 requests failed/,
  ]);
  const half = unprotected((s) => s.due >= 5000 && s.due < 10_000 && (s.due / 10) % 2 === 0);
  t.match(against(half), [/^Requests that struck instances served/, /^only 249 of 499 requests failed/]);
});

t.test('what waited until healing was not served in the outage', async (t) => {
  // Each second request fails, the others hang until the instances go on; one had failed at least.
  const m = unprotected((s) => s.due >= 5000 && s.due < 10_000 && (s.due / 10) % 2 === 0);
  const waiting = (end: number) =>
    withSamples(m, (s) => (s.due >= 5000 && s.due < 10_000 && s.status === 200 ? { end } : undefined));
  t.notOk(against(waiting(10_100)).some((why) => why.startsWith('only')));
  t.ok(against(waiting(9_900)).some((why) => why.startsWith('only')));
});

t.test('a world that was broken before the fault proves nothing', async (t) => {
  const early = unprotected((s) => s.due < 100 || (s.due >= 5000 && s.due < 10_000));
  t.match(against(early), [/^before the outage only 98\.\d+ % of \d+ requests succeeded$/]);
  t.match(against(unprotected(() => true)), [/^before the outage only 0 %/]);
});

t.test('no instance of the other IDC may have served, whatever the gateways log', async (t) => {
  const m = unprotected();
  const entry = { at: 6000, id: 'caller-sh-a:600', method: 'GET', path: '/', leaked: [] };
  t.match(against({ ...m, entries: new Map([...m.entries, ['sh-b/checkout-1', [entry]]]) }), [
    'instances of another IDC served 1 times',
  ]);
  const steady = withSamples(m, (s) => (s.due === 1000 ? { idc: 'sh-b' } : undefined));
  t.match(against(steady), ['instances of another IDC served 1 times']);
  t.same(against({ ...m, faults: [] }), ['nothing was broken']);
});

t.test('of rows in a list one must be missed', async (t) => {
  const control = { off: 'all', proves: 'it', unbroken: true, misses: [['success-rate', 'tries']] };
  const m = unprotected();
  t.same(judgeControl(m, judge(m), control), []);
  t.match(judgeControl(good, judge(good), control), [/^Requests that succeed/, /^Most tries/]);
});

t.test('a protection that is off may be needed even before the fault', async (t) => {
  const m = unprotected(() => true);
  const control = { off: 'all', proves: 'it', misses: ['success-rate'] };
  t.match(judgeControl(m, judge(m), control), [/^before the outage only 0 %/]);
  t.same(judgeControl(m, judge(m), { ...control, fromTheStart: true }), []);
});
