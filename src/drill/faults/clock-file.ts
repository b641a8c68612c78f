import { readFileSync } from 'node:fs';
import { sleep } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { replaceFileSync } from '../../base/files/replace-file.ts';
import { machineClock } from '../time.ts';

/** How often a process whose clock can be stepped looks at the file, in milliseconds. */
export const clockLookMs = 25;

/** Generous: the process may be busy. */
const seenMsMax = 10_000;

/** Where the process says what it has seen. */
export const seenFile = (file: string): string => `${file}.seen`;

/** What stands in a file, in milliseconds; 0 when there is none. */
export function readOffset(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    return 0;
  }
}

/** Writes an offset, whole or not at all. */
export function writeOffset(file: string, offsetMs: number): void {
  replaceFileSync(file, String(offsetMs));
}

/**
 * Steps the wall clock of the process that was started with `clock-step` and this file. Resolves when its
 * clock is so many milliseconds wrong. Rejects with MeshError 'unavailable' when it does not say so.
 */
export async function stepClock(file: string, offsetMs: number, signal: AbortSignal): Promise<void> {
  writeOffset(file, offsetMs);
  const deadline = machineClock.now() + seenMsMax;
  while (readOffset(seenFile(file)) !== offsetMs) {
    if (machineClock.now() > deadline)
      throw new MeshError('unavailable', `nobody whose clock is to be stepped reads ${file}`);
    await sleep(machineClock, clockLookMs, signal);
  }
}
