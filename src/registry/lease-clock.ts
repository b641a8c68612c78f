import type { Clock, Timer } from '../base/clock.ts';

/** Leases by key: who has given no sign of life for too long. In memory alone, as every start begins them anew. */
export interface LeaseClock {
  /** The lease begins (again): it runs out after `ttlMs` without another call. */
  renew(key: string, ttlMs: number): void;
  drop(key: string): void;
  /** Milliseconds until it runs out; undefined for none. */
  remainingMs(key: string): number | undefined;
  close(): void;
}

/** How often leases are looked at: an end is noticed at most this late, in milliseconds. */
export const lookMs = 250;

/**
 * Creates the clock of leases; `expired` hears of each that ran out, once. When a look comes late because this
 * process itself stood still (a suspended machine, a blocked loop), nobody could renew meanwhile: all leases
 * are longer by that time.
 */
export function createLeaseClock(clock: Clock, expired: (keys: readonly string[]) => void): LeaseClock {
  const ends = new Map<string, number>();
  let timer: Timer | undefined;
  let lookedAt = 0;
  let closed = false;

  function schedule(): void {
    if (timer !== undefined || closed) return;
    lookedAt = clock.now();
    timer = clock.after(lookMs, look);
  }

  function look(): void {
    timer = undefined;
    const now = clock.now();
    const lateMs = now - lookedAt - lookMs;
    if (lateMs > lookMs) for (const [key, end] of ends) ends.set(key, end + lateMs);
    const out = [...ends].filter(([, end]) => end <= now).map(([key]) => key);
    for (const key of out) ends.delete(key);
    if (ends.size > 0) schedule();
    if (out.length > 0) expired(out);
  }

  return {
    renew(key, ttlMs) {
      ends.set(key, clock.now() + ttlMs);
      schedule();
    },
    drop(key) {
      ends.delete(key);
    },
    remainingMs(key) {
      const end = ends.get(key);
      return end === undefined ? undefined : Math.max(0, end - clock.now());
    },
    close() {
      closed = true;
      timer?.cancel();
    },
  };
}
