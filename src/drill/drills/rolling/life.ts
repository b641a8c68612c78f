import { readFileSync, statSync } from 'node:fs';
import { sleep } from '../../../base/clock.ts';
import { machineClock } from '../../time.ts';

/** Log messages of `isthmus run` for an instance. */
const words = {
  live: 'every proxy has it',
  free: 'no proxy sends requests here any more',
} as const;

const pollMs = 20;

/** The length of a log now: later messages come after it. */
export function markOf(log: string): number {
  return statSync(log).size;
}

/** When `isthmus run` logged a message behind a mark, by the machine's clock; NaN if it did not. */
export function saidAt(log: string, mark: number, what: keyof typeof words): number {
  const text = readFileSync(log).subarray(mark).toString('utf8');
  const line = text.split('\n').find((each) => each.includes(`isthmus run: ${words[what]}`));
  if (line === undefined) return Number.NaN;
  // Lines are stamped in wall time, to the millisecond and cut, not rounded.
  const wallMs = Date.parse(line.slice(0, line.indexOf(' '))) + 1;
  return machineClock.now() - (machineClock.wall() - wallMs);
}

/** Waits until it says something; NaN when it does not in time. */
export async function untilSaid(
  log: string,
  mark: number,
  what: keyof typeof words,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<number> {
  const deadline = machineClock.now() + timeoutMs;
  for (;;) {
    const at = saidAt(log, mark, what);
    if (!Number.isNaN(at) || machineClock.now() > deadline) return at;
    await sleep(machineClock, pollMs, signal);
  }
}
