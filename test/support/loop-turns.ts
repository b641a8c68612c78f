/** Watches how long this thread works without a break. */
export interface LoopTurns {
  /** The most CPU time between two looks, in milliseconds: no turn of the event loop can have taken more. */
  stop(): number;
}

/**
 * Looks every millisecond, as far as the loop lets it, at the CPU time that this thread has had. What the
 * machine does beside it makes a turn later, but not larger: unlike the delay of a timer, this can be held
 * against a bound.
 */
export function watchLoopTurns(): LoopTurns {
  let longestMs = 0;
  let before = process.threadCpuUsage();
  const look = () => {
    const now = process.threadCpuUsage();
    longestMs = Math.max(longestMs, (now.user + now.system - before.user - before.system) / 1000);
    before = now;
  };
  const timer = setInterval(look, 1);
  return {
    stop() {
      clearInterval(timer);
      look();
      return longestMs;
    },
  };
}
