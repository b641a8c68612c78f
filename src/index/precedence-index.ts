import { compareText } from '../base/text/compare-text.ts';
import type { MeshObject } from '../model/object.ts';

/** The order of precedence of objects: by namespace, then by name. */
export function compareObjects(a: MeshObject, b: MeshObject): number {
  return compareText(a.meta.namespace, b.meta.namespace) || compareText(a.meta.name, b.meta.name);
}

/** The first position in `sorted`, from `from` on, whose key is not less than `key`. */
export function lowerBound<T>(
  sorted: readonly T[],
  key: string,
  keyOf: (item: T) => string,
  from = 0,
): number {
  let low = from;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keyOf(sorted[middle] as T) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Objects in order of precedence under a key; empty keys are dropped. */
interface PrecedenceIndex<T> {
  add(key: string, contender: T): void;
  remove(key: string, contender: T): void;
  /** The contenders for `key`, the winner first; empty if there are none. */
  ranked(key: string): readonly T[];
  keys(): Iterable<string>;
  readonly size: number;
}

/** Creates a contest ordered by `compare`. Contenders are identified by identity. */
export function createPrecedenceIndex<T>(compare: (a: T, b: T) => number): PrecedenceIndex<T> {
  const lists = new Map<string, T[]>();
  const none: readonly T[] = [];
  return {
    add(key, contender) {
      const list = lists.get(key);
      if (list === undefined) lists.set(key, [contender]);
      else {
        list.push(contender);
        list.sort(compare);
      }
    },
    remove(key, contender) {
      const rest = lists.get(key)?.filter((other) => other !== contender) ?? [];
      if (rest.length === 0) lists.delete(key);
      else lists.set(key, rest);
    },
    ranked: (key) => lists.get(key) ?? none,
    keys: () => lists.keys(),
    get size() {
      return lists.size;
    },
  };
}
