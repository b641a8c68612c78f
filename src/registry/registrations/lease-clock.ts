import type { Clock, Timer } from '../../base/clock.ts';

/**
 * A lease's state. `running`: renewed in time; `unsure`: not renewed, but this process could not have
 * received it (just started, or stalled), so it gets more time; `none`: expired, or never began here.
 */
export type LeaseState = 'running' | 'unsure' | 'none';

/** Leases by key. In memory only, as every start renews them all. */
export interface LeaseClock {
  /** Renews the lease: it runs for `ttlMs` from now. */
  renew(key: string, ttlMs: number): void;
  /** Grants time until a renewal. */
  grant(key: string, forMs: number): void;
  drop(key: string): void;
  state(key: string): LeaseState;
  /** When the last renewal expires, by the clock; undefined without one. */
  runsUntil(key: string): number | undefined;
  /** Milliseconds until it expires; undefined for none. */
  remainingMs(key: string): number | undefined;
  close(): void;
}

/** Observer of leases. */
interface LeaseListener {
  /** These expired; called once. */
  expired(keys: readonly string[]): void;
  /** Its state changed; not called when it expires. */
  changed?(key: string): void;
}

/** Interval of checks: the longest delay of an expiry, in milliseconds. */
export const leaseCheckMs = 250;

interface Lease {
  /** When the last renewal expires. */
  runsUntil: number | undefined;
  end: number;
  state: LeaseState;
}

/**
 * Creates the clock of leases. If a check is late because this process was stalled (suspended machine,
 * blocked loop), nobody could renew meanwhile: all leases are extended by that time.
 */
export function createLeaseClock(clock: Clock, listener: LeaseListener): LeaseClock {
  const leases = new Map<string, Lease>();
  let timer: Timer | undefined;
  let lookedAt = 0;
  let closed = false;

  function schedule(): void {
    if (timer !== undefined || closed) return;
    lookedAt = clock.now();
    timer = clock.after(leaseCheckMs, look);
  }

  function look(): void {
    timer = undefined;
    const now = clock.now();
    const lateMs = now - lookedAt - leaseCheckMs;
    const out: string[] = [];
    let running = 0;
    for (const [key, lease] of leases) {
      if (lease.state === 'none') continue;
      if (lateMs > leaseCheckMs) lease.end += lateMs;
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
