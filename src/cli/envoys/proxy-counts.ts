import { countOfBuckets, percentileOfBuckets } from '../../base/buckets.ts';
import { counted } from '../../base/text/counted.ts';
import type { AbortCondition, Judgement, Measure } from '../options/abort-on.ts';

/**
 * Counts of a place's proxies, for requests of their own users: sidecars' workloads, and clients at the edge.
 */
export interface ProxyCounts {
  /** Completed requests. */
  readonly requests: number;
  /** Those answered with a 5xx. */
  readonly errors: number;
  /** Requests for which an egress gateway found no IDC. */
  readonly nobody: number;
  /** Requests refused by a circuit breaker. */
  readonly overflow: number;
  /** Retries. */
  readonly retries: number;
  /** Tries sent to local instances, and to local egress gateways. */
  readonly local: number;
  readonly crossing: number;
  /** Cumulative histogram: requests by upper bound of their time in milliseconds. */
  readonly latencies: ReadonlyMap<number, number>;
}

const countKeys = ['requests', 'errors', 'nobody', 'overflow', 'retries', 'local', 'crossing'] as const;

/** Zero counts. */
export const noCounts: ProxyCounts = {
  ...{ requests: 0, errors: 0, nobody: 0, overflow: 0, retries: 0, local: 0, crossing: 0 },
  latencies: new Map(),
};

/** Fewer requests are not significant. */
const ratioRequestsMin = 20;

function combine(a: ProxyCounts, b: ProxyCounts, of: (a: number, b: number) => number): ProxyCounts {
  const bounds = new Set([...a.latencies.keys(), ...b.latencies.keys()]);
  const counts = Object.fromEntries(countKeys.map((key) => [key, of(a[key], b[key])]));
  return {
    ...(counts as Pick<ProxyCounts, (typeof countKeys)[number]>),
    latencies: new Map([...bounds].map((ms) => [ms, of(a.latencies.get(ms) ?? 0, b.latencies.get(ms) ?? 0)])),
  };
}

/** The counts of a proxy between two readings; after a restart it counts from 0. */
export function countsBetween(before: ProxyCounts, after: ProxyCounts): ProxyCounts {
  // Counts of clusters disappear with their Groups; those of a listener stay.
  const isNew = after.requests < before.requests;
  return isNew ? after : combine(before, after, (a, b) => Math.max(0, b - a));
}

/** The sum over several proxies. */
export function sumOfCounts(list: readonly ProxyCounts[]): ProxyCounts {
  return list.reduce((total, one) => combine(total, one, (a, b) => a + b), noCounts);
}

/** Requests in the histograms, which are merged each few seconds. */
export function timedOf({ latencies }: ProxyCounts): number {
  return countOfBuckets(latencies);
}

/** A percentile in milliseconds: the upper bound of its bucket. */
export function percentileOf(counts: ProxyCounts, share: number): number {
  return percentileOfBuckets(counts.latencies, share);
}

const shareOf: Partial<Readonly<Record<Measure, number>>> = { p50: 0.5, p90: 0.9, p99: 0.99, p999: 0.999 };

/** Fewest requests for a percentile: below, it is the slowest one. */
function timedMin(share: number): number {
  return Math.max(ratioRequestsMin, Math.round(1 / (1 - share)));
}

/**
 * Whether a condition is met. A share above 0 needs more than one request: a single failure among few decides
 * nothing. A percentile is the upper bound of its bucket.
 */
export function judgeCounts(counts: ProxyCounts, { measure, limit }: AbortCondition): Judgement {
  const share = shareOf[measure];
  if (share !== undefined) {
    const [seen, needed] = [timedOf(counts), timedMin(share)];
    if (seen < needed) return tooFew(measure, seen, needed);
    const value = percentileOf(counts, share);
    return value > limit ? so(`${measure} is up to ${value} ms`, `${limit} ms`) : { outcome: 'not so' };
  }
  const { requests } = counts;
  if (requests < ratioRequestsMin) return tooFew(measure, requests, ratioRequestsMin);
  if (measure === 'tries') {
    const tries = triesOf(counts);
    return tries > limit ? so(`tries are ${tries.toFixed(2)} a request`, `${limit}`) : { outcome: 'not so' };
  }
  const count = measure === 'errors' ? counts.errors : measure === 'no-idc' ? counts.nobody : counts.overflow;
  if (count <= Math.max(limit * requests, limit === 0 ? 0 : 1)) return { outcome: 'not so' };
  return so(`${measure} is ${percentText(count / requests)} (${count} of ${requests})`, percentText(limit));
}

function so(found: string, limit: string): Judgement {
  return { outcome: 'so', words: `${found}, more than ${limit}` };
}

function tooFew(what: Measure, seen: number, needed: number): Judgement {
  return { outcome: 'unknown', words: `${seen} of the ${needed} requests that ${what} needs` };
}

/** Tries per request, at the first proxy of each. */
export function triesOf({ requests, retries }: ProxyCounts): number {
  return requests === 0 ? 0 : 1 + retries / requests;
}

/** The share of tries sent out of the IDC; 0 without tries. */
export function crossingShare({ local, crossing }: ProxyCounts): number {
  return local + crossing === 0 ? 0 : crossing / (local + crossing);
}

/** A share as text. */
export function percentText(share: number): string {
  return `${Math.round(share * 10_000) / 100} %`;
}

/** Counts as text. */
export function countsText(counts: ProxyCounts): string {
  const { requests, errors } = counts;
  if (requests === 0) return '0 requests';
  const times = timedOf(counts) === 0 ? [] : [0.5, 0.99].map((share) => percentileOf(counts, share));
  return [
    counted(requests, 'request'),
    `${percentText(errors / requests)} errors`,
    ...(times.length === 0 ? [] : [`p50 ≤ ${times[0]} ms`, `p99 ≤ ${times[1]} ms`]),
    `${triesOf(counts).toFixed(2)} tries`,
    `${percentText(crossingShare(counts))} sent out of the IDC`,
  ].join(', ');
}
