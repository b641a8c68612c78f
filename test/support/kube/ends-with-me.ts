import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Lets a child end with this process, however that ends, SIGKILL included: a shell waits for the end of a
 * pipe that this process holds.
 */
export function endsWithMe(child: ChildProcess): void {
  if (child.pid === undefined) return;
  // In a session of its own: what ends this process may end its whole group.
  const watchdog = spawn('sh', ['-c', 'cat >/dev/null; kill -9 "$1" 2>/dev/null', 'sh', String(child.pid)], {
    ...{ detached: true, stdio: ['pipe', 'ignore', 'ignore'] },
  });
  watchdog.unref();
  (watchdog.stdin as unknown as { unref(): void }).unref();
  // Its number may be another one's by then.
  child.once('exit', () => watchdog.kill('SIGKILL'));
}
