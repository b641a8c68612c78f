import type { Moment } from '../../fault.ts';
import type { AckFacts, LostSite, Measurement, StepFacts } from '../../measurement.ts';
import type { OutageKind } from './kinds.ts';

/** What the outage of an IDC adds to what every drill measures. */
export interface OutageFacts {
  readonly outage: OutageKind;
  /** Whether Groups may cross to another IDC; false in the negative control. */
  readonly crossing: boolean;
  readonly lostIdc: string;
  /** Hosts whose Groups ask for hedging; of the others' latency nothing is declared. */
  readonly hedging: readonly string[];
  /** The blows, as they fell. */
  readonly faults: readonly StepFacts[];
  readonly healed: Moment;
  /** When all that was healed answered again; NaN when it never did. */
  readonly healthyAt: number;
  /** Of `site`. */
  readonly lostSite?: LostSite;
  /** Endpoint edits that were saved. */
  readonly edits: number;
  readonly acks: readonly AckFacts[];
}

/** Everything that the outage of an IDC measured. */
export type OutageMeasurement = Measurement & OutageFacts;
