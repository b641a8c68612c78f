import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '../../base/clock.ts';
import { siblingUrl } from '../../base/files/sibling.ts';

/** A stall of the event loop: no proxy was read or written, no probe answered. */
export interface Stall {
  /** Duration in milliseconds, to the precision of a check. */
  readonly ms: number;
  /**
   * The main thread's stack when it was noticed, innermost first; empty if unknown, as when the whole process
   * was stopped, its watchdog included.
   */
  readonly stack: readonly string[];
}

/** Input of the watchdog's thread. */
export interface StallJob {
  /** Of the main thread's beats, which come while its event loop turns: see `beatCount`, `beatGapMs`. */
  readonly beats: Int32Array;
  readonly stallMs: number;
  readonly lookMs: number;
}

/** Place of the number of beats. */
export const beatCount = 0;
/** Place of the longest time between two beats in milliseconds; the reader sets it to 0. */
export const beatGapMs = 1;

// Well above the longest intended turn (30 ms), and below any timeout of a proxy or a probe.
const defaultStallMs = 500;
const lookMs = 100;

/** A running watchdog. */
interface Watchdog {
  close(): Promise<void>;
}

/**
 * Watches the event loop from a thread and reports each stall of `stallMs` or more after it is over. The
 * thread queries V8's inspector for the stack, and only then has any cost.
 */
export function watchEventLoop(
  clock: Clock,
  report: (stall: Stall) => void,
  stallMs = defaultStallMs,
): Watchdog {
  const beats = new Int32Array(new SharedArrayBuffer(8));
  const workerData: StallJob = { beats, stallMs, lookMs };
  const worker = new Worker(siblingUrl(import.meta.url, './stall-main'), {
    workerData,
    // Without the main thread's preloaded modules.
    execArgv: [],
  });
  worker.unref();
  worker.on('message', report);
  // Without its watchdog the process continues as before.
  worker.on('error', (error) => report({ ms: 0, stack: [`the watchdog ended: ${error.message}`] }));
  let timer: Timer;
  let beatAt = clock.now();
  const beat = () => {
    const now = clock.now();
    const gapMs = Math.round(now - beatAt);
    beatAt = now;
    if (gapMs > Atomics.load(beats, beatGapMs)) Atomics.store(beats, beatGapMs, gapMs);
    Atomics.add(beats, beatCount, 1);
    timer = clock.after(lookMs, beat);
  };
  beat();
  return {
    async close() {
      timer.cancel();
      await worker.terminate();
    },
  };
}
