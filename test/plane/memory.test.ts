import t from 'tap';
import { silentLogger } from '../../src/base/log.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { guardMemory } from '../../src/plane/memory.ts';
import { manualClock } from '../support/manual-clock.ts';

/** A guard of a heap of 1,000 bytes that is collected when the test says so. */
function story() {
  const clock = manualClock();
  let [bytes, collections, asked] = [0, 0, 0];
  const [shed, asks]: [string[], string[]] = [[], []];
  const turned: (string | undefined)[] = [];
  const guard = guardMemory({
    ...{ clock, logger: silentLogger, metrics: createMetrics('sh-a') },
    heap: {
      limitBytes: 1_000,
      used: () => ({ bytes, collections }),
      collect() {
        asked += 1;
        collections += 1;
      },
    },
    shed: (why, isUrgent) => (isUrgent ? shed.push(why) : asks.push(why)) > 0,
    readiness: { turnAway: (_, words) => void turned.push(words) },
  });
  t.teardown(() => guard.close());
  return {
    ...{ guard, clock, shed, asks, turned },
    asked: () => asked,
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
