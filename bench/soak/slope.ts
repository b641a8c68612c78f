/** A value seen at a time, in milliseconds. */
export interface Point {
  readonly atMs: number;
  readonly value: number;
}

/**
 * A straight line through points (least squares): their mean, and how much it rises from the first to the
 * last, and in an hour.
 */
export function growth(points: readonly Point[]) {
  const n = points.length;
  const mean = points.reduce((sum, { value }) => sum + value, 0) / n;
  const meanAt = points.reduce((sum, { atMs }) => sum + atMs, 0) / n;
  let [above, below] = [0, 0];
  for (const { atMs, value } of points) {
    above += (atMs - meanAt) * (value - mean);
    below += (atMs - meanAt) ** 2;
  }
  const slope = below === 0 ? 0 : above / below;
  const spanMs = (points.at(-1)?.atMs ?? 0) - (points[0]?.atMs ?? 0);
  return { mean, grown: slope * spanMs, perHour: slope * 3_600_000 };
}

/** The quantile of some values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
