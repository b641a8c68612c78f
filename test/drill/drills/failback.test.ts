import t from 'tap';
import { phaseOf } from '../../../src/drill/judge/analysis.ts';
import { verdictOf } from '../../../src/drill/judge/verdict.ts';
import type { Sample } from '../../../src/drill/load/sample.ts';
import { switchesOf, worstSecondOf } from '../../../src/drill/scenario/bounds/sides.ts';
import { scenarioRows } from '../../../src/drill/scenario/bounds.ts';
import { judgeControl } from '../../../src/drill/scenario/control.ts';
import type { ScenarioMeasurement } from '../../../src/drill/scenario/measurement.ts';
import { goodMeasurement } from '../fixture.ts';
import { builtIn } from '../scenario/scenario-fixture.ts';

const [perSecond, endMs] = [100, 40_000];
const hosts = ['checkout.shop', 'catalog.shop'];

/**
 * Requests for both Groups by turn for 40 s: where each is served and how long it takes, by its Group and
 * when it is due.
 */
function measured(tell: (group: string, at: number) => readonly [idc: string, ms: number]) {
  const good = goodMeasurement();
  const [first] = good.samples as [Sample];
  const samples = Array.from({ length: (endMs * perSecond) / 1000 }, (_, number): Sample => {
    const due = (1000 * number) / perSecond;
    const group = (hosts[number % 2] as string).split('.')[0] as string;
    const [idc, ms] = tell(group, due);
    const id = `${first.stream}:${number}`;
    return { ...first, id, due, sent: due, end: due + ms, idc, instance: `${idc}/${group}-1` };
  });
  const [stream] = good.streams as [(typeof good.streams)[number]];
  const phases = [
    { name: 'steady', from: 0, to: 5_000 },
    { name: 'flapping', from: 5_000, to: 30_000 },
    { name: 'recovery', from: 10_000, to: 30_000 },
    { name: 'steady again', from: 30_000, to: endMs },
  ];
  return { ...good, samples, phases, streams: [{ ...stream, hosts, planned: samples.length }] };
}

const isBack = (at: number) => at >= 10_000 && at < 13_000;
const cold = (steps: number, step: number) =>
  measured((group, at) => ['sh-a', isBack(at) ? (group === 'checkout' ? steps : step) : 20]);
const flap = (times: number, atOnce: number) =>
  measured((group, at) => {
    const flaps = group === 'checkout' ? times : atOnce;
    const part = Math.floor((at - 5_000) / 2_000);
    return [at >= 5_000 && part < 2 * flaps && part % 2 === 0 ? 'sh-b' : 'sh-a', 5];
  });

const [coldSpec, flapSpec] = [builtIn('failback-cold').spec, builtIn('flap').spec];
const own = /^(worst-second|switches|share)-/;
const rowsOf = (m: ScenarioMeasurement, { worstSecond, switches, share }: typeof coldSpec.bounds) =>
  scenarioRows(m, { ...(worstSecond && { worstSecond }), ...(switches && { switches }), share }, []);
const missed = (m: ScenarioMeasurement, spec: typeof coldSpec) =>
  rowsOf(m, spec.bounds)
    .filter(({ id, ok }) => own.test(id) && !ok)
    .map(({ id }) => id);
const against = (m: ScenarioMeasurement, { bounds, control }: typeof coldSpec) =>
  (control ? judgeControl(m, verdictOf(rowsOf(m, bounds)), control) : ['none is stated']).filter(
    (text) => !text.startsWith('before'),
  );

t.test('the worst second, and changes of side', async (t) => {
  const m = cold(90, 400);
  t.equal(worstSecondOf(m, 'checkout', phaseOf(m, 'recovery')), 90);
  t.equal(worstSecondOf(m, 'catalog', phaseOf(m, 'recovery')), 400);
  t.equal(switchesOf(flap(1, 3), 'checkout', 'sh-a', { from: 0, to: endMs }), 2);
  t.equal(switchesOf(flap(1, 3), 'catalog', 'sh-a', { from: 0, to: endMs }), 6);
});

t.test('failback-cold: each row fails for its own reason', async (t) => {
  t.strictSame(missed(cold(90, 400), coldSpec), []);
  t.strictSame(missed(cold(210, 400), coldSpec), ['worst-second-checkout-catalog']);
  t.strictSame(missed(cold(20, 60), coldSpec), ['worst-second-catalog-steady']);
  t.strictSame(against(cold(390, 400), coldSpec), []);
  t.match(against(cold(90, 400), coldSpec), [/of checkout in the recovery/]);
  t.match(against(cold(60, 60), coldSpec), [/of catalog in the recovery/]);
});

t.test('flap: each row fails for its own reason', async (t) => {
  t.strictSame(missed(flap(1, 3), flapSpec), []);
  t.strictSame(missed(flap(2, 3), flapSpec), ['switches-checkout']);
  t.strictSame(missed(flap(1, 1), flapSpec), ['switches-catalog']);
  const away = { ...flap(1, 3), samples: flap(1, 3).samples.map((one) => ({ ...one, idc: 'sh-b' })) };
  t.ok(missed(away, flapSpec).includes('share-sh-a-steady-again'));
  t.strictSame(against(flap(3, 3), flapSpec), []);
  t.match(against(flap(1, 3), flapSpec), [/requests of checkout moved/]);
});
