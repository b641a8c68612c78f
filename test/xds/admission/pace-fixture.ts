import type { Pace } from '../../../src/xds/admission/pace.ts';
import type { PaceLimits } from '../../../src/xds/admission/pace-limits.ts';
import type { manualClock } from '../../support/manual-clock.ts';

/** Limits of one connection, in numbers that are easily added up. */
export const limits: PaceLimits = {
  ...{ burstMs: 1_000, share: 0.25, overMsMax: 60_000 },
  // All together may take what they like, but where a test says otherwise.
  ...{ allBurstMs: 1e9, allShare: 1 },
  ...{ littleMs: 100, lateMs: 10_000, littleBytes: 1_000, loopMs: 1e9, sliceMs: 2, idleShare: 1 },
};

/** For how many milliseconds nothing more of a connection is read; 0: it may go on. */
export function waitMs(clock: ReturnType<typeof manualClock>, pace: Pace, bytes = 0): number {
  let over = false;
  const wait = pace.mustWait(bytes, () => {
    over = true;
  });
  if (wait === undefined) return 0;
  for (let ms = 1; ; ms++) {
    clock.pass(1);
    if (over) return ms;
  }
}
