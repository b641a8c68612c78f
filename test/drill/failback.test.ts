import t from 'tap';
import { phaseOf } from '../../src/drill/analysis.ts';
import { switchesOf, worstSecond } from '../../src/drill/drills/failback/shares.ts';
import {
  judgeCold,
  judgeColdControl,
  judgeFlap,
  judgeFlapControl,
} from '../../src/drill/drills/failback/verdict.ts';
import type { Sample } from '../../src/drill/sample.ts';
import { verdictOf } from '../../src/drill/verdict.ts';
import { goodMeasurement } from './fixture.ts';

const [perSecond, endMs] = [100, 40_000];
const hosts = ['checkout.shop', 'catalog.shop'];

/** Requests for both Groups by turn for 40 s: where each is served and how long it takes, by its Group and when it is due. */
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
    { name: 'recovery', from: 10_000, to: 30_000 },
    { name: 'steady again', from: 30_000, to: endMs },
  ];
  return { ...good, samples, phases, streams: [{ ...stream, hosts, planned: samples.length }] };
}

const isBack = (at: number) => at >= 10_000 && at < 13_000;
const cold = (steps: number, step: number) => ({
  ...measured((group, at) => ['sh-a', isBack(at) ? (group === 'checkout' ? steps : step) : 20]),
  ...{ backAt: 10_000, healthyAt: 11_000, realtime: true },
});
const flap = (times: number, atOnce: number) => ({
  ...measured((group, at) => {
    const flaps = group === 'checkout' ? times : atOnce;
    const part = Math.floor((at - 5_000) / 2_000);
    return [at >= 5_000 && part < 2 * flaps && part % 2 === 0 ? 'sh-b' : 'sh-a', 5];
  }),
  ...{ overAt: 30_000, realtime: true },
});
const own = ['one-step-hurts', 'worst-second', 'at-once-flaps', 'switches', 'home-again'];
const missed = (rows: ReturnType<typeof judgeCold>) =>
  rows.filter(({ id, ok }) => own.includes(id) && !ok).map(({ id }) => id);

t.test('the worst second, and changes of side', async (t) => {
  const m = cold(90, 400);
  t.equal(worstSecond(m, 'checkout', phaseOf(m, 'recovery')), 90);
  t.equal(worstSecond(m, 'catalog', phaseOf(m, 'recovery')), 400);
  t.equal(switchesOf(flap(1, 3), 'checkout', 'sh-a', { from: 0, to: endMs }), 2);
  t.equal(switchesOf(flap(1, 3), 'catalog', 'sh-a', { from: 0, to: endMs }), 6);
});

t.test('failback-cold: each row fails for its own reason', async (t) => {
  t.strictSame(missed(judgeCold(cold(90, 400))), []);
  t.strictSame(missed(judgeCold(cold(210, 400))), ['worst-second']);
  t.strictSame(missed(judgeCold(cold(20, 60))), ['one-step-hurts']);
  const against = (steps: number, step: number) =>
    judgeColdControl(cold(steps, step), verdictOf(judgeCold(cold(steps, step))));
  t.strictSame(against(390, 400), []);
  t.match(against(90, 400), [/kept all the same/]);
  t.match(against(60, 60), [/nothing was to be protected from/]);
});

t.test('flap: each row fails for its own reason', async (t) => {
  t.strictSame(missed(judgeFlap(flap(1, 3))), []);
  t.strictSame(missed(judgeFlap(flap(2, 3))), ['switches']);
  t.strictSame(missed(judgeFlap(flap(1, 1))), ['at-once-flaps']);
  const away = { ...flap(1, 3), samples: flap(1, 3).samples.map((one) => ({ ...one, idc: 'sh-b' })) };
  t.ok(missed(judgeFlap(away)).includes('home-again'));
  const against = (times: number) => judgeFlapControl(flap(times, 3), verdictOf(judgeFlap(flap(times, 3))));
  t.strictSame(against(3), []);
  t.match(against(1), [/kept all the same/]);
});
