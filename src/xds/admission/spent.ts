/** Processor time spent, of which a share is given back, and what nobody else needed. */
export class Spent {
  readonly #burstMs: number;
  readonly #share: number;
  readonly #idle: () => number;
  #used = 0;
  #at: number;
  #idleAt: number;

  /** `idle`: milliseconds so far in which the processor was not needed; default: it always was. */
  constructor(burstMs: number, share: number, now: number, idle: () => number = () => 0) {
    this.#burstMs = burstMs;
    this.#share = share;
    this.#at = now;
    this.#idle = idle;
    this.#idleAt = idle();
  }

  /** What is used after what was given back until `now`. */
  usedMs(now: number): number {
    const idle = this.#idle() - this.#idleAt;
    return Math.max(0, this.#used - this.#share * Math.max(0, now - this.#at) - idle);
  }

  /** Adds what was spent from `begin` to `now`. */
  add(ms: number, begin: number, now: number): void {
    this.#used = this.usedMs(begin) + ms;
    this.#at = now;
    this.#idleAt = this.#idle();
  }

  /** By how much more is used than may be. */
  overMs(now: number): number {
    return this.usedMs(now) - this.#burstMs;
  }
}
