/** Requests counted by time, cumulative: how many took at most so many milliseconds. */
export type Buckets = ReadonlyMap<number, number>;

/** All requests that are counted. */
export function countOfBuckets(buckets: Buckets): number {
  return Math.max(0, ...buckets.values());
}

/** A percentile in milliseconds, the upper bound of its bucket; 0 without requests. */
export function percentileOfBuckets(buckets: Buckets, share: number): number {
  const all = countOfBuckets(buckets);
  const sorted = [...buckets].sort(([a], [b]) => a - b);
  return sorted.find(([, count]) => count >= share * all)?.[0] ?? 0;
}

/** What came between two readings, bucket by bucket; a count that fell has begun again. */
export function bucketsBetween(before: Buckets, after: Buckets): Buckets {
  const isNew = countOfBuckets(after) < countOfBuckets(before);
  return new Map(
    [...after].map(([ms, count]) => [ms, isNew ? count : Math.max(0, count - (before.get(ms) ?? 0))]),
  );
}

/** The sum of several, with equal bounds. */
export function sumOfBuckets(list: readonly Buckets[]): Buckets {
  const sum = new Map<number, number>();
  for (const buckets of list) for (const [ms, count] of buckets) sum.set(ms, (sum.get(ms) ?? 0) + count);
  return sum;
}
