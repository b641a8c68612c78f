/** The middle of a list; NaN of none. */
export function median(list: readonly number[]): number {
  return summarize(list).median;
}

/** Median, and the order statistics that enclose it with 95 % confidence (binomial, normal approximation). */
export function summarize(list: readonly number[]): {
  readonly median: number;
  readonly low: number;
  readonly high: number;
} {
  const sorted = [...list].sort((a, b) => a - b);
  const at = (place: number) =>
    sorted[Math.min(sorted.length - 1, Math.max(0, Math.round(place)))] ?? Number.NaN;
  const half = (sorted.length - 1) / 2;
  const spread = 0.98 * Math.sqrt(sorted.length);
  return {
    median: (at(Math.floor(half)) + at(Math.ceil(half))) / 2,
    low: at(half - spread),
    high: at(half + spread),
  };
}
