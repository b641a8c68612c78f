import type { Clock } from '../../src/base/clock.ts';

/** A clock that stands still until it is moved. */
export interface ManualClock extends Clock {
  /** Moves time on, running what falls due, in order. */
  pass(ms: number): void;
  /** Moves time on at once, as for a process that stood still: what fell due meanwhile runs late. */
  stall(ms: number): void;
  /** Moves time on and runs nothing: what falls due does so with the next `pass`. */
  leap(ms: number): void;
  /** Timers that run. */
  readonly pending: number;
}

/** Creates it, at 0; wall time begins in the year 2026. */
export function manualClock(): ManualClock {
  const epoch = 1_767_225_600_000;
  let time = 0;
  let timers: { at: number; fn: () => void }[] = [];
  const next = (until: number) => timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
  function pass(ms: number): void {
    const end = time + ms;
    for (let due = next(end); due !== undefined; due = next(end)) {
      const one = due;
      timers = timers.filter((timer) => timer !== one);
      time = Math.max(time, one.at);
      one.fn();
    }
    time = end;
  }
  return {
    now: () => time,
    wall: () => epoch + time,
    after(delayMs, fn) {
      const timer = { at: time + delayMs, fn };
      timers.push(timer);
      return {
        cancel() {
          timers = timers.filter((one) => one !== timer);
        },
      };
    },
    pass,
    get pending() {
      return timers.length;
    },
    leap(ms) {
      time += ms;
    },
    stall(ms) {
      time += ms;
      pass(0);
    },
  };
}
