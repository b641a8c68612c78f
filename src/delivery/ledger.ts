import type { Histogram } from 'hdr-histogram-js';
// The package as a whole loads a codec and a Wasm module that nothing here needs: a tenth of a start.
import Int32 from 'hdr-histogram-js/dist/Int32Histogram.js';
import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { EventSink } from '../events/event.ts';
import type { Series } from '../metrics/latency-histogram.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { type Push, type PushCause, type SlowPush, stagesOf, type TypeProgress } from './push-record.ts';

/** An ACK or NACK of one response. Times in the clock's `now`. */
export interface PushAnswer {
  readonly node: string;
  /** Envoy's abbreviation of the resource type: CDS, EDS, … */
  readonly type: string;
  readonly sentAtMs: number;
  readonly ackedAtMs: number;
  /** Causes of all pushes that the response is the first to contain. */
  readonly causes: readonly PushCause[];
  /** Causes of pushes that a newer one replaced before they were sent. */
  readonly superseded: readonly PushCause[];
}

/** Event → ACK so far, in milliseconds; over all nodes and types. */
interface AckSummary {
  readonly count: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** A push under construction. */
export interface OpenPush {
  /** The cause to pass to the xDS server. */
  readonly cause: PushCause;
  /** A part was encoded in `encodeMs`; it has `subscriptions` by type, and is included in `revision`. */
  addPart(revision: number, subscriptions: Readonly<Record<string, number>>, encodeMs: number): void;
  /** All parts were encoded. */
  end(): void;
}

/** What the ledger needs from other parts. */
interface LedgerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: EventSink;
  readonly metrics: Metrics;
  /** Whether proxies are answered: until then none can be late. */
  isAnswering(): boolean;
  /** Whether every proxy has ACKed all that concerns it up to a revision. */
  isConfirmed(revision: number): boolean;
  /** The proxies that have not. */
  unconfirmed(revision: number): readonly { readonly id: number; readonly node: string }[];
}

/** When a push counts as late and as slow, by default; docs/status.md states them. */
const ledgerLimits = { lateMs: 10_000, slowMs: 1_000 };

const sweepMs = 1_000;
// Limits on memory: pushes that may still be ACKed, remembered slow ones, names in one of those.
export const pushesMax = 4_096;
const slowMax = 32;
const namesMax = 10;

/**
 * Follows every push from the reading of its event to the last ACK, including waiting, coalescing, encoding
 * and the network. The cost of an ACK does not depend on the number of pushes.
 */
export class Ledger {
  readonly #options: LedgerOptions;
  readonly #total = microseconds();
  // Oldest first; complete ones stay for late ACKs until there are too many.
  readonly #pushes = new Map<PushCause, Push>();
  readonly #open = new Set<Push>();
  readonly #lateStreams = new Map<
    number,
    { readonly node: string; readonly since: number; readonly revision: number }
  >();
  readonly #series = new Map<string, Map<string, { total: Series; send: Series; ack: Series }>>();
  #slowPushes: SlowPush[] = [];
  #sweeper: Timer | undefined;

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  /** Begins a push; `at`: when its earliest event was read, `what`: the first event. */
  begin(source: string, at: number, events: number, what: string): OpenPush {
    const { clock, metrics } = this.#options;
    // The object identifies the push on its way to the proxies and back. A time could not: two may be equal,
    // and a float loses precision with uptime.
    const cause: PushCause = { at };
    const push: Push = {
      ...{ cause, at, source, events, what, startedAt: clock.now(), encodeMs: 0, encodedAt: 0, revision: 0 },
      ...{ types: new Map(), waiting: 0, lastSentAt: 0, lastAckedAt: 0, lastNode: '', nacks: 0 },
    };
    return {
      cause,
      addPart: (revision, subscriptions, encodeMs) => {
        push.encodeMs += encodeMs;
        push.revision = revision;
        for (const [type, count] of Object.entries(subscriptions)) {
          const progress = push.types.get(type) ?? { expected: 0, answered: 0, lastAckedAt: 0 };
          push.types.set(type, progress);
          progress.expected += count;
          push.waiting += count;
        }
      },
      end: () => {
        push.encodedAt = clock.now();
        const { queueMs, planMs, encodeMs } = stagesOf(push);
        for (const [stage, ms] of Object.entries({ queue: queueMs, plan: planMs, encode: encodeMs }))
          metrics.pushStage.series(stage, 'all', source).record(ms);
        if (push.waiting > 0 && this.#options.isAnswering()) this.#follow(push);
      },
    };
  }

  #follow(push: Push): void {
    this.#pushes.set(push.cause, push);
    this.#open.add(push);
    if (this.#pushes.size > pushesMax) {
      const [oldest] = this.#pushes.values();
      if (oldest !== undefined) this.#pushes.delete(oldest.cause);
      // Above the limit with none ACKed the oldest is dropped: the newer ones report the same.
      if (oldest !== undefined) this.#open.delete(oldest);
    }
    this.#sweeper ??= this.#options.clock.after(sweepMs, () => this.sweep());
  }

