import t, { type Test } from 'tap';
import { Rounds } from '../../../src/registry/kubernetes/joint/rounds.ts';
import { manualClock } from '../../support/manual-clock.ts';

function setup(t: Test) {
  const clock = manualClock();
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  const ends: (() => void)[] = [];
  let begun = 0;
  const round = () => {
    begun += 1;
    return new Promise<number>((resolve) => ends.push(() => resolve(1_000)));
  };
  const rounds = new Rounds({ clock, round }, stop.signal);
  /** Ends the round that is under way. */
  const end = async () => {
    ends.shift()?.();
    for (let turns = 0; turns < 5; turns += 1) await Promise.resolve();
  };
  return { clock, stop, rounds, end, begun: () => begun };
}

t.test('a pause follows each round', async (t) => {
  const { clock, rounds, end, begun } = setup(t);
  const first = rounds.start();
  t.equal(begun(), 1, 'the first at once');
  clock.pass(10_000);
  t.equal(begun(), 1, 'never two');
  await end();
  await first;
  clock.pass(999);
  t.equal(begun(), 1);
  clock.pass(1);
  t.equal(begun(), 2);
});

t.test('woken: sooner, and never later', async (t) => {
  const { clock, rounds, end, begun } = setup(t);
  void rounds.start();
  await end();
  rounds.wake(100);
  rounds.wake(500);
  clock.pass(100);
  t.equal(begun(), 2);
  rounds.wake();
  rounds.wake(50);
  clock.pass(50);
  t.equal(begun(), 2, 'not during a round');
  await end();
  clock.pass(0);
  t.equal(begun(), 3, 'after it');
  await end();
  clock.pass(999);
  t.equal(begun(), 3, 'once');
});

t.test('ended: none any more', async (t) => {
  const { clock, stop, rounds, end, begun } = setup(t);
  void rounds.start();
  stop.abort();
  await end();
  rounds.wake();
  clock.pass(10_000);
  await rounds.start();
  t.equal(begun(), 1);
});
