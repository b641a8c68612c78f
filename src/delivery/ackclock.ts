import { build, type Histogram } from 'hdr-histogram-js';

/** One ACK of a response that carried at least one registry event. */
export interface TimedAck {
  readonly node: string;
  /** Envoy's abbreviation of the resource type: CDS, EDS, … */
  readonly kind: string;
  /** `Clock.now()` when each event was read by its source; the response is the first that contains it. */
  readonly eventsAt: readonly number[];
  readonly sentAt: number;
  readonly ackedAt: number;
}

/** Event → ACK so far, in milliseconds; over all nodes and types. */
export interface AckSummary {
  readonly count: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Called for each (event, node): how long it took, for metrics. */
export type AckObserver = (kind: string, stage: 'queue' | 'ack' | 'total', ms: number) => void;

/**
 * Measures from the moment a registry event was read to each node's ACK of the first response that contains
 * it. Nothing is left out: waiting, coalescing, encoding and the network count.
 */
export class AckClock {
  readonly #total: Histogram = build({ lowestDiscernibleValue: 1, highestTrackableValue: 600_000_000 });
  readonly #observe: AckObserver;

  constructor(observe: AckObserver = () => {}) {
    this.#observe = observe;
  }

  /** Takes one ACK in. */
  acked(ack: TimedAck): void {
    for (const eventAt of ack.eventsAt) {
      const totalMs = ack.ackedAt - eventAt;
      // Microseconds: the histogram holds whole numbers.
      this.#total.recordValue(Math.max(1, Math.round(totalMs * 1000)));
      this.#observe(ack.kind, 'queue', ack.sentAt - eventAt);
      this.#observe(ack.kind, 'ack', ack.ackedAt - ack.sentAt);
      this.#observe(ack.kind, 'total', totalMs);
    }
  }

  /** Quantiles so far; zeros when nothing was ACKed yet. */
  summary(): AckSummary {
    const at = (percentile: number) => this.#total.getValueAtPercentile(percentile) / 1000;
    const count = this.#total.totalCount;
    if (count === 0) return { count: 0, p50Ms: 0, p90Ms: 0, p99Ms: 0, maxMs: 0 };
    return { count, p50Ms: at(50), p90Ms: at(90), p99Ms: at(99), maxMs: this.#total.maxValue / 1000 };
  }
}
