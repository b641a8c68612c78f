import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
/** What the main thread of a process has had of the processors since it began, in milliseconds. */
export interface Share {
  readonly ranMs: number;
  /** How long it was ready to run and waited for a processor. */
  readonly waitedMs: number;
}

/** Reads it (Linux, `/proc/PID/task/PID/schedstat`). */
export function shareOf(pid: number): Share {
  const [ran, waited] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ');
  return { ranMs: Number(ran) / 1e6, waitedMs: Number(waited) / 1e6 };
}

// A clock tick of `/proc` on Linux (USER_HZ).
const tickMs = 10;

/**
 * Processor time in milliseconds, on all processors, of whatever is not this process or its descendants,
 * since some fixed time. Steps of 10 ms.
 */
export function othersRanMs(): number {
  // user, nice, system, idle, iowait, irq, softirq, steal: proc(5).
  const cpu = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0] as string;
  const [user, nice, system, , , irq, softirq, steal] = cpu.trim().split(/ +/).slice(1).map(Number);
  const all = [user, nice, system, irq, softirq, steal].reduce<number>((sum, one) => sum + (one ?? 0), 0);
  return tickMs * (all - ticksOf(process.pid));
}

/** Of a process and its descendants, those that have ended too. */
function ticksOf(pid: number): number {
  try {
    // utime, stime, cutime and cstime, fields 14 to 17; the command before them may have spaces.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    const own = fields.slice(11, 15).reduce((sum, one) => sum + Number(one), 0);
    const threads = readdirSync(`/proc/${pid}/task`);
    const children = threads.flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean),
    );
    return children.reduce((sum, child) => sum + ticksOf(Number(child)), own);
  } catch (error) {
    // It ended meanwhile: its parent counts it.
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return 0;
    throw error;
  }
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
