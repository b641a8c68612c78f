import { execFileSync } from 'node:child_process';
import { markedPids } from './sweep.ts';

/**
 * Gives a drill's processes real-time priority (SCHED_RR, the lowest of it), as far as its user may (root,
 * with util-linux's chrt): a queue of some tens of milliseconds is to be the instances' own, and not the
 * machine's. Returns whether it did. For small loads alone: what they use the machine's other work does not
 * get.
 */
export function raiseToRealtime(drillId: string): boolean {
  try {
    for (const pid of markedPids(drillId)) {
      execFileSync('chrt', ['--all-tasks', '--rr', '--pid', '1', String(pid)], { stdio: 'ignore' });
    }
    return true;
  } catch {
    return false;
  }
}
