import type { LossFacts } from '../../faults/loss.ts';
import type { Ejections } from '../../measure/ejections.ts';
import type { Measurement } from '../../measure/measurement.ts';

/** What this drill adds to what every drill measures. */
export interface RealFacts extends LossFacts {
  /** Until when nothing was broken: the first fault, or the end. */
  readonly healthyTo: number;
  /** From the beginning of the load until then, zeroes left out. */
  readonly ejections: readonly Ejections[];
  /** Proxies that told their ejections. */
  readonly askedProxies: number;
}

export type RealMeasurement = Measurement & RealFacts;
