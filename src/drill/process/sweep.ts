import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { unmountDisks } from '../faults/disk.ts';
import { machineClock } from '../time.ts';

/** The environment variable that every process of a drill carries, and no other process. */
export const drillMark = 'ISTHMUS_DRILL';

/** What a drill leaves on the machine while it runs; all of it is named after its id. */
export interface DrillTraces {
  /** Unique among drills. */
  readonly id: string;
  /** Its folder of sockets, logs and configs. */
  readonly dir: string;
  /** Whether it made network namespaces and links. */
  readonly net: boolean;
}

/** Pids of all live processes that carry the mark of a drill. */
export function markedPids(id: string): number[] {
  const mark = `${drillMark}=${id}`;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && environmentOf(pid).includes(mark));
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
  } catch {
    // It has gone meanwhile, or is somebody else's.
    return [];
  }
}

/**
 * Removes everything a drill left: processes (SIGKILL), namespaces, links, disks, its folder. Found by mark
 * and name, not by a list that a crash may have cut short. Blocks; returns what could not be removed ([] if
 * all was).
 */
export function removeTraces(traces: DrillTraces): string[] {
  const deadline = machineClock.now() + 10_000;
  // Twice nothing: a child between fork and exec does not carry the mark yet.
  for (let empty = 0; empty < 2 && machineClock.now() < deadline; ) {
    const pids = markedPids(traces.id);
    empty = pids.length === 0 ? empty + 1 : 0;
    for (const pid of pids) killQuietly(pid);
    pause(20);
  }
  if (traces.net) sweepNetwork(traces.id);
  unmountDisks(traces.dir);
  rmSync(traces.dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  return markedPids(traces.id).map((pid) => `process ${pid}`);
}

/** Namespaces and links carry the drill's id in their names. Errors are left to the caller's next look. */
function sweepNetwork(id: string): void {
  for (const line of ip('netns', 'list').split('\n')) {
    const name = line.split(' ')[0] ?? '';
    if (name.startsWith(`isthmus-${id}-`)) ip('netns', 'del', name);
  }
  for (const line of ip('-o', 'link', 'show').split('\n')) {
    const name = /^\d+: ([^:@]+)/.exec(line)?.[1] ?? '';
    if (name.startsWith(`is${id}`)) ip('link', 'del', name);
  }
}

function ip(...args: string[]): string {
  try {
    return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return '';
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

/** Blocks: sweeping is the last thing that a process does, and an idle event loop would end it. */
function pause(delayMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, delayMs);
}
