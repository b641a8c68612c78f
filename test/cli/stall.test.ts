import t from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { type Stall, watchEventLoop } from '../../src/cli/process/stall.ts';
import { until } from '../support/mesh.ts';

/** Keeps the event loop, under a name that a stack shows. */
function computeWithoutEnd(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

t.test('a blocked event loop is reported, with its stack', async (t) => {
  const stalls: Stall[] = [];
  const watchdog = watchEventLoop(systemClock, (stall) => stalls.push(stall), 300);
  t.teardown(() => watchdog.close());
  // The thread must run before anything can be seen.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  stalls.length = 0;
  computeWithoutEnd(3_000);
  await until('the stall is reported', async () => stalls.length > 0);
  const [stall] = stalls;
  t.ok((stall?.ms ?? 0) >= 1_500, `${stall?.ms} ms`);
  const here = /^computeWithoutEnd \(file:.*stall\.test\.ts:\d+\)$/;
  t.ok(
    stall?.stack.some((line) => here.test(line)),
    stall?.stack.join('\n') ?? '',
  );
});

t.test('a running event loop is not reported', async (t) => {
  const stalls: Stall[] = [];
  const watchdog = watchEventLoop(systemClock, (stall) => stalls.push(stall), 10_000);
  t.teardown(() => watchdog.close());
  for (let i = 0; i < 10; i++) {
    computeWithoutEnd(100);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  t.same(stalls, []);
});