  /** Records an ACK. */
  acked(answer: PushAnswer): void {
    for (const cause of answer.causes) {
      const push = this.#pushes.get(cause);
      const source = push?.source ?? 'unknown';
      const series = this.#seriesOf(answer.type, source);
      const totalMs = answer.ackedAtMs - cause.at;
      // Microseconds: the histogram takes integers.
      this.#total.recordValue(Math.max(1, Math.round(totalMs * 1000)));
      series.total.record(totalMs);
      series.ack.record(answer.ackedAtMs - answer.sentAtMs);
      if (push === undefined) continue;
      series.send.record(Math.max(0, answer.sentAtMs - push.encodedAt));
      this.#recordAnswer(push, answer);
    }
    for (const cause of answer.superseded) {
      const push = this.#pushes.get(cause);
      if (push !== undefined) this.#recordAnswer(push, answer);
    }
  }

  /** Records a NACK: an answer without the arrival of an event. */
  nacked(answer: PushAnswer): void {
    for (const cause of [...answer.causes, ...answer.superseded]) {
      const push = this.#pushes.get(cause);
      if (push === undefined) continue;
      push.nacks += 1;
      this.#recordAnswer(push, answer);
    }
  }

  #recordAnswer(push: Push, answer: PushAnswer): void {
    const progress = push.types.get(answer.type);
    push.lastSentAt = Math.max(push.lastSentAt, answer.sentAtMs);
    push.lastAckedAt = answer.ackedAtMs;
    push.lastNode = answer.node;
    push.waiting -= 1;
    if (progress !== undefined) {
      progress.answered += 1;
      progress.lastAckedAt = answer.ackedAtMs;
      if (progress.answered === progress.expected) this.#recordLast(push, answer.type, progress);
    }
    if (push.waiting === 0) this.#close(push, []);
  }

  #recordLast(push: Push, type: string, progress: TypeProgress): void {
    this.#options.metrics.eventToLastAck.series(type, push.source).record(progress.lastAckedAt - push.at);
  }

  /** Ends the wait; `late`: nodes that did not answer in time. */
  #close(push: Push, late: readonly string[]): void {
    if (!this.#open.delete(push)) return;
    const { metrics, clock } = this.#options;
    // `answered` does not count streams that ended, or have a newer state.
    for (const [type, progress] of push.types)
      if (progress.answered > 0 && progress.answered < progress.expected && late.length === 0)
        this.#recordLast(push, type, progress);
    const end = late.length > 0 ? clock.now() : push.lastAckedAt;
    const totalMs = end - push.at;
    if (late.length === 0 && push.lastAckedAt > 0)
      metrics.eventToLastAck.series('all', push.source).record(totalMs);
    if (late.length > 0) metrics.latePushes.inc({ source: push.source });
    this.#tell(push, totalMs, late);
    if (late.length === 0 && (totalMs < ledgerLimits.slowMs || push.lastAckedAt === 0)) return;
    const { source, events, what, lastNode, nacks } = push;
    const subscriptions = subscriptionsOf(push);
    this.#slowPushes = [
      ...this.#slowPushes.slice(1 - slowMax),
      {
        ...{
          wallMs: clock.wall() - (clock.now() - push.at),
          source,
          events,
          what,
          types: [...push.types.keys()],
        },
        ...{ totalMs, subscriptions, lastNode, nacks, late: late.slice(0, namesMax), ...stagesOf(push) },
      },
    ];
  }

  /** One event for each push, once its wait is over. */
  #tell(push: Push, totalMs: number, late: readonly string[]): void {
    const { source, events, what, lastNode, lastAckedAt, nacks, revision, types } = push;
    const ended = late.length > 0 ? { late: late.slice(0, namesMax) } : { lastNode };
    this.#options.events.note({
      ...{ kind: 'push', phase: late.length > 0 ? 'late' : 'acked' },
      ...{ source, what, events, revision, types: [...types.keys()], subscriptions: subscriptionsOf(push) },
      // Without an answer its streams have ended, or got newer state.
      ...(lastAckedAt > 0 || late.length > 0 ? { ms: Math.round(10 * totalMs) / 10, nacks, ...ended } : {}),
    });
  }

  /** Closes pushes that need no more answers, reports late ones. Runs each second while any is open. */
  sweep(): void {
    const { clock, isConfirmed } = this.#options;
    this.#sweeper = undefined;
    const now = clock.now();
    const old = [...this.#open].filter((push) => now - push.at >= sweepMs);
    const newest = old.at(-1);
    // A stream that ended, or got a newer state instead, never answers for a push: the server decides.
    if (newest !== undefined && isConfirmed(newest.revision)) for (const push of old) this.#close(push, []);
    else this.#reportLate(old.filter((push) => now - push.at >= ledgerLimits.lateMs));
    this.#forgetLate();
    if (this.#open.size + this.#lateStreams.size > 0)
      this.#sweeper ??= clock.after(sweepMs, () => this.sweep());
  }

  #reportLate(overdue: readonly Push[]): void {
    const newest = overdue.at(-1);
    if (newest === undefined) return;
    const { clock, logger, metrics, unconfirmed } = this.#options;
    const proxies = unconfirmed(newest.revision);
    for (const { id, node } of proxies) {
      if (this.#lateStreams.has(id)) continue;
      this.#lateStreams.set(id, { node, since: newest.at, revision: newest.revision });
      const forMs = Math.round(clock.now() - newest.at);
      logger.warn('a proxy has not ACKed a push', { node, forMs, push: newest.what, source: newest.source });
      metrics.lateProxies.inc();
    }
    for (const push of overdue)
      this.#close(
        push,
        proxies.map(({ node }) => node),
      );
  }

  #forgetLate(): void {
    if (this.#lateStreams.size === 0) return;
    const { clock, logger, metrics, unconfirmed } = this.#options;
    const revision = Math.max(...[...this.#lateStreams.values()].map((one) => one.revision));
    const still = new Set(unconfirmed(revision).map(({ id }) => id));
    for (const [id, { node, since }] of this.#lateStreams) {
      if (still.has(id)) continue;
      this.#lateStreams.delete(id);
      metrics.lateProxies.dec();
      logger.info('a late proxy has caught up or disconnected', {
        node,
        afterMs: Math.round(clock.now() - since),
      });
    }
  }

  #seriesOf(type: string, source: string): { total: Series; send: Series; ack: Series } {
    const bySource = this.#series.get(type) ?? new Map();
    this.#series.set(type, bySource);
    const known = bySource.get(source);
    if (known !== undefined) return known;
    const { eventToAck, pushStage } = this.#options.metrics;
    const made = {
      total: eventToAck.series(type, source),
      send: pushStage.series('send', type, source),
      ack: pushStage.series('ack', type, source),
    };
    bySource.set(source, made);
    return made;
  }

  /** Quantiles of event → ACK so far; zeros before the first ACK. */
  summary(): AckSummary {
    const at = (percentile: number) => this.#total.getValueAtPercentile(percentile) / 1000;
    const count = this.#total.totalCount;
    if (count === 0) return { count: 0, p50Ms: 0, p90Ms: 0, p95Ms: 0, p99Ms: 0, maxMs: 0 };
    return {
      count,
      p50Ms: at(50),
      p90Ms: at(90),
      p95Ms: at(95),
      p99Ms: at(99),
      maxMs: this.#total.maxValue / 1000,
    };
  }

  /** Number of remembered pushes. */
  sizes(): Readonly<Record<string, number>> {
    return { pushes: this.#pushes.size };
  }

  /** The last slow or late pushes, newest first. */
  slowPushes(): readonly SlowPush[] {
    return [...this.#slowPushes].reverse();
  }

  close(): void {
    this.#sweeper?.cancel();
  }
}

function subscriptionsOf({ types }: Push): number {
  return [...types.values()].reduce((sum, { expected }) => sum + expected, 0);
}

/** A histogram of microseconds with three digits; longer ones than ten minutes make it larger. */
function microseconds(): Histogram {
  const histogram = new Int32.default(1, 600_000_000, 3);
  histogram.autoResize = true;
  return histogram;
}
