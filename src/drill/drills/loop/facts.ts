import type { Moment } from '../../faults/fault.ts';
import type { Measurement, Refusing } from '../../measure/measurement.ts';
import type { TrailCounters } from '../../measure/trail-counters.ts';

/** Instances that were down for a while, in milliseconds of the machine's clock. */
export interface Down {
  /** Such as `sh-a/checkout-1`. */
  readonly instances: readonly string[];
  /** When the last of them had ended. */
  readonly from: number;
  /** When they were started again. */
  readonly to: number;
}

/** What the loop drills measure besides what every drill does. */
export interface LoopFacts {
  readonly downs: readonly Down[];
  /**
   * What nobody could serve, and how long it may be refused: some time after the first instances are back,
   * too.
   */
  readonly refusing: Refusing;
  /** From when the last that could serve it had ended until the first was started again. */
  readonly hopeless: Moment;
  /** When all that was started again answered; NaN when it never did. */
  readonly healthyAt: number;
  /** What the trail filters counted from before the first fault to the end. */
  readonly counted: TrailCounters;
}

/** Everything that a loop drill measured. */
export type LoopMeasurement = Measurement & LoopFacts;

/** What a loop drill must keep to. Times in milliseconds. */
export const loopBounds = {
  /** Time limit of refusing what cannot be served, from when the request was due. */
  refusedMs: 1000,
  /** From when all instances answer again until nothing is refused any more. */
  returnMs: 5000,
  /** Tries at instances for one request. */
  tries: 8,
} as const;
