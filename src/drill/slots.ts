import { machineClock } from './time.ts';

/** An instance's workers: so many calls are worked on at once, the others wait in the order in which they came. */
export interface Slots {
  /** Works for so long once a worker is free, then calls `done`. Work that was asked for is done, whoever has gone meanwhile. */
  work(ms: number, done: () => void): void;
}

/** So many workers, or for each call one of its own. */
export function createSlots(count = Number.POSITIVE_INFINITY): Slots {
  const waiting: (() => void)[] = [];
  let busy = 0;
  const begin = (ms: number, done: () => void) => {
    busy += 1;
    machineClock.after(ms, () => {
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
