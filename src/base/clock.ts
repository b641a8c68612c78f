/** A pending timer; `cancel` is idempotent. */
export interface Timer {
  cancel(): void;
}

/** The only source of time in Isthmus: injected, so that simulations control it. */
export interface Clock {
  /** Monotonic time in milliseconds (fractional); differences only, no epoch. */
  now(): number;
  /** Wall-clock time in milliseconds since the Unix epoch, for logs and reports. */
  wall(): number;
  /** Calls `fn` once after `delayMs` milliseconds. The timer does not keep the process alive. */
  after(delayMs: number, fn: () => void): Timer;
  /** Milliseconds so far in which the event loop had nothing to do; absent: not known. */
  idle?(): number;
}

// The longest delay of Node's timers, 24.8 days: a longer one fires at once.
const timerMsMax = 2 ** 31 - 1;

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  // Cheaper than `eventLoopUtilization`, which makes an object.
  idle: () => performance.nodeTiming.idleTime,
  after(delayMs, fn) {
    let handle: NodeJS.Timeout;
    const wait = (ms: number) => {
      const part = Math.min(ms, timerMsMax);
      handle = setTimeout(() => (ms > part ? wait(ms - part) : fn()), part);
      handle.unref();
    };
    wait(delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves after `delayMs` milliseconds of `clock`; rejects with the signal's reason when aborted. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const abort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    });
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/**
 * Keeps the process from ending while nothing else does: a clock's timers let it end. The function that it
 * returns lets it end again.
 */
export function keepProcess(): () => void {
  const alive = new MessageChannel();
  alive.port1.ref();
  return () => alive.port1.close();
}
