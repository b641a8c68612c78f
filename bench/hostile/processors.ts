import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

// Before this process itself has fewer.
const count = availableParallelism();

/**
 * Gives a process, with all its threads, the first half of the processors or the second; what it starts later
 * inherits that. False where there is one alone, or no `taskset`.
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

/**
 * What the main thread of a process has had of the processors since it began, and how long it waited for one,
 * in milliseconds.
 */
export interface Share {
  readonly ranMs: number;
  readonly waitedMs: number;
  /**
   * What its other threads have had, which collect garbage and compile: where they share one processor, it
   * waits for them too.
   */
  readonly othersRanMs: number;
}

/** Reads it (Linux, `/proc/PID/task/PID/schedstat`). */
export function shareOf(pid: number): Share {
  const of = (thread: string) => {
    const [ran, waited] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    return { ranMs: Number(ran) / 1e6, waitedMs: Number(waited) / 1e6 };
  };
  const others = readdirSync(`/proc/${pid}/task`).filter((thread) => thread !== String(pid));
  return { ...of(String(pid)), othersRanMs: others.reduce((sum, thread) => sum + of(thread).ranMs, 0) };
}

/** How long the main thread waited for what is not its own process, at least, in milliseconds. */
export function waitedForOthers({ waitedMs, othersRanMs }: Share): number {
  return Math.max(0, waitedMs - othersRanMs);
}

/**
 * Lets a process run only while nobody else wants its processor (SCHED_IDLE). False where there is no `chrt`.
 * The lowest priority is not that: whoever wakes may wait for the slice of who computes.
 */
export function yieldAlways(pid: number): boolean {
  try {
    execFileSync('chrt', ['-i', '-a', '-p', '0', String(pid)], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
