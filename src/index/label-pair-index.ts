import type { Labels } from '../model/meta.ts';

/** Values by label pair: `key=value` → set. Nested maps, so that a lookup creates no string. */
interface PairIndex<T> {
  add(key: string, value: string, item: T): void;
  remove(key: string, value: string, item: T): void;
  /** All values of the pair; undefined if there are none. */
  get(key: string, value: string): ReadonlySet<T> | undefined;
}

/** Creates an empty index. */
export function createPairIndex<T>(): PairIndex<T> {
  const byKey = new Map<string, Map<string, Set<T>>>();
  return {
    add(key, value, item) {
      let byValue = byKey.get(key);
      if (byValue === undefined) {
        byValue = new Map();
        byKey.set(key, byValue);
      }
      const set = byValue.get(value);
      if (set === undefined) byValue.set(value, new Set([item]));
      else set.add(item);
    },
    remove(key, value, item) {
      const byValue = byKey.get(key);
      const set = byValue?.get(value);
      if (byValue === undefined || set === undefined) return;
      set.delete(item);
      if (set.size === 0) byValue.delete(value);
      if (byValue.size === 0) byKey.delete(key);
    },
    get: (key, value) => byKey.get(key)?.get(value),
  };
}

/** Whether two sets of labels are the same. */
export function sameLabels(a: Labels, b: Labels): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
