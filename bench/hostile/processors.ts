import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

// Before this process itself has fewer.
const count = availableParallelism();

/**
 * Gives a process, with all its threads, the first half of the processors or the second; what it starts later inherits that. False
 * where there is one alone, or no `taskset`.
 */
export function pin(pid: number, half: 'first' | 'second'): boolean {
  if (count < 2) return false;
  const middle = Math.floor(count / 2);
  const list = half === 'first' ? `0-${middle - 1}` : `${middle}-${count - 1}`;
  try {
    execFileSync('taskset', ['-acp', list, String(pid)], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** What the main thread of a process has had of the processors since it began, and how long it waited for one, in milliseconds. */
export interface Share {
  readonly ranMs: number;
  readonly waitedMs: number;
}

/** Reads it (Linux, `/proc/PID/task/PID/schedstat`). */
export function shareOf(pid: number): Share {
  const [ran, waited] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ');
  return { ranMs: Number(ran) / 1e6, waitedMs: Number(waited) / 1e6 };
}
