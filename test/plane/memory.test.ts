import t from 'tap';
import { silentLogger } from '../../src/base/log.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { guardMemory } from '../../src/plane/memory.ts';
import { manualClock } from '../support/manual-clock.ts';

/** A guard of a heap of 1,000 bytes that is collected when the test says so. */
function story() {
  const clock = manualClock();
  let [bytes, collections, asked] = [0, 0, 0];
  let [filled, left, isVain] = [0, 0, false];
  const [shed, asks]: [string[], string[]] = [[], []];
  const held: boolean[] = [];
  const turned: (string | undefined)[] = [];
  const told: object[] = [];
  const guard = guardMemory({
    ...{ clock, logger: silentLogger, metrics: createMetrics('sh-a') },
    events: { note: (event) => void told.push(event) },
    heap: {
      limitBytes: 1_000,
      used: () => ({ bytes, collections }),
      filled: () => filled,
      collect() {
        asked += 1;
        collections += 1;
        if (filled > 0) bytes = filled = left;
      },
    },
    shed: (why, isUrgent) => !isVain && (isUrgent ? shed.push(why) : asks.push(why)) > 0,
    holdLarge: (isHeld) => void held.push(isHeld),
    readiness: { turnAway: (_, words) => void turned.push(words) },
  });
  t.teardown(() => guard.close());
  return {
    ...{ guard, clock, shed, asks, turned, held, told },
    asked: () => asked,
    /** So much is in the heap, of which a collection that is asked for leaves so much. */
    fill(bytes: number, live: number) {
      [filled, left] = [bytes, live];
    },
    /** Whether nothing can be ended. */
    vain(is: boolean) {
      isVain = is;
    },
    /** A collection leaves so much. */
    collected(left: number) {
      bytes = left;
      collections += 1;
      clock.pass(250);
    },
  };
}

t.test('one stream ends for each collection that leaves 92 % and more', async (t) => {
  const s = story();
  s.collected(849);
  s.guard.admit();
  s.collected(850);
  t.throws(() => s.guard.admit(), { code: 'exhausted', message: /nearly full/ });
  s.collected(919);
  t.equal(s.shed.length, 0, 'refused, and nobody ended');
  t.match(s.told, [{ kind: 'shed', phase: 'begin' }], 'and told once');
  t.equal(s.asks.length, 2, 'but who has many kinds of nodes');
  s.collected(920);
  t.match(s.shed, [/nearly full: 0 of 0 MiB are in use/]);
  s.clock.pass(5_000);
  t.equal(s.shed.length, 1, 'what that freed is not known yet');
  s.collected(930);
  t.equal(s.shed.length, 2);
  s.collected(600);
  s.guard.admit();
  t.match(s.turned, [/nearly full/, undefined]);
});

t.test('the heap is collected only while streams are refused', async (t) => {
  const s = story();
  s.collected(100);
  s.clock.pass(120_000);
  t.equal(s.asked(), 0);
  s.collected(860);
  s.clock.pass(121_000);
  t.equal(s.asked(), 4);
});

t.test('garbage is no load: who fills the heap with it is collected, and nobody refused', async (t) => {
  const s = story();
  for (let i = 0; i < 20; i += 1) {
    s.fill(970, 300);
    s.clock.pass(250);
    s.guard.admit();
  }
  t.equal(s.asked(), 20, 'collected at once');
  t.strictSame([s.shed, s.asks, s.turned, s.held], [[], [], [], []]);
});

t.test('from 92 % on large requests wait until it is known what is live', async (t) => {
  const s = story();
  s.fill(919, 300);
  s.clock.pass(1_000);
  t.strictSame(s.held, []);
  s.fill(930, 300);
  s.clock.pass(25);
  t.strictSame(s.held, [true]);
  t.equal(s.asked(), 0, 'V8 may collect by itself');
  s.clock.pass(500);
  t.equal(s.asked(), 1);
  t.strictSame(s.held, [true, false]);
  t.strictSame(s.turned, []);
  s.fill(930, 925);
  s.clock.pass(525);
  t.equal(s.shed.length, 1, 'it was load');
  t.strictSame(s.held, [true, false, true]);
  s.fill(925, 600);
  s.clock.pass(525);
  t.strictSame(s.held, [true, false, true, false], 'there is room again');
  t.equal(s.shed.length, 1);
});

t.test('a heap that is about to be full is collected at once, and all that is needed ends', async (t) => {
  const s = story();
  s.fill(970, 965);
  s.clock.pass(250);
  t.equal(s.shed.length, 1);
  s.fill(965, 940);
  s.clock.pass(25);
  t.equal(s.shed.length, 2);
  s.fill(940, 600);
  s.clock.pass(1_000);
  t.equal(s.shed.length, 2);
  s.guard.admit();
});

t.test('where nothing can end, nothing waits for that', async (t) => {
  const s = story();
  s.vain(true);
  s.fill(970, 965);
  s.clock.pass(10_000);
  t.equal(s.asked(), 1, 'nor is the heap collected again and again');
  t.equal(s.held.at(-1) ?? false, false);
  s.clock.pass(30_000);
  t.equal(s.asked(), 2);
});
