import type { Clock } from '../base/clock.ts';
import type { LogFields, Logger } from '../base/log.ts';

// What a person can read; a flood of clients must not fill a disk.
const linesPerWindow = 20;
const windowMs = 10_000;

/**
 * Warnings that a client can cause as often as it likes: the first ones are logged, the others counted in the
 * next that is.
 */
export class SparseLog {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #windows = new Map<string, { begin: number; lines: number; left: number }>();

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Logs, or counts; `message` is one of a few. */
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
