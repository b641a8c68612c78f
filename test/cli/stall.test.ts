import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import t from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
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
  // A busy machine adds stalls of its own.
  const here = /^computeWithoutEnd \(file:.*stall\.test\.ts:\d+\)$/;
  const told = () => stalls.find(({ stack }) => stack.some((line) => here.test(line)));
  await until('the stall is reported, with its stack', async () => told() !== undefined);
  t.ok((told()?.ms ?? 0) >= 1_500, `${told()?.ms} ms`);
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

t.test('each stop of the whole process is reported, although it stops the watchdog too', async (t) => {
  const url = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
  const program = `
    import { systemClock } from ${url('base/clock.ts')};
    import { watchEventLoop } from ${url('cli/process/stall.ts')};
    watchEventLoop(systemClock, ({ ms }) => console.log(ms), 400);
    setInterval(() => {}, 20);
    console.log('watching');
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  t.teardown(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  await until('it watches', async () => lines.includes('watching'));
  const reported = () => lines.filter((line) => Number(line) >= 900).length;
  // With one stop, the watchdog might by chance look before the main thread goes on.
  for (let stops = 1; stops <= 6; stops++) {
    await sleep(systemClock, 500);
    child.kill('SIGSTOP');
    await sleep(systemClock, 1_000);
    child.kill('SIGCONT');
    await until(`stop ${stops} is reported`, async () => reported() >= stops);
  }
});
