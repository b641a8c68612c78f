/** Processor time spent, of which a share is given back. */
export class Spent {
  readonly #burstMs: number;
  readonly #share: number;
  #used = 0;
  #at: number;

  constructor(burstMs: number, share: number, now: number) {
    this.#burstMs = burstMs;
    this.#share = share;
    this.#at = now;
  }

  /** What is used after what was given back until `now`. */
  usedMs(now: number): number {
    return Math.max(0, this.#used - this.#share * Math.max(0, now - this.#at));
  }

  /** Adds what was spent from `begin` to `now`. */
  add(ms: number, begin: number, now: number): void {
    this.#used = this.usedMs(begin) + ms;
    this.#at = now;
  }

  /** By how much more is used than may be. */
  overMs(now: number): number {
    return this.usedMs(now) - this.#burstMs;
  }
}
