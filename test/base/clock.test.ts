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
