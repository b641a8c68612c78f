import { type Clock, sleep } from '../../base/clock.ts';

/**
 * Milliseconds from one connection to the next. A stream that begins costs another server some 2 ms: it is
 * busy for less than half of its time with those that come, and pushes to the others meanwhile.
 */
export const handOverSpacingMs = 5;

// How often it is looked who is due.
const lookMs = 5;

/**
 * Lets connections go one after another, `handOverSpacingMs` apart, or closer where `overMs` (milliseconds)
 * would not do. Each
 * `leave` ends one. Resolves when the last one was told.
 */
export async function handOver(leave: readonly (() => void)[], overMs: number, clock: Clock): Promise<void> {
  const pauses = leave.length - 1;
  const totalMs = Math.min(overMs, pauses * handOverSpacingMs);
  const begin = clock.now();
  let next = 0;
  while (next < leave.length) {
    const due = totalMs > 0 ? Math.floor((pauses * (clock.now() - begin)) / totalMs) : pauses;
    for (; next <= due && next < leave.length; next += 1) leave[next]?.();
    if (next < leave.length) await sleep(clock, lookMs);
  }
}
