import t from 'tap';
import { arrivals } from '../../../src/drill/load/schedule.ts';

t.test('exactly rate × time arrivals, in order, inside the time', async (t) => {
  const times = arrivals(500, 3000, 7);
  t.equal(times.length, 1500);
  t.ok(times.every((at, i) => at >= 0 && at < 3000 && (i === 0 || at >= (times[i - 1] as number))));
});

t.test('the seed replays them, another seed does not', async (t) => {
  t.same(arrivals(100, 1000, 1), arrivals(100, 1000, 1));
  t.notSame(arrivals(100, 1000, 1), arrivals(100, 1000, 2));
});

t.test('gaps are those of a Poisson process: as spread out as they are long', async (t) => {
  const times = arrivals(1000, 20_000, 3);
  const gaps = [...times].slice(1).map((at, i) => at - (times[i] as number));
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
  t.ok(Math.abs(mean - 1) < 0.02, `mean ${mean}`);
  t.ok(Math.abs(deviation / mean - 1) < 0.05, `deviation over mean ${deviation / mean}`);
});
