import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';

// What a person can read; many clients must not fill a disk.
const linesPerWindow = 20;
const windowMs = 10_000;
/** How long the same is not told again, and of how many this is known. */
const toldMs = 600_000;
const toldMax = 500;
const keyLengthMax = 500;

/** What a client causes. */
interface Caused {
  /** `address:port`. */
  readonly peer: string;
  readonly node?: string | undefined;
  readonly limit?: string;
  readonly error: string;
}

/**
 * Warnings that clients can cause at any rate: the first are logged, the others counted in the next one
 * logged. What a client causes again and again, such as an Envoy that is refused and retries, is logged once
 * in ten minutes.
 */
export class SparseLog {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #windows = new Map<string, { begin: number; lines: number; left: number }>();
  // The oldest first.
  readonly #told = new Map<string, { readonly at: number; again: number }>();

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Logs or counts a warning; `message` is one of a fixed few. */
  warn(message: string, fields: Caused): void {
    const now = this.#clock.now();
    const { peer, node = '', limit = '', error } = fields;
    // The port is another each time, and so may be a size in the reason.
    const who = [message, peer.replace(/:\d+$/, ''), node, limit].join(' ');
    const key = `${who} ${error.replaceAll(/\d+/g, '#')}`.slice(0, keyLengthMax);
    const told = this.#told.get(key);
    if (told !== undefined && now - told.at < toldMs) {
      told.again += 1;
      return;
    }
    const left = this.#take(message, now);
    if (left === undefined) return;
    this.#told.delete(key);
    this.#told.set(key, { at: now, again: 0 });
    if (this.#told.size > toldMax) this.#told.delete(this.#told.keys().next().value as string);
    const again = told?.again ?? 0;
    this.#log.warn(message, {
      ...fields,
      ...(again === 0 ? {} : { again }),
      ...(left === 0 ? {} : { notLogged: left }),
    });
  }

  /** How many lines of a message were left out before this one; undefined: this one is, too. */
  #take(message: string, now: number): number | undefined {
    const known = this.#windows.get(message) ?? { begin: now, lines: 0, left: 0 };
    this.#windows.set(message, known);
    if (now - known.begin >= windowMs) Object.assign(known, { begin: now, lines: 0 });
    if (known.lines >= linesPerWindow) {
      known.left += 1;
      return undefined;
    }
    known.lines += 1;
    const { left } = known;
    known.left = 0;
    return left;
  }
}

/** The first of many names, and how many more there are. */
export function shortList(names: readonly string[]): readonly string[] {
  return names.length > 20 ? [...names.slice(0, 20), `and ${names.length - 20} more`] : names;
}
