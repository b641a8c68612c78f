import type { Moment } from '../faults/fault.ts';
import type { LossFacts } from '../faults/loss.ts';
import type { EjectionLook } from '../measure/ejected.ts';
import type { Ejections } from '../measure/ejections.ts';
import type { AckFacts, LostSite, Measurement, StepFacts } from '../measure/measurement.ts';

/** An instance that was taken out of its registry, and from when until when nothing may be sent to it. */
export interface Leave {
  readonly instance: string;
  /** When its deregistration had returned. */
  readonly from: number;
  /** When it was put back; infinite when it was not. */
  readonly to: number;
}

/** A way between two IDCs on which no packet arrived, in one direction. */
export interface Cut {
  readonly from: string;
  readonly to: string;
  readonly injected: Moment;
  /** Infinite when it was not whole again. */
  readonly healed: Moment;
}

/**
 * Instances that were gray from a step to the end of its phase, and whom their IDC's caller ejected
 * meanwhile.
 */
export interface Sickness {
  readonly phase: string;
  /** In words, such as `fails 5% of its requests`. */
  readonly what: string;
  readonly sick: readonly string[];
  readonly from: number;
  readonly to: number;
  readonly looks: readonly EjectionLook[];
}

/** A time in which an IDC was evacuated, by whatever share. */
export interface Evacuated {
  readonly idc: string;
  readonly from: number;
  /** Infinite when it did not end. */
  readonly to: number;
}

/** What a scenario adds to what every drill measures. */
export interface ScenarioFacts {
  /** Whether Groups may cross to another IDC. */
  readonly crossing: boolean;
  /** The IDC of which most was struck; '' when nothing was. */
  readonly lostIdc: string;
  /** Hosts whose Groups ask for hedging; of the others' latency nothing is declared. */
  readonly hedging: readonly string[];
  /** The faults, as they were injected. */
  readonly faults: readonly StepFacts[];
  /** The first healing; infinite when there was none. */
  readonly healed: Moment;
  /** When all that was healed answered again; NaN when it never did. */
  readonly healthyAt: number;
  /** When a whole IDC was killed. */
  readonly lostSite?: LostSite;
  /** Endpoint edits that were saved. */
  readonly edits: number;
  readonly acks: readonly AckFacts[];
  readonly losses: LossFacts['faults'];
  readonly addresses: LossFacts['addresses'];
  /** From the beginning of the load until the first fault, zeroes left out. */
  readonly ejections: readonly Ejections[];
  /**
   * Lookups of names that failed at callers and ingress gateways, from the beginning to the end of the load.
   */
  readonly lookupsFailed: number;
  /** Times that control planes said that they could not write to their disk. */
  readonly writesFailed: number;
  readonly leaves: readonly Leave[];
  readonly cuts: readonly Cut[];
  readonly sicknesses: readonly Sickness[];
  /** Ejections of its own instances by the proxies of the IDC of the bound `overload`, in its phase. */
  readonly ejectedInOverload: number;
  /** Absent: nothing was evacuated. */
  readonly evacuations?: readonly Evacuated[];
  /** Requests that an instance bears at once, where a bound says so; absent: nothing is declared. */
  readonly capacity?: number;
}

/** Everything that a scenario measured. */
export type ScenarioMeasurement = Measurement & ScenarioFacts;
