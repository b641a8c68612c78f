import type { Measurement } from '../measure/measurement.ts';
import type { Moment } from './fault.ts';

/** Ways in which a part of the world is lost. */
export const faultKinds = ['kill', 'stop', 'drop'] as const;
export type FaultKind = (typeof faultKinds)[number];

/** One loss of instances or gateways, and its healing. */
export interface InjectedFault {
  readonly kind: FaultKind;
  readonly injected: Moment;
  /** Instances and gateways, such as `sh-a/checkout-1`. */
  readonly struck: readonly string[];
  /** IDCs of which it struck the control plane; absent: none. */
  readonly planes?: readonly string[];
  /** Infinite when it was not healed. */
  readonly healed: Moment;
  /** When all of them answered again; NaN when they did not before the next fault. */
  readonly healthyAt: number;
}

/** Extra measurements needed to decide which requests may fail with a fault (decision 085). */
export interface LossFacts {
  readonly faults: readonly InjectedFault[];
  /** Where each instance and gateway takes requests, as `address:port`. */
  readonly addresses: Readonly<Record<string, readonly string[]>>;
}

export type LossMeasurement = Measurement & LossFacts;
