import t from 'tap';
import type { Clock } from '../../src/base/clock.ts';
import { createFlushQueue } from '../../src/xds/flush-queue.ts';

/** A clock that stands still but for what a flush is said to cost. */
function setup(costMs: number) {
  let time = 0;
  const timers: { at: number; fn: () => void }[] = [];
  const clock: Clock = {
    now: () => time,
    wall: () => time,
    after(delayMs, fn) {
      const timer = { at: time + delayMs, fn };
      timers.push(timer);
      return { cancel: () => void timers.splice(timers.indexOf(timer), 1) };
    },
  };
  const flushed: string[] = [];
  const push = createFlushQueue<string>(
    (item) => {
      flushed.push(item);
      time += costMs;
    },
    { clock, holdoffMsMax: 50, sliceMs: 10 },
  );
  /** Moves the clock to the next timer and runs it; false when there is none. */
  const next = () => {
    const timer = timers.sort((a, b) => a.at - b.at).shift();
    if (timer === undefined) return false;
    time = Math.max(time, timer.at);
    timer.fn();
    return true;
  };
  return { push, flushed, next, now: () => time };
}

t.test('idle: flushed at the end of the task, once however often it was marked', async (t) => {
  const { push, flushed } = setup(0);
  push.mark('a');
  push.mark('b');
  push.mark('a');
  t.same(flushed, [], 'the task may mark more');
  await Promise.resolve();
  t.same(flushed, ['a', 'b']);
});

t.test('busy: the next flush waits as long as the last one took', async (t) => {
  const { push, flushed, next, now } = setup(7);
  push.mark('a');
  await Promise.resolve();
  push.mark('a');
  push.mark('b');
  await Promise.resolve();
  t.same(flushed, ['a'], 'gathering');
  t.ok(next());
  t.equal(now(), 14 + 14, 'at 14, and two flushes of 7 each');
  t.same(flushed, ['a', 'a', 'b']);
});

t.test('busy: but never longer than the limit', async (t) => {
  const { push, flushed, next, now } = setup(500);
  push.mark('a');
  await Promise.resolve();
  push.mark('b');
  next();
  t.same(flushed, ['a', 'b']);
  t.equal(now(), 500 + 50 + 500);
});

t.test('a long flush yields in between, and loses nothing', async (t) => {
  const { push, flushed, next } = setup(6);
  for (const item of ['a', 'b', 'c', 'd', 'e']) push.mark(item);
  await Promise.resolve();
  t.same(flushed, ['a', 'b'], 'two slices of 6 ms');
  push.drop('d');
  push.mark('f');
  while (next());
  t.same(flushed, ['a', 'b', 'c', 'e', 'f']);
});

t.test('closed: nothing more', async (t) => {
  const { push, flushed } = setup(0);
  push.mark('a');
  push.close();
  push.mark('b');
  await Promise.resolve();
  t.same(flushed, []);
});
