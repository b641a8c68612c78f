import { crossingShare, type ProxyCounts, percentileOf, timedOf, triesOf } from '../envoys/proxy-counts.ts';

/** Statistics of an IDC's users. Shares from 0 to 1, times in milliseconds, absent without timed requests. */
export interface LiveFigures {
  readonly requests: number;
  readonly errors: number;
  readonly noIdc: number;
  readonly spillLimit: number;
  /** Upper bounds of buckets of Envoy's histograms. */
  readonly p50?: number;
  readonly p90?: number;
  readonly p99?: number;
  readonly p999?: number;
  /** Per request. */
  readonly tries: number;
  /** The share of tries sent out of the IDC. */
  readonly away: number;
}

/** A part of a run. */
export interface LivePhase {
  /** `baseline`, `10 %`, `home again`. */
  readonly name: string;
  readonly from: string;
  readonly seconds: number;
  /** Time until every proxy had confirmed it. */
  readonly confirmedMs?: number;
  readonly idcs: Readonly<Record<string, LiveFigures>>;
}

/** How a run ended. */
export type LiveEnd = 'done' | 'refused' | 'aborted' | 'interrupted';

/** A run in `run.json`. Times are RFC 3339. */
export interface LiveRun {
  readonly drill: 'evacuate';
  readonly idc: string;
  /** Empty: all Groups. */
  readonly groups: readonly string[];
  readonly evacuation: string;
  readonly steps: readonly number[];
  readonly holdSeconds: readonly number[];
  readonly leaseSeconds: number;
  readonly abortOn: string;
  readonly who: string;
  readonly reason?: string;
  readonly controlPlanes: readonly string[];
  readonly proxies: readonly { readonly id: string; readonly role: string; readonly idc: string }[];
  readonly began: string;
  readonly phases: readonly LivePhase[];
  readonly events: readonly { readonly at: string; readonly words: string }[];
  /** Absent: it runs, or its process died; then its lease has ended it. */
  readonly end?: {
    readonly at: string;
    readonly how: LiveEnd;
    readonly why: string;
    readonly isUndone: boolean;
  };
}

/** The figures of some counts. */
export function liveFigures(counts: ProxyCounts): LiveFigures {
  const { requests, errors, nobody, overflow } = counts;
  const times =
    timedOf(counts) === 0
      ? {}
      : {
          p50: percentileOf(counts, 0.5),
          p90: percentileOf(counts, 0.9),
          p99: percentileOf(counts, 0.99),
          p999: percentileOf(counts, 0.999),
        };
  return {
    ...{ requests, errors, noIdc: nobody, spillLimit: overflow, ...times },
    ...{ tries: round(triesOf(counts)), away: round(crossingShare(counts)) },
  };
}

function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
