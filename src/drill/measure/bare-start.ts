import { machineClock } from '../time.ts';
import type { Stage } from '../world/stage.ts';

/** Processes that are started one after the other; the median counts. */
const starts = 3;

/**
 * How long a process of Node that does nothing takes from its start to its end here and now, in milliseconds:
 * what the start of a command is to be held against.
 */
export async function measureBareStart({ crew, paths }: Stage): Promise<number> {
  const took: number[] = [];
  for (let i = 0; i < starts; i += 1) {
    const from = machineClock.now();
    const running = crew.start({
      ...{ name: `bare-${Math.round(from)}-${i}`, command: process.execPath, args: ['-e', '0'] },
      ...{ logFile: paths.log('bare'), ends: true },
    });
    await running.exited;
    took.push(machineClock.now() - from);
  }
  return took.sort((a, b) => a - b)[Math.floor(starts / 2)] ?? Number.NaN;
}
