/** One bound, with what was measured. */
export interface Row {
  /** Stable, for machines. */
  readonly id: string;
  readonly claim: string;
  readonly bound: string;
  readonly measured: string;
  readonly ok: boolean;
  /** It depends on a measured time: if missed on a machine that was too busy, the cause is unknown. */
  readonly timed?: boolean;
  /** Where the report draws the bound; absent where no plot has its quantity. */
  readonly line?: BoundLine;
}

/** A bound as a line in a plot. Times in milliseconds of the machine's monotonic clock. */
export type BoundLine =
  /** A latency in milliseconds, in a span of time. */
  | { readonly plot: 'latency'; readonly value: number; readonly from: number; readonly to: number }
  /** A share in percent of the requests that an IDC serves, in a span of time. */
  | {
      readonly plot: 'share';
      readonly idc: string;
      readonly value: number;
      readonly from: number;
      readonly to: number;
    }
  /** The latest moment at which something must have come true; it shows in one of the plots. */
  | { readonly plot: 'time'; readonly at: number; readonly shows: 'latency' | 'share' };

/** The line of a bound on latency in a span; none where there is nothing to draw. */
export function latencyLine(value: number, { from, to }: { from: number; to: number }): Pick<Row, 'line'> {
  return Number.isFinite(value) ? { line: { plot: 'latency', value, from, to } } : {};
}

/** The line of a bound on the time after a moment; none where the moment never came. */
export function timeLine(
  from: number,
  mostMs: number,
  shows: 'latency' | 'share' = 'share',
): Pick<Row, 'line'> {
  return Number.isFinite(from) ? { line: { plot: 'time', at: from + mostMs, shows } } : {};
}

/**
 * Of a row: that it is of a time, of so many milliseconds or a multiple of another; one that never came is
 * missed on any machine.
 */
export function timedBy(time: number): Pick<Row, 'timed'> {
  return Number.isFinite(time) ? { timed: true } : {};
}

/** Rounds down: 20,999 of 21,000 must not read as 100 %. */
export function percent(share: number): string {
  return share === 1 || share === 0 ? `${100 * share} %` : `${(Math.floor(share * 1e5) / 1e3).toFixed(3)} %`;
}

export const times = (factor: number) =>
  Number.isNaN(factor) ? 'nothing measured' : `${factor.toFixed(2)} ×`;
export const millis = (ms: number) => (Number.isNaN(ms) ? 'nothing measured' : `${ms.toFixed(1)} ms`);
export const seconds = (ms: number) => (Number.isNaN(ms) ? 'never' : `${(ms / 1000).toFixed(2)} s`);
