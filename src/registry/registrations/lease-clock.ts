import type { Clock, Timer } from '../../base/clock.ts';

/**
 * What is known of a lease: `running`: a sign of life came within its time; `unsure`: none did, but this
 * process could not have heard it (it has just started, or stood still), so it is given time; `none`: it ran
 * out, or never began here.
 */
export type LeaseState = 'running' | 'unsure' | 'none';

/**
 * Leases by key: who has given no sign of life for too long. In memory alone, as every start begins them
 * anew.
 */
export interface LeaseClock {
  /** A sign of life: the lease runs for `ttlMs` from now. */
  renew(key: string, ttlMs: number): void;
  /** Time to give a sign of life, without one. */
  grant(key: string, forMs: number): void;
  drop(key: string): void;
  state(key: string): LeaseState;
  /** When the last sign of life loses its force, of the clock; undefined when none came. */
  runsUntil(key: string): number | undefined;
  /** Milliseconds until it runs out; undefined for none. */
  remainingMs(key: string): number | undefined;
  close(): void;
}

/** Who hears of leases. */
export interface LeaseListener {
  /** These ran out; told once. */
  expired(keys: readonly string[]): void;
  /** Its state is another one; not told when it runs out. */
  changed?(key: string): void;
}

/** How often leases are looked at: an end is noticed at most this late, in milliseconds. */
export const lookMs = 250;

interface Lease {
  /** When the last sign of life loses its force. */
  runsUntil: number | undefined;
  end: number;
  state: LeaseState;
}

/**
 * Creates the clock of leases. When a look comes late because this process itself stood still (a suspended
 * machine, a blocked loop), nobody could renew meanwhile: all leases are longer by that time.
 */
export function createLeaseClock(clock: Clock, listener: LeaseListener): LeaseClock {
  const leases = new Map<string, Lease>();
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
    const out: string[] = [];
    let running = 0;
    for (const [key, lease] of leases) {
      if (lease.state === 'none') continue;
      if (lateMs > lookMs) lease.end += lateMs;
      if (lease.end <= now) {
        lease.state = 'none';
        out.push(key);
        continue;
      }
      running += 1;
      if (lease.state === 'running' && (lease.runsUntil ?? 0) <= now) {
        lease.state = 'unsure';
        listener.changed?.(key);
      }
    }
    if (running > 0) schedule();
    if (out.length > 0) listener.expired(out);
  }

  return {
    renew(key, ttlMs) {
      const end = clock.now() + ttlMs;
      const before = leases.get(key)?.state;
      leases.set(key, { runsUntil: end, end, state: 'running' });
      schedule();
      if (before !== 'running') listener.changed?.(key);
    },
    grant(key, forMs) {
      const { runsUntil } = leases.get(key) ?? {};
      leases.set(key, { runsUntil, end: clock.now() + forMs, state: 'unsure' });
      schedule();
      listener.changed?.(key);
    },
    drop(key) {
      leases.delete(key);
    },
    state: (key) => leases.get(key)?.state ?? 'none',
    runsUntil: (key) => leases.get(key)?.runsUntil,
    remainingMs(key) {
      const lease = leases.get(key);
      return lease === undefined || lease.state === 'none' ? undefined : Math.max(0, lease.end - clock.now());
    },
    close() {
      closed = true;
      timer?.cancel();
    },
  };
}
