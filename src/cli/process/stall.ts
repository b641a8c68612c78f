import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '../../base/clock.ts';
import { siblingUrl } from '../../base/files.ts';

/** A time in which the event loop stood still: no proxy was read or written, no probe answered. */
export interface Stall {
  /** How long, in milliseconds, to the precision of a look. */
  readonly ms: number;
  /** Where the main thread was when it was noticed, innermost first; empty where that could not be seen. */
  readonly stack: readonly string[];
}

/** What the watchdog's thread is given. */
export interface StallJob {
  /** One number that the main thread changes as long as its event loop turns. */
  readonly beats: Int32Array;
  readonly stallMs: number;
  readonly lookMs: number;
}

// Well over the longest turn that is meant (30 ms), and below what any timeout of a proxy or a probe is.
const defaultStallMs = 500;
const lookMs = 100;

/** A watchdog that runs. */
interface Watchdog {
  close(): Promise<void>;
}

/**
 * Watches the event loop from a thread of its own and reports each time that it stood still for `stallMs` or
 * longer, after it goes on. The thread asks V8's inspector where the main thread is, and only then is that of
 * any cost.
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
    // What the main thread was told to load is not for this one.
    execArgv: [],
  });
  worker.unref();
  worker.on('message', report);
  // Without its watchdog the process serves as before.
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
