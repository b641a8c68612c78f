/** Average entries in a bucket beyond which the number of buckets grows. */
const bucketEntriesMax = 32;

type Bucket<V> = ReadonlyMap<string, V>;

/**
 * An immutable map that shares all unchanged buckets with the map that it was made from: a change to one of
 * 30,000 entries copies some dozens, while copying a Map copies all. The order of iteration has no meaning.
 */
export class SharedMap<V> implements ReadonlyMap<string, V> {
  readonly size: number;
  readonly #buckets: readonly Bucket<V>[];

  private constructor(buckets: readonly Bucket<V>[], size: number) {
    this.#buckets = buckets;
    this.size = size;
  }

  /** The map without entries. */
  static empty<V>(): SharedMap<V> {
    return new SharedMap<V>([new Map()], 0);
  }

  get(key: string): V | undefined {
    return this.#bucketOf(key).get(key);
  }

  has(key: string): boolean {
    return this.#bucketOf(key).has(key);
  }

  /** This map with `changes` applied: a value is set, undefined deletes. */
  with(changes: ReadonlyMap<string, V | undefined>): SharedMap<V> {
    const buckets = resize(this.#buckets, this.size + changes.size);
    const own = new Map<number, Map<string, V>>();
    let size = this.size;
    for (const [key, value] of changes) {
      const at = bucketIndex(key, buckets.length);
      let bucket = own.get(at);
      if (bucket === undefined) {
        bucket = new Map(buckets[at]);
        own.set(at, bucket);
        buckets[at] = bucket;
      }
      size -= bucket.size;
      if (value === undefined) bucket.delete(key);
      else bucket.set(key, value);
      size += bucket.size;
    }
    return new SharedMap(buckets, size);
  }

  forEach(visit: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, value] of this) visit(value, key, this);
  }

  *entries(): Generator<[string, V], undefined, unknown> {
    for (const bucket of this.#buckets) yield* bucket;
  }

  *keys(): Generator<string, undefined, unknown> {
    for (const bucket of this.#buckets) yield* bucket.keys();
  }

  *values(): Generator<V, undefined, unknown> {
    for (const bucket of this.#buckets) yield* bucket.values();
  }

  [Symbol.iterator](): Generator<[string, V], undefined, unknown> {
    return this.entries();
  }

  #bucketOf(key: string): Bucket<V> {
    return this.#buckets[bucketIndex(key, this.#buckets.length)] as Bucket<V>;
  }
}

/** A copy of the list of buckets, with four times as many if `entries` need them. */
function resize<V>(buckets: readonly Bucket<V>[], entries: number): Bucket<V>[] {
  if (entries <= buckets.length * bucketEntriesMax) return buckets.slice();
  let count = buckets.length;
  while (entries > count * bucketEntriesMax) count *= 4;
  const larger = Array.from({ length: count }, () => new Map<string, V>());
  for (const bucket of buckets) {
    for (const [key, value] of bucket) larger[bucketIndex(key, count)]?.set(key, value);
  }
  return larger;
}

/** FNV-1a of the key's code units, reduced to a bucket; `count` is a power of two. */
function bucketIndex(key: string, count: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 15)) & (count - 1);
}
