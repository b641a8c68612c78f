import type { Clock, Timer } from '../../base/clock.ts';

/**
 * For how long it is remembered that a life has deregistered: at least, and beyond its lease (milliseconds);
 * and how many at most.
 */
export const departedLimits = { keptMs: 600_000, beyondLeaseMs: 60_000, most: 50_000 } as const;

// How much later than due one is forgotten at most, and when it is tried again where the disk failed.
const lookMs = 10_000;

/** Names whose last life has deregistered, each until it may be forgotten. */
export interface Departed {
  /** How many there are. */
  readonly size: number;
  /**
   * The life of a name has gone, whose lease was so long. Where there are too many, who went first is
   * forgotten at once.
   */
  note(key: string, ttlMs: number): void;
  /** The name lives again, or is forgotten. */
  drop(key: string): void;
  close(): void;
}

/**
 * Creates the book; `forget` rejects where that failed, and is called again later. One timer serves all: a
 * name may come and go often.
 */
export function createDeparted(clock: Clock, forget: (key: string) => Promise<unknown>): Departed {
  // Who went first, first.
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
    note(key, ttlMs) {
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
