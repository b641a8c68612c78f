import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { until } from '../support/mesh.ts';

const main = fileURLToPath(new URL('../support/kube/ends-with-me-main.ts', import.meta.url));

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Kills a process that has a child; the number of the child. */
async function killParent(t: Test, how: 'watched' | 'left'): Promise<number> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const parent = spawn(process.execPath, [main, how], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(parent.stdout, 'data');
  const pid = Number(line);
  t.teardown(() => {
    if (isThere(pid)) process.kill(pid, 'SIGKILL');
  });
  t.ok(isThere(pid));
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  return pid;
}

t.test('what a test has started ends with it, also by SIGKILL', async (t) => {
  const pid = await killParent(t, 'watched');
  await until('it has ended', () => !isThere(pid));
});

t.test('control: without that it stays', async (t) => {
  const pid = await killParent(t, 'left');
  const from = systemClock.now();
  await until('time has passed', () => systemClock.now() - from > 500);
  t.ok(isThere(pid));
});
