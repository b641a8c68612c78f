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
