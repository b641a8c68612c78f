import { type Clock, systemClock } from '../base/clock.ts';

/**
 * The machine's monotonic clock in milliseconds. Unlike `systemClock.now()`, whose zero is the start of the
 * process, its zero is the same in all processes of the machine: a drill compares times across processes.
 */
export const machineClock: Clock = {
  now: () => Number(process.hrtime.bigint()) / 1e6,
  wall: systemClock.wall,
  after: systemClock.after,
};
