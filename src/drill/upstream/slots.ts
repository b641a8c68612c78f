import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { machineClock } from '../time.ts';

/**
 * An instance's workers: a fixed number of calls run at once, the others wait in order of arrival.
 */
export interface WorkSlots {
  /**
   * Works for so long once a worker is free, then calls `done`. Work that was asked for is done, whoever has
   * gone meanwhile.
   */
  work(ms: number, done: () => void): void;
}

/**
 * How cold an instance is after its start: its first call takes `factor` times as long, later ones less and
 * less, until it is warm after `calls` calls.
 */
interface Cold {
  readonly factor: number;
  readonly calls: number;
}

/** Makes the next start of an instance cold. */
export function leaveCold(file: string, cold: Cold): void {
  writeFileSync(file, JSON.stringify(cold));
}

/** How cold this start is; undefined: warm. The next start is warm unless it is set again. */
export function takeCold(file: string | undefined): Cold | undefined {
  if (file === undefined) return undefined;
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  } finally {
    rmSync(file, { force: true });
  }
}

/** A fixed number of workers, or one for each call, of a cold or a warm instance. */
export function createSlots(
  count = Number.POSITIVE_INFINITY,
  { factor, calls }: Cold = { factor: 1, calls: 1 },
): WorkSlots {
  const waiting: (() => void)[] = [];
  let busy = 0;
  let begun = 0;
  const begin = (ms: number, done: () => void) => {
    busy += 1;
    const longer = 1 + (factor - 1) * Math.max(0, 1 - begun / calls);
    begun += 1;
    machineClock.after(ms * longer, () => {
      busy -= 1;
      waiting.shift()?.();
      done();
    });
  };
  return {
    work(ms, done) {
      if (busy < count) begin(ms, done);
      else waiting.push(() => begin(ms, done));
    },
  };
}
