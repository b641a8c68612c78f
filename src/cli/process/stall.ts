import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '../../base/clock.ts';
import { siblingUrl } from '../../base/files/sibling.ts';

/** A stall of the event loop: no proxy was read or written, no probe answered. */
export interface Stall {
  /** Duration in milliseconds, to the precision of a check. */
  readonly ms: number;
  /** The main thread's stack when it was noticed, innermost first; empty if unknown. */
  readonly stack: readonly string[];
}

/** Input of the watchdog's thread. */
export interface StallJob {
  /** A counter that the main thread increments while its event loop turns. */
  readonly beats: Int32Array;
  readonly stallMs: number;
  readonly lookMs: number;
}

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
  const beats = new Int32Array(new SharedArrayBuffer(4));
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
  const beat = () => {
    Atomics.add(beats, 0, 1);
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
