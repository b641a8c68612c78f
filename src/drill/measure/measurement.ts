import type { Moment } from '../faults/fault.ts';
import type { Sample } from '../load/sample.ts';
import type { UpstreamEntry } from '../upstream/upstream-log.ts';
import type { IsolationFindings } from './isolation.ts';
import type { Phase } from './phases.ts';
import type { Usage } from './usage.ts';

/** One load, as it was planned and how far it got. */
export interface StreamFacts {
  readonly stream: string;
  /** The IDC whose sidecar it enters; absent for clients of the edge. */
  readonly idc?: string;
  readonly ratePerSecond: number;
  /** Hosts that it asks for, by turn of its requests' numbers. */
  readonly hosts: readonly string[];
  /** Requests that were due. */
  readonly planned: number;
  /** When its client was killed, which was part of the drill. */
  readonly killed?: Moment;
  /** Due time of each request by its number, in milliseconds of the machine's monotonic clock. */
  readonly due: (number: number) => number;
}

/** One line of an Envoy's access log. */
export interface AccessLine {
  /** Such as `sh-a/egress-1`. */
  readonly proxy: string;
  readonly idc: string;
  readonly listener: string;
  /** When the request came, in milliseconds of the machine's monotonic clock. */
  readonly at: number;
  /** How long it took, in milliseconds. */
  readonly durationMs: number;
  /** `x-drill-id`; '' when the request carried none (health checks). */
  readonly id: string;
  readonly status: number;
  readonly flags: string;
  /** The trail as it was sent upstream; '' when there was none. */
  readonly trail: string;
  /** Tries that were made upstream. */
  readonly attempts: number;
  /** Why a proxy refused it; '' when none did. */
  readonly outcome: string;
  /** Where its last try went, as `address:port`; '' when it went nowhere. */
  readonly upstream?: string;
}

/** A listener's counter held against its access log: `before <= lines <= after` must hold. */
export interface CounterCheck {
  readonly proxy: string;
  readonly listener: string;
  /** The counter of requests, read before the access log was. */
  readonly before: number;
  /** Lines in the access log since the Envoy's start. */
  readonly lines: number;
  /** The counter, read after. */
  readonly after: number;
}

/**
 * An Envoy whose counters and last lines were lost, because the drill killed it; an instance's sidecar goes
 * by its instance.
 */
export interface LostProxy {
  readonly proxy: string;
  readonly killed: Moment;
}

/** The control plane's own account of event → ACK, in milliseconds. */
export interface AckFacts {
  readonly idc: string;
  /** Proxies that use the endpoints that were edited: each must ACK each edit. */
  readonly proxies: number;
  readonly count: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** One step of a drill, as it was done. */
export interface StepFacts {
  /** What was done, as a claim that the report numbers. */
  readonly claim: string;
  readonly moment: Moment;
  /** Instances and gateways that it silenced, such as `sh-a/checkout-1` (an instance with its sidecar). */
  readonly struck: readonly string[];
}

/** A site that died with all that was inside: what was in flight there may be lost. */
export interface LostSite {
  /** What all its addresses begin with. */
  readonly prefix: string;
  readonly died: Moment;
}

/** Requests that nobody can serve, and that must be refused, soon and in words, rather than fail. */
export interface Refusing {
  readonly hosts: readonly string[];
  /** When the last that could serve them had ended. */
  readonly from: number;
  /** When the first was started again. */
  readonly to: number;
}

/** What every drill measures; a drill adds what it alone looks at. The verdict is a function of it. */
export interface Measurement {
  readonly idcs: readonly string[];
  readonly phases: readonly Phase[];
  /** In the order in which they were begun. */
  readonly steps: readonly StepFacts[];
  /** The site that the drill let die, when it did. */
  readonly lostSite?: LostSite;
  /** What nobody could serve for a while, when the drill left nobody. */
  readonly refusing?: Refusing;
  readonly streams: readonly StreamFacts[];
  readonly samples: readonly Sample[];
  /** The instances' own logs, by `idc/instance`, without probes and health checks. */
  readonly entries: ReadonlyMap<string, readonly UpstreamEntry[]>;
  readonly access: readonly AccessLine[];
  readonly counters: readonly CounterCheck[];
  /**
   * Each listener of each Envoy that there is, such as `sh-a/egress-1 sidecar`, of those that ran to the end:
   * each must have its counter.
   */
  readonly listeners: readonly string[];
  readonly lost: readonly LostProxy[];
  readonly isolation: IsolationFindings;
  /**
   * How long a bare Node process took to start, at its worst, in milliseconds; absent: it was not measured.
   */
  readonly bareStartMs?: number;
  /** Whether the drill had real-time priority; absent when it asked for none. */
  readonly realtime?: boolean;
  /** What used the machine's processors; not judged. */
  readonly usage: readonly Usage[];
}
