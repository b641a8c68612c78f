import type { AccessLine, Measurement } from '../../measure/measurement.ts';
import type { TrailCounters } from '../../measure/trail-counters.ts';
import type { UpstreamEntry } from '../../upstream/upstream-log.ts';
import type { AttackAnswer } from './client.ts';

/** An address open to a hostile client. */
export interface Door {
  /** Such as `edge of sh-a/ingress-1`. */
  readonly name: string;
  /** The listener: its name in access logs. */
  readonly listener: string;
}

/** One hostile request, and its result. */
export interface Attempt {
  readonly id: string;
  /** Its name in `attacks`. */
  readonly attack: string;
  readonly door: Door;
  /** Whether it asked for the Group that only the far IDC has. */
  readonly far: boolean;
  readonly answer: AttackAnswer;
}

/** What the spoofing drill measures besides what every drill does. */
export interface SpoofFacts {
  readonly attempts: readonly Attempt[];
  /** Lines of hostile requests in all access logs. */
  readonly lines: readonly AccessLine[];
  /** Hostile requests that reached an application, by instance. */
  readonly reached: ReadonlyMap<string, readonly UpstreamEntry[]>;
  /** What the trail filters counted while hostile requests were sent. */
  readonly counted: TrailCounters;
}

/** Everything that the spoofing drill measured. */
export type SpoofMeasurement = Measurement & SpoofFacts;
