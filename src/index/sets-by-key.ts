/**
 * Sets of values by key, of which nearly all have one value: that one is kept without a set, which would take
 * some 240 bytes. Values are no Sets.
 */
export class SetsByKey<K, V> {
  readonly #kept = new Map<K, V | Set<V>>();

  add(key: K, value: V): void {
    const known = this.#kept.get(key);
    if (known instanceof Set) known.add(value);
    else if (known === undefined) this.#kept.set(key, value);
    else if (known !== value) this.#kept.set(key, new Set([known, value]));
  }

  delete(key: K, value: V): void {
    const known = this.#kept.get(key);
    if (known === value) this.#kept.delete(key);
    if (!(known instanceof Set) || !known.delete(value)) return;
    const [last] = known;
    if (known.size === 1) this.#kept.set(key, last as V);
  }

  /** The values of a key, as they are now; undefined if there are none. */
  get(key: K): ReadonlySet<V> | undefined {
    const known = this.#kept.get(key);
    if (known === undefined) return undefined;
    return known instanceof Set ? known : new Set([known]);
  }

  has(key: K): boolean {
    return this.#kept.has(key);
  }

  /** The keys with values. */
  keys(): IterableIterator<K> {
    return this.#kept.keys();
  }

  /** Number of keys with values. */
  get size(): number {
    return this.#kept.size;
  }

  *[Symbol.iterator](): IterableIterator<readonly [key: K, values: ReadonlySet<V>]> {
    for (const key of this.#kept.keys()) yield [key, this.get(key) as ReadonlySet<V>];
  }
}
