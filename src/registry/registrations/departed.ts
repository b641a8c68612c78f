import type { Clock, Timer } from '../../base/clock.ts';

/**
 * How long a deregistered generation is remembered: at least, and beyond its lease (milliseconds); and how
 * many at most.
 */
export const departedLimits = { keptMs: 600_000, beyondLeaseMs: 60_000, most: 50_000 } as const;

// Longest delay of forgetting, and pause before a retry if the disk failed.
const lookMs = 10_000;

/** Names whose last generation has deregistered, until they may be forgotten. */
interface Departed {
  /** How many there are. */
  readonly size: number;
  /**
   * The generation of a name, with this lease, has deregistered. Above the limit the oldest is forgotten at
   * once.
   */
  add(key: string, ttlMs: number): void;
  /** The name is registered again, or forgotten. */
  drop(key: string): void;
  close(): void;
}

/**
 * Creates the book; `forget` is retried later if it rejects. One timer for all: a name may come and go often.
 */
export function createDeparted(clock: Clock, forget: (key: string) => Promise<unknown>): Departed {
  // The oldest first.
  const dueAt = new Map<string, number>();
  let timer: Timer | undefined;
  let isClosed = false;

  function end(key: string): void {
    dueAt.delete(key);
    forget(key).catch(() => {
      if (!isClosed && !dueAt.has(key)) dueAt.set(key, clock.now() + lookMs);
      watch();
    });
  }

  function look(): void {
    timer = undefined;
    const now = clock.now();
    for (const [key, at] of dueAt) if (at <= now) end(key);
    watch();
  }

  function watch(): void {
    if (!isClosed && dueAt.size > 0) timer ??= clock.after(lookMs, look);
  }

  return {
    get size() {
      return dueAt.size;
    },
    add(key, ttlMs) {
      const { keptMs, beyondLeaseMs, most } = departedLimits;
      if (isClosed) return;
      dueAt.delete(key);
      dueAt.set(key, clock.now() + Math.max(keptMs, ttlMs + beyondLeaseMs));
      const [first] = dueAt.size > most ? dueAt.keys() : [];
      if (first !== undefined) end(first);
      watch();
    },
    drop(key) {
      dueAt.delete(key);
    },
    close() {
      isClosed = true;
      timer?.cancel();
      dueAt.clear();
    },
  };
}
