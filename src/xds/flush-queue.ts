import type { Clock, Timer } from '../base/clock.ts';

/** When things that were marked are flushed. */
interface PushOptions {
  readonly clock: Clock;
  /** The longest time that a change waits while the process is busy, in milliseconds. */
  readonly holdoffMsMax: number;
  /** A flush of many gives way to what else there is to do after this long, in milliseconds. */
  readonly sliceMs: number;
}

/** Marked items wait here for their flush. */
interface FlushQueue<T> {
  mark(item: T): void;
  /** Forgets an item. */
  drop(item: T): void;
  close(): void;
}

/**
 * No fixed debounce. What is marked while idle is flushed at the end of the current task, together with all
 * that was marked in it. A flush that took d ms is followed by a pause of d ms, at most `holdoffMsMax`, so
 * that under load changes gather and at most half of the time goes into pushing.
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
      // ACKs and changes that came meanwhile are read before the rest is served.
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
