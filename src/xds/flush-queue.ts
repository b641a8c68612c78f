import type { Clock, Timer } from '../base/clock.ts';

/** When marked items are flushed. */
interface PushOptions {
  readonly clock: Clock;
  /** The longest time that a change waits while the process is busy, in milliseconds. */
  readonly holdoffMsMax: number;
  /** A long flush yields to other work after this many milliseconds. */
  readonly sliceMs: number;
}

/** Marked items, waiting for a flush. */
interface FlushQueue<T> {
  mark(item: T): void;
  /** Forgets an item. */
  drop(item: T): void;
  close(): void;
}

/**
 * No fixed debounce. Items marked while idle are flushed together at the end of the current task. A flush
 * that took d ms is followed by a pause of d ms, at most `holdoffMsMax`: under load changes are gathered, and
 * at most half of the time goes into pushing.
 */
export function createFlushQueue<T>(flush: (item: T) => void, options: PushOptions): FlushQueue<T> {
  const { clock } = options;
  const marked = new Set<T>();
  let scheduled = false;
  let closed = false;
  let timer: Timer | undefined;
  let pauseUntil = Number.NEGATIVE_INFINITY;
  let spent = 0;

  const schedule = () => {
    if (scheduled || closed) return;
    scheduled = true;
    const pause = pauseUntil - clock.now();
    if (pause > 0) timer = clock.after(pause, run);
    else queueMicrotask(run);
  };
  const run = () => {
    if (closed) return;
    const start = clock.now();
    for (const item of marked) {
      marked.delete(item);
      flush(item);
      if (marked.size === 0 || clock.now() - start < options.sliceMs) continue;
      // Yields to ACKs and changes that have arrived before going on.
      spent += clock.now() - start;
      timer = clock.after(0, run);
      return;
    }
    spent += clock.now() - start;
    pauseUntil = clock.now() + Math.min(spent, options.holdoffMsMax);
    spent = 0;
    scheduled = false;
  };
  return {
    mark(item) {
      marked.add(item);
      schedule();
    },
    drop(item) {
      marked.delete(item);
    },
    close() {
      closed = true;
      timer?.cancel();
      marked.clear();
    },
  };
}
