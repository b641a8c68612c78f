import { readFileSync } from 'node:fs';
import { markedPids } from '../process/sweep.ts';
import { machineClock } from '../time.ts';

/** What used the machine's processors between two moments, in processors: 2 is two of them all the time. */
export interface Usage {
  readonly phase: string;
  /** The drill's own processes. */
  readonly drill: number;
  /** Everything else that ran, this runner included. */
  readonly others: number;
}

/** CPU time so far, in clock ticks. */
interface Reading {
  readonly atMs: number;
  readonly busy: number;
  readonly byPid: ReadonlyMap<number, number>;
}

/** Linux's USER_HZ, the unit of its CPU times: 100 on every architecture that Node runs on. */
const ticksPerSecond = 100;

/** Notes what uses the processors, phase by phase: on a busy machine, latency tells of the others too. */
export function createUsageMeter(drillId: string): {
  /** Ends the span before, and begins one. */
  begin(phase: string): void;
  /** Ends the last span; what each used. */
  end(): Usage[];
} {
  const spans: { phase: string; reading: Reading }[] = [];
  return {
    begin: (phase) => spans.push({ phase, reading: read(drillId) }),
    end() {
      const last = read(drillId);
      return spans.map(({ phase, reading }, i) => between(phase, reading, spans[i + 1]?.reading ?? last));
    },
  };
}

function between(phase: string, from: Reading, to: Reading): Usage {
  const ticks = Math.max(1, ((to.atMs - from.atMs) / 1000) * ticksPerSecond);
  let own = 0;
  // A process that ended meanwhile is counted up to the reading before: a little of it goes to the others.
  for (const [pid, used] of to.byPid) own += used - (from.byPid.get(pid) ?? 0);
  return { phase, drill: own / ticks, others: Math.max(0, to.busy - from.busy - own) / ticks };
}

function read(drillId: string): Reading {
  const byPid = new Map<number, number>();
  for (const pid of markedPids(drillId)) byPid.set(pid, ticksOf(pid));
  return { atMs: machineClock.now(), busy: busyTicks(), byPid };
}

/** User, nice, system, irq, softirq and steal of all processors: not idle, not waiting for disks. */
function busyTicks(): number {
  const [, user, nice, system, , , irq, softirq, steal] = firstLine('/proc/stat').split(/\s+/).map(Number);
  return [user, nice, system, irq, softirq, steal].reduce<number>((sum, ticks) => sum + (ticks ?? 0), 0);
}

function ticksOf(pid: number): number {
  // The name, in brackets, may hold spaces; utime and stime are the 12th and 13th field after it.
  const fields = firstLine(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ') ?? [];
  return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
}

function firstLine(path: string): string {
  try {
    return readFileSync(path, 'utf8').split('\n', 1)[0] ?? '';
  } catch {
    return '';
  }
}
