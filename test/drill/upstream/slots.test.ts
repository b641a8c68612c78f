import { join } from 'node:path';
import t from 'tap';
import { createSlots, leaveCold, takeCold } from '../../../src/drill/upstream/slots.ts';

// The clock's timers let a process end.
const alive = setInterval(() => {}, 1_000);
t.teardown(() => clearInterval(alive));

t.test('so many at once, the others in their order', async (t) => {
  const slots = createSlots(2);
  const done: number[] = [];
  const began = performance.now();
  await new Promise<void>((resolve) => {
    for (let n = 0; n < 6; n += 1)
      slots.work(20, () => {
        done.push(n);
        if (done.length === 6) resolve();
      });
    t.strictSame(done, []);
  });
  t.strictSame(done, [0, 1, 2, 3, 4, 5]);
  t.ok(performance.now() - began > 55, 'two at a time: three times 20 ms');
});

t.test('without a number each call has a worker of its own', async (t) => {
  const slots = createSlots();
  const began = performance.now();
  await Promise.all(
    Array.from({ length: 50 }, () => new Promise<void>((resolve) => slots.work(20, resolve))),
  );
  t.ok(performance.now() - began < 800, 'at once, not one after the other');
});

t.test('a start is cold once, when it was told so', async (t) => {
  const file = join(t.testdir(), 'cold.json');
  t.equal(takeCold(file), undefined);
  leaveCold(file, { factor: 10, calls: 250 });
  t.strictSame(takeCold(file), { factor: 10, calls: 250 });
  t.equal(takeCold(file), undefined, 'the next one is warm');
});
