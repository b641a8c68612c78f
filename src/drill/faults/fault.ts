import type { RunningProcess } from '../process/process.ts';
import { machineClock } from '../time.ts';

/** When an action on the world took effect, by the machine's monotonic clock, in milliseconds. */
export interface Moment {
  /** Just before the first part was touched. */
  readonly from: number;
  /** When it had taken effect on all of them. */
  readonly to: number;
}

/** kill -9, all at once. Resolves when the kernel has ended them all: nothing answers any more. */
export async function killHard(list: readonly RunningProcess[]): Promise<Moment> {
  const from = machineClock.now();
  for (const running of list) running.expectExit();
  // One loop and no await: the kernel is asked to end them within a millisecond.
  for (const running of list) running.signal('SIGKILL');
  await Promise.all(list.map((running) => running.exited));
  return { from, to: machineClock.now() };
}

/** SIGSTOP: connections stay open and are even accepted, by the kernel, but get no answer. */
export function pause(list: readonly RunningProcess[]): Moment {
  const from = machineClock.now();
  for (const running of list) running.signal('SIGSTOP');
  return { from, to: machineClock.now() };
}

/** SIGCONT: ends `pause`. */
export function resume(list: readonly RunningProcess[]): Moment {
  const from = machineClock.now();
  for (const running of list) running.signal('SIGCONT');
  return { from, to: machineClock.now() };
}
