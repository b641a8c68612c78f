/** A token bucket: a burst, and a rate per second beyond it. Times in milliseconds. */
export class Bucket {
  readonly #burst: number;
  readonly #perMs: number;
  #left: number;
  #at: number;

  constructor(burst: number, perSecond: number, now: number) {
    this.#burst = burst;
    this.#perMs = perSecond / 1_000;
    this.#left = burst;
    this.#at = now;
  }

  /** Takes tokens; false if there are not enough. */
  take(count: number, now: number): boolean {
    this.#left = Math.min(this.#burst, this.#left + (now - this.#at) * this.#perMs);
    this.#at = now;
    if (this.#left < count) return false;
    this.#left -= count;
    return true;
  }

  /** Milliseconds until there is a token. */
  get msToOne(): number {
    return Math.max(1, Math.ceil((1 - this.#left) / this.#perMs));
  }
}
