import type { Clock } from '../base/clock.ts';
import type { LogFields, Logger } from '../base/log.ts';

// What a person can read; many clients must not fill a disk.
const linesPerWindow = 20;
const windowMs = 10_000;

/**
 * Warnings that clients can cause at any rate: the first are logged, the others counted in the next one
 * logged.
 */
export class SparseLog {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #windows = new Map<string, { begin: number; lines: number; left: number }>();

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Logs or counts a warning; `message` is one of a fixed few. */
  warn(message: string, fields: LogFields): void {
    const now = this.#clock.now();
    const known = this.#windows.get(message) ?? { begin: now, lines: 0, left: 0 };
    this.#windows.set(message, known);
    if (now - known.begin >= windowMs) Object.assign(known, { begin: now, lines: 0 });
    if (known.lines >= linesPerWindow) {
      known.left += 1;
      return;
    }
    known.lines += 1;
    const left = known.left;
    known.left = 0;
    this.#log.warn(message, left === 0 ? fields : { ...fields, notLogged: left });
  }
}

/** The first of many names, and how many more there are. */
export function shortList(names: readonly string[]): readonly string[] {
  return names.length > 20 ? [...names.slice(0, 20), `and ${names.length - 20} more`] : names;
}
