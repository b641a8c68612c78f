import t from 'tap';
import { NoAnswer, SilenceWatch } from '../../src/client/answers/silence.ts';
import { manualClock } from '../support/manual-clock.ts';

/** A wait for an answer, and what is asked for signs of life. */
function startWatch({
  heldMs,
  isAlive = false,
  silenceMsMax = 10_000,
}: {
  heldMs?: number;
  isAlive?: boolean;
  silenceMsMax?: number;
} = {}) {
  const clock = manualClock();
  const asked: number[] = [];
  const life = (held: number) => ({
    heldMs: held,
    async isAlive(withinMs: number) {
      asked.push(clock.now());
      if (!isAlive) clock.pass(withinMs);
      return isAlive;
    },
  });
  const watch = new SilenceWatch({
    ...{ silenceMsMax, wholeMsMax: 30_000, isConnected: () => true, clock },
    ...(heldMs === undefined ? {} : { life: life(heldMs) }),
  });
  /** Moves time on in small steps, with what follows from each. */
  const pass = async (ms: number) => {
    for (const end = clock.now() + ms; clock.now() < end && !watch.signal.aborted; ) {
      clock.pass(Math.min(100, end - clock.now()));
      for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { clock, watch, asked, pass, why: () => watch.signal.reason as NoAnswer | undefined };
}

t.test('one that gives no sign of life is given up after three seconds', async (t) => {
  const { clock, pass, why, asked } = startWatch({ heldMs: 0 });
  await pass(9_000);
  t.match(why(), { isSilence: true, message: /has not answered for 3 s: it hangs/ });
  t.equal(clock.now(), 3_000);
  t.strictSame(asked, [1_000]);
  // The control: without that question it is waited for as long as for any other.
  const other = startWatch();
  await other.pass(9_900);
  t.notOk(other.watch.signal.aborted);
  await other.pass(200);
  t.match(other.why()?.message, /has not answered for 10 s: it hangs/);
});

t.test('one that had no time to answer is not said to hang', async (t) => {
  const short = startWatch({ silenceMsMax: 300 });
  await short.pass(400);
  t.equal(short.why()?.message, 'it accepts connections and has not answered for 0.3 s');
  const long = startWatch({ silenceMsMax: 1_000 });
  await long.pass(1_100);
  t.match(long.why()?.message, /has not answered for 1 s: it hangs/, 'control');
});

t.test('the time for which it holds its answer on purpose is its own', async (t) => {
  const { clock, pass, asked, why } = startWatch({ heldMs: 2_000 });
  await pass(9_000);
  t.match(why(), { isSilence: true });
  t.equal(clock.now(), 5_000);
  t.strictSame(asked, [3_000]);
});

t.test('one that is alive has its whole time, and is not said to hang', async (t) => {
  const { clock, pass, why, asked } = startWatch({ heldMs: 0, isAlive: true });
  await pass(9_900);
  t.equal(why(), undefined);
  await pass(1_000);
  t.equal(why()?.message, 'it is alive and has not answered this for 10 s');
  t.equal(clock.now(), 10_000);
  t.strictSame(asked.slice(0, 3), [1_000, 4_000, 7_000]);
});

t.test('an answer that has begun is no silence', async (t) => {
  const { watch, pass, why, asked } = startWatch({ heldMs: 0 });
  await pass(900);
  watch.heard();
  await pass(9_900);
  t.equal(why(), undefined);
  t.strictSame(asked, []);
  await pass(200);
  t.equal(why()?.message, 'its answer has stopped for 10 s');
});

t.test('what came while this process stood still is read before it is late', async (t) => {
  const { clock, watch, why } = startWatch();
  clock.stall(20_000);
  // What the kernel has is read in the same turn.
  watch.heard();
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.equal(why(), undefined);
  const control = startWatch();
  control.clock.stall(20_000);
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.ok(control.why() instanceof NoAnswer, 'the control: nothing came');
});

t.test('one that is closed leaves nothing behind', async (t) => {
  const { clock, watch, pass } = startWatch({ heldMs: 0 });
  watch.close();
  t.equal(clock.pending, 0);
  await pass(40_000);
  t.notOk(watch.signal.aborted);
});
