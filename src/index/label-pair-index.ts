import type { Labels } from '../model/meta.ts';
import { SetsByKey } from './sets-by-key.ts';

/** Values by label pair: `key=value` → set. Nested maps, so that a lookup creates no string. */
interface PairIndex<T> {
  add(key: string, value: string, item: T): void;
  remove(key: string, value: string, item: T): void;
  /** All values of the pair; undefined if there are none. */
  get(key: string, value: string): ReadonlySet<T> | undefined;
}

/** Creates an empty index. */
export function createPairIndex<T>(): PairIndex<T> {
  const byKey = new Map<string, SetsByKey<string, T>>();
  return {
    add(key, value, item) {
      let byValue = byKey.get(key);
      if (byValue === undefined) {
        byValue = new SetsByKey();
        byKey.set(key, byValue);
      }
      byValue.add(value, item);
    },
    remove(key, value, item) {
      const byValue = byKey.get(key);
      if (byValue === undefined) return;
      byValue.delete(value, item);
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
