import { succeeded } from '../load/sample.ts';
import { fateOf, latenciesOf } from '../measure/fates.ts';
import type { Measurement } from '../measure/measurement.ts';
import { latencyOf, sliceBy } from './stats.ts';

/** One column of the plots: what was due in `widthMs`. */
export interface TimePoint {
  /** Seconds from the first phase's begin, of the middle of the slice. */
  readonly second: number;
  readonly served: number;
  readonly failed: number;
  readonly lostInFlight: number;
  readonly refused: number;
  /**
   * Milliseconds; absent when nothing was served. `p99` is of the second that ends here: a slice has too few
   * for it.
   */
  readonly p50?: number;
  readonly p99?: number;
  readonly max?: number;
  /** Successes by IDC. */
  readonly byIdc: Readonly<Record<string, number>>;
}

/** A drill along time. */
export interface Timeline {
  readonly widthMs: number;
  readonly seconds: number;
  readonly idcs: readonly string[];
  readonly points: readonly TimePoint[];
  readonly phases: readonly { readonly name: string; readonly from: number; readonly to: number }[];
  /** What happened when, in seconds. */
  readonly marks: readonly {
    readonly second: number;
    readonly text: string;
    /** Instances and gateways that it silenced, such as `sh-a/checkout-1`. */
    readonly struck: readonly string[];
  }[];
}

/** Cuts a measurement into slices of 100 ms by when requests were due. */
export function timelineOf(m: Measurement, widthMs = 100): Timeline {
  const from = m.phases[0]?.from ?? 0;
  const to = m.phases.at(-1)?.to ?? from;
  const second = (ms: number) => (ms - from) / 1000;
  const idcs = [...new Set([...m.idcs, ...m.samples.filter(succeeded).map((s) => s.idc)])].sort();
  const slices = sliceBy(m.samples, (s) => s.due, { from, to, width: widthMs });
  const perSecond = Math.max(1, Math.round(1000 / widthMs));
  const points = slices.map((slice, i): TimePoint => {
    const fates = slice.items.map((sample) => fateOf(sample, m));
    const successes = slice.items.filter(succeeded);
    const latency = latencyOf(latenciesOf(slice.items));
    const second99 = latencyOf(
      latenciesOf(slices.slice(Math.max(0, i + 1 - perSecond), i + 1).flatMap(({ items }) => items)),
    ).p99;
    return {
      second: second((slice.from + slice.to) / 2),
      served: successes.length,
      failed: fates.filter((fate) => fate === 'failed').length,
      lostInFlight: fates.filter((fate) => fate === 'lost in flight').length,
      refused: fates.filter((fate) => fate === 'refused').length,
      ...(successes.length > 0 && { p50: latency.p50, p99: second99, max: latency.max }),
      byIdc: Object.fromEntries(idcs.map((idc) => [idc, successes.filter((s) => s.idc === idc).length])),
    };
  });
  const marks = m.steps.map(({ claim, moment, struck }) => ({
    second: second(moment.from),
    text: claim,
    struck,
  }));
  const phases = m.phases.map((phase) => ({
    name: phase.name,
    from: second(phase.from),
    to: second(phase.to),
  }));
  return { widthMs, seconds: second(to), idcs, points, phases, marks };
}
