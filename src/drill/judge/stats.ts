/** Quantiles of one set of latencies, in milliseconds; all NaN when there were none. */
export interface Latency {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/**
 * The `q`-quantile (0 to 1) of values sorted ascending: the smallest value that at least `q` of them do not
 * exceed (nearest rank, no interpolation: a latency that was really seen). NaN for no values.
 */
export function quantile(sorted: readonly number[], q: number): number {
  if (sorted.length === 0) return Number.NaN;
  const rank = Math.ceil(q * sorted.length - 1e-9);
  return sorted[Math.min(sorted.length, Math.max(1, rank)) - 1] ?? Number.NaN;
}

/** Quantiles of latencies in any order. */
export function latencyOf(values: readonly number[]): Latency {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    count: sorted.length,
    p50: quantile(sorted, 0.5),
    p99: quantile(sorted, 0.99),
    p999: quantile(sorted, 0.999),
    max: sorted.at(-1) ?? Number.NaN,
  };
}

/** One slice of a timeline: `from` (inclusive) to `to` (exclusive), in the unit of the values' times. */
interface Slice<T> {
  readonly from: number;
  readonly to: number;
  readonly items: readonly T[];
}

/** Cuts items into slices of `width` between `from` and `to` by their time; items outside are left out. */
export function sliceBy<T>(
  items: Iterable<T>,
  timeOf: (item: T) => number,
  range: { from: number; to: number; width: number },
): Slice<T>[] {
  const count = Math.max(0, Math.ceil((range.to - range.from) / range.width - 1e-9));
  const slices = Array.from({ length: count }, (_, i) => ({
    from: range.from + i * range.width,
    to: Math.min(range.to, range.from + (i + 1) * range.width),
    items: [] as T[],
  }));
  for (const item of items) {
    const at = timeOf(item);
    if (at < range.from || at >= range.to) continue;
    slices[Math.floor((at - range.from) / range.width)]?.items.push(item);
  }
  return slices;
}

/** How many items have each key. */
export function countBy<T>(items: Iterable<T>, keyOf: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) {
    const key = keyOf(item);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}
