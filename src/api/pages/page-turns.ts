import type { Clock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';

/**
 * Limits of pages that cost more than a comparison: processor time, and waiting requests of an address. Times
 * in milliseconds.
 */
export const pageTurns = { burstMs: 500, share: 0.25, waitingMax: 100 } as const;

interface Page {
  readonly run: () => Promise<void>;
  readonly isWanted: () => boolean;
}

/**
 * Builds pages one after another, round-robin by address, beyond a burst within a share of the processor: a
 * page of all proxies may take tens of milliseconds, and frequent requests would delay proxies.
 */
export class PageTurns {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Page[]>();
  #usedMs = 0;
  #usedAt: number;
  #isBusy = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#usedAt = clock.now();
  }

  /** Builds a page when its turn comes. Throws MeshError 'exhausted' if too many of the address wait. */
  async make<T>(peer: string, isWanted: () => boolean, page: () => T | Promise<T>): Promise<T> {
    const own = this.#waiting.get(peer) ?? [];
    if (own.length >= pageTurns.waitingMax)
      throw new MeshError('exhausted', `${own.length} requests of this address are waiting: ask less often`);
    return new Promise((resolve, reject) => {
      const run = async () => resolve(await page());
      own.push({ isWanted, run: () => run().catch(reject) });
      this.#waiting.set(peer, own);
      if (!this.#isBusy) void this.#next();
    });
  }

  async #next(): Promise<void> {
    this.#isBusy = true;
    const [first] = this.#waiting;
    if (first === undefined) {
      this.#isBusy = false;
      return;
    }
    const [peer, [page, ...others]] = first;
    this.#waiting.delete(peer);
    if (others.length > 0) this.#waiting.set(peer, others);
    if (page?.isWanted() === true) {
      const begin = this.#clock.now();
      await page.run();
      // Synchronous: a page needs nothing that could be waited for.
      this.#usedMs = this.#usedUntil(begin) + this.#clock.now() - begin;
      this.#usedAt = this.#clock.now();
    }
    const overMs = this.#usedUntil(this.#clock.now()) - pageTurns.burstMs;
    this.#clock.after(Math.max(0, overMs / pageTurns.share), () => void this.#next());
  }

  /** Time used, less what was given back until `now`. */
  #usedUntil(now: number): number {
    return Math.max(0, this.#usedMs - pageTurns.share * (now - this.#usedAt));
  }
}
