import { type Clock, sleep } from '../../base/clock.ts';

/**
 * Milliseconds from one connection to the next. A new stream costs the next server some 2 ms: it is busy for
 * less than half of its time with these, and can push in between.
 */
export const handOverSpacingMs = 5;

// How often due connections are looked for.
const lookMs = 5;

/**
 * Closes connections one after another, `handOverSpacingMs` apart, or closer to end within `overMs`
 * (milliseconds). Each `leave` closes one. Resolves after the last.
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
