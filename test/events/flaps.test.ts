import t from 'tap';
import { type Flapping, Flaps, flapLimits } from '../../src/events/flaps.ts';
import { manualClock } from '../support/manual-clock.ts';

function startFlaps() {
  const clock = manualClock();
  const told: string[] = [];
  const flaps = new Flaps<string>(clock, (phase, one, flapping?: Flapping) => {
    const often = flapping === undefined ? '' : ` ${flapping.times} in ${flapping.inMs}`;
    told.push(`${clock.now()} ${phase === 'begin' ? 'lost' : 'back'} ${one}${often}`);
  });
  return { clock, flaps, taken: () => told.splice(0) };
}

t.test('the first loss and its return are told at once', async (t) => {
  const { clock, flaps, taken } = startFlaps();
  flaps.begin('a', 'a1');
  t.strictSame(taken(), ['0 lost a1']);
  clock.pass(3);
  flaps.end('a', 'a2');
  flaps.begin('b', 'b1');
  t.strictSame(taken(), ['3 back a2', '3 lost b1'], 'each by itself');
  clock.pass(flapLimits.againMs);
  flaps.begin('a', 'a3');
  flaps.end('a', 'a4');
  t.strictSame(taken(), ['10003 lost a3', '10003 back a4'], 'long after that, again');
});

t.test('what flaps is told in one, once it is quiet', async (t) => {
  const { clock, flaps, taken } = startFlaps();
  for (let i = 0; i < 8; i += 1) {
    flaps.begin('a', `lost ${i}`);
    clock.pass(3);
    flaps.end('a', `back ${i}`);
    clock.pass(247);
  }
  t.strictSame(taken(), ['0 lost lost 0', '3 back back 0']);
  clock.pass(10_000);
  // The last change was at 1,753 ms, and the first of these at 250.
  t.strictSame(taken(), ['2753 back back 7 7 in 1503']);
  clock.pass(60_000);
  t.equal(clock.pending, 0);
});

t.test('one that stays lost after that is told so', async (t) => {
  const { clock, flaps, taken } = startFlaps();
  flaps.begin('a', '0');
  flaps.end('a', '1');
  clock.pass(500);
  flaps.begin('a', '2');
  taken();
  clock.pass(10_000);
  t.strictSame(taken(), ['1500 lost 2'], 'without a return there is no count');
  // It is back after a minute: that is news of its own.
  clock.pass(60_000);
  flaps.end('a', '3');
  t.strictSame(taken(), [`${clock.now()} back 3`]);
});

t.test('one that never stops is told from time to time', async (t) => {
  const { clock, flaps, taken } = startFlaps();
  for (let i = 0; i < 200; i += 1) {
    flaps.begin('a', 'x');
    flaps.end('a', 'x');
    clock.pass(200);
  }
  const all = taken();
  t.ok(all.length >= 5 && all.length <= 7, all.join('\n'));
  t.match(all[2], /^10200 (?:lost|back) x 50 in /);
});
