import type { Clock } from '../base/clock.ts';

/** How long the same is counted before it is told again, in milliseconds, and of how many at once. */
export const repeatLimits = { windowMs: 10_000, keys: 500 } as const;

/**
 * Tells what many proxies do alike once at first, and then once for all that came in ten seconds: a refused
 * resource is refused by a thousand of them.
 */
export class Repeats<One> {
  readonly #clock: Clock;
  readonly #tell: (one: One, count: number) => void;
  readonly #windows = new Map<string, { last: One; more: number }>();

  /** `count`: how many the call stands for; 1 for the first. */
  constructor(clock: Clock, tell: (one: One, count: number) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** One more of `key`. */
  add(key: string, one: One): void {
    const known = this.#windows.get(key);
    if (known !== undefined) {
      known.last = one;
      known.more += 1;
      return;
    }
    this.#tell(one, 1);
    // Beyond that each is told by itself: the journal has a rate of its own.
    if (this.#windows.size < repeatLimits.keys) this.#open(key, one);
  }

  #open(key: string, one: One): void {
    const window = { last: one, more: 0 };
    this.#windows.set(key, window);
    this.#clock.after(repeatLimits.windowMs, () => {
      this.#windows.delete(key);
      if (window.more === 0) return;
      this.#tell(window.last, window.more);
      this.#open(key, window.last);
    });
  }
}
