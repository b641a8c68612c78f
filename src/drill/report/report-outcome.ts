import type { Verdict } from '../judge/verdict.ts';
import type { Environment } from '../measure/environment.ts';
import type { Measurement } from '../measure/measurement.ts';
import type { DrillSettings } from '../options.ts';

/** Everything that a report tells. */
export interface Outcome {
  readonly measurement: Measurement;
  readonly verdict: Verdict;
  readonly environment: Environment;
  readonly settings: DrillSettings;
  readonly began: Date;
  /** Milliseconds until the world stood. */
  readonly raisedMs: number;
  /** Of a drill that was expected to fail: what speaks against its having failed for the right reason. */
  readonly against?: readonly string[];
}
