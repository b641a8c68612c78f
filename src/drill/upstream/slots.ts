import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { machineClock } from '../time.ts';

/**
 * An instance's workers: so many calls are worked on at once, the others wait in the order in which they
 * came.
 */
export interface WorkSlots {
  /**
   * Works for so long once a worker is free, then calls `done`. Work that was asked for is done, whoever has
   * gone meanwhile.
   */
  work(ms: number, done: () => void): void;
}

/**
 * What is empty in an instance that has just started: it works so many times as long, and on its first so
 * many calls less and less.
 */
interface Cold {
  readonly factor: number;
  readonly calls: number;
}

/** Lets the next start of an instance be cold. */
export function leaveCold(file: string, cold: Cold): void {
  writeFileSync(file, JSON.stringify(cold));
}

/** How cold this start is; undefined: as warm as ever. The next one is warm, unless it is told again. */
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

/** So many workers, or for each call one of its own; of an instance that is cold or not. */
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
