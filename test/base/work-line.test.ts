import t from 'tap';
import type { Clock } from '../../src/base/clock.ts';
import { WorkLine } from '../../src/base/work-line.ts';

function* stepsOf(count: number): Iterable<number> {
  for (let i = 0; i < count; i += 1) yield i;
}

/** A clock of which each look takes a millisecond. */
function slowClock() {
  let now = 0;
  const due: (() => void)[] = [];
  const clock: Clock = {
    now: () => {
      now += 1;
      return now;
    },
    wall: () => now,
    after(_, fn) {
      due.push(fn);
      return { cancel() {} };
    },
  };
  return { clock, now: () => now, due };
}

t.test(
  'however many steps are to be done, a turn of the event loop has one slice, and each its turn',
  async (t) => {
    const { clock, now, due } = slowClock();
    const line = new WorkLine(clock);
    const done: number[] = [];
    for (let i = 0; i < 50; i++)
      line.add(
        stepsOf(i === 49 ? 5 : 100),
        () => i !== 7,
        () => void done.push(i),
      );
    t.equal(due.length, 1, 'one slice is due');
    let longest = 0;
    for (let turns = 0; due.length > 0; turns += 1) {
      const begin = now();
      for (const fn of due.splice(0)) fn();
      longest = Math.max(longest, now() - begin);
      if (turns === 60) t.same(done, [49], 'a short one is not behind all long ones');
    }
    t.ok(longest < 30, `${longest} ms`);
    t.equal(done.length, 49, 'what is not wanted any more is left');
  },
);
