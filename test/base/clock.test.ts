import { mock } from 'node:test';
import t from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';

t.test('sleep resolves after its delay', async (t) => {
  const start = systemClock.now();
  const keepAlive = setInterval(() => {}, 1000);
  await sleep(systemClock, 20);
  clearInterval(keepAlive);
  t.ok(systemClock.now() - start >= 19);
});

t.test('sleep rejects with the reason of the signal', async (t) => {
  const controller = new AbortController();
  const sleeping = sleep(systemClock, 60_000, controller.signal);
  controller.abort(new Error('enough'));
  await t.rejects(sleeping, { message: 'enough' });
});

t.test('a timer of more than 24.8 days fires when it is due, not at once', async (t) => {
  const fortyDays = 40 * 86_400_000;
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  let fired = 0;
  systemClock.after(fortyDays, () => {
    fired += 1;
  });
  const cancelled = systemClock.after(fortyDays, () => t.fail('it was cancelled'));
  // Its parts begin when the one before has ended, which here is at the end of an hour.
  const pass = (hours: number) => {
    for (let hour = 0; hour < hours; hour++) mock.timers.tick(3_600_000);
  };
  pass(39 * 24);
  t.equal(fired, 0);
  // Cancelled in its second part.
  cancelled.cancel();
  pass(25);
  t.equal(fired, 1);
  pass(40 * 24);
  t.equal(fired, 1);
});

t.test('on the real clock such a timer does not fire at once', async (t) => {
  const timer = systemClock.after(2 ** 31, () => t.fail('24.8 days have not passed'));
  await new Promise((resolve) => setTimeout(resolve, 100));
  timer.cancel();
});
