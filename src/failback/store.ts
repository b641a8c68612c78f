import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readBounded } from '../base/files/bounded-file.ts';
import { replaceFile } from '../base/files/replace-file.ts';
import type { Logger } from '../base/log.ts';
import type { SavedStates } from './keeper.ts';

/** Persistent storage of failback states. */
export interface FailbackStore {
  readonly saved: SavedStates;
  /** Replaces all stored states, asynchronously; the newest call wins. */
  save(states: SavedStates): void;
}

/** A file in a folder. An unreadable one counts as missing, and is logged. */
export function openFailbackStore(folder: string, logger: Logger): FailbackStore {
  const file = join(folder, 'failback.json');
  let waiting: SavedStates | undefined;
  let isWriting = false;

  async function write(): Promise<void> {
    isWriting = true;
    while (waiting !== undefined) {
      const text = JSON.stringify(waiting);
      waiting = undefined;
      try {
        await mkdir(folder, { recursive: true });
        await replaceFile(file, text);
      } catch (reason) {
        const { message } = reason as Error;
        logger.warn('failback: states not stored, a control plane that starts would begin anew', { message });
      }
    }
    isWriting = false;
  }

  return {
    saved: read(file, logger),
    save(states) {
      waiting = states;
      if (!isWriting) void write();
    },
  };
}

/** Far above the size of all states: some 200 bytes each. */
const fileBytesMax = 256 * 2 ** 20;

function read(file: string, logger: Logger): SavedStates {
  try {
    const parsed: unknown = JSON.parse(readBounded(file, fileBytesMax).toString('utf8'));
    if (isStates(parsed)) return parsed;
    throw new Error('it is not in the form that a control plane writes');
  } catch (reason) {
    const { code, message } = reason as NodeJS.ErrnoException;
    if (code !== 'ENOENT') logger.warn(`failback: ${file} is not used: ${message}`);
    return {};
  }
}

function isStates(value: unknown): value is SavedStates {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every(
    (one) =>
      ['due', 'away', 'warm', 'ramp'].includes(one?.at) &&
      Number.isInteger(one.failures) &&
      [one.rampedMs, one.share, one.slots ?? 0].every((number) => Number.isFinite(number) && number >= 0),
  );
}
