import t from 'tap';
import { Repeats, repeatLimits } from '../../src/events/repeats.ts';
import { manualClock } from '../support/manual-clock.ts';

function setup() {
  const clock = manualClock();
  const told: [string, number][] = [];
  const repeats = new Repeats<string>(clock, (one, count) => void told.push([one, count]));
  return { clock, repeats, told: () => told.splice(0) };
}

t.test('a thousand proxies that refuse the same are two events', async (t) => {
  const { clock, repeats, told } = setup();
  for (let i = 0; i < 1_000; i += 1) repeats.add('same', `proxy-${i}`);
  repeats.add('other', 'proxy-0');
  t.strictSame(told(), [
    ['proxy-0', 1],
    ['proxy-0', 1],
  ]);
  clock.pass(repeatLimits.windowMs);
  t.strictSame(told(), [['proxy-999', 999]]);
  clock.pass(repeatLimits.windowMs);
  t.strictSame(told(), [], 'and nothing as long as nothing comes');
  t.equal(clock.pending, 0);
  repeats.add('same', 'proxy-1');
  t.strictSame(told(), [['proxy-1', 1]]);
});

t.test('what is remembered is bounded', async (t) => {
  const { clock, repeats, told } = setup();
  for (let i = 0; i < 10 * repeatLimits.keys; i += 1) repeats.add(`reason ${i}`, `${i}`);
  t.equal(told().length, 10 * repeatLimits.keys);
  t.equal(clock.pending, repeatLimits.keys);
});
