import t, { type Test } from 'tap';
import { handOver } from '../../../src/xds/transport/handover.ts';
import { manualClock } from '../../support/manual-clock.ts';

/** When each of some connections was told to leave, in milliseconds after the first. */
async function leavings(t: Test, count: number, overMs: number): Promise<number[]> {
  const clock = manualClock();
  const at: number[] = [];
  const done = handOver(
    Array.from({ length: count }, () => () => void at.push(clock.now())),
    overMs,
    clock,
  );
  for (let ms = 0; at.length < count && ms < 100_000; ms += 1) {
    clock.pass(1);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await done;
  t.equal(at.length, count);
  return at;
}

t.test('connections leave 5 ms apart', async (t) => {
  const at = await leavings(t, 21, 15_000);
  t.equal(at[0], 0);
  for (const [i, ms] of at.entries()) t.ok(Math.abs(ms - 5 * i) <= 6, `number ${i} after ${ms} ms`);
});

t.test('many leave closer together, so that all have left in the time given', async (t) => {
  const at = await leavings(t, 1_000, 500);
  t.ok((at.at(-1) ?? 0) <= 506, `${at.at(-1)} ms`);
  t.ok((at[500] ?? 0) >= 240, 'and not all at first');
});

t.test('without time: all at once; and without connections', async (t) => {
  t.same(await leavings(t, 3, 0), [0, 0, 0]);
  t.same(await leavings(t, 0, 15_000), []);
  t.same(await leavings(t, 1, 15_000), [0]);
});
