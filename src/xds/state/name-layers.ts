import { each, type Slices } from '../slices.ts';

/** An immutable set of resource names. */
export interface Names extends Iterable<string> {
  readonly size: number;
  has(name: string): boolean;
}

/**
 * A large set with a small change on top: a Delta client with 20,000 names that adds one would otherwise have
 * all of them copied.
 */
class LayeredNames implements Names {
  readonly size: number;
  readonly base: Names;
  readonly added: ReadonlySet<string>;
  readonly removed: ReadonlySet<string>;

  constructor(base: Names, added: ReadonlySet<string>, removed: ReadonlySet<string>) {
    this.base = base;
    this.added = added;
    this.removed = removed;
    this.size = base.size + added.size - removed.size;
  }

  has(name: string): boolean {
    return this.added.has(name) || (this.base.has(name) && !this.removed.has(name));
  }

  *[Symbol.iterator](): Iterator<string> {
    for (const name of this.base) if (!this.removed.has(name)) yield name;
    yield* this.added;
  }
}

// A change is copied up to this size; beyond it the whole set is. For 20,000 names that is an average of 40
// for each change.
const changesMax = 512;
const none: ReadonlySet<string> = new Set();

/**
 * `from`, with `added` (none of which it has) and without `removed` (all of which it has). `added` must not
 * be changed afterwards.
 */
export function* changedNames(
  from: Names,
  added: ReadonlySet<string>,
  removed: ReadonlySet<string>,
): Slices<Names> {
  const base = baseOf(from);
  // Combined with the changes that `from` has relative to its base.
  const layer = { added: new Set(addedOf(from)), removed: new Set(removedOf(from)) };
  yield* each(removed, (name) => {
    if (!layer.added.delete(name)) layer.removed.add(name);
  });
  yield* each(added, (name) => {
    if (!layer.removed.delete(name)) layer.added.add(name);
  });
  const changes = layer.added.size + layer.removed.size;
  const layered = new LayeredNames(base, layer.added, layer.removed);
  if (changes <= changesMax && changes < base.size) return layered;
  const whole = new Set<string>();
  yield* each(layered, (name) => void whole.add(name));
  return whole;
}

/** Names only in `to`, and names only in `from`; undefined if finding them would take a scan of both. */
export function changeBetween(
  from: Names,
  to: Names,
): { readonly added: readonly string[]; readonly removed: readonly string[] } | undefined {
  if (baseOf(from) !== baseOf(to)) return undefined;
  const touched = [from, to].flatMap((one) => [...addedOf(one), ...removedOf(one)]);
  const differs = [...new Set(touched)].filter((name) => from.has(name) !== to.has(name));
  return {
    added: differs.filter((name) => to.has(name)),
    removed: differs.filter((name) => from.has(name)),
  };
}

/** Whether two sets are equal. */
export function* sameNames(a: Names, b: Names): Slices<boolean> {
  if (a.size !== b.size) return false;
  const change = changeBetween(a, b);
  if (change !== undefined) return change.added.length === 0 && change.removed.length === 0;
  let same = true;
  yield* each(b, (name) => {
    same &&= a.has(name);
  });
  return same;
}

function baseOf(names: Names): Names {
  return names instanceof LayeredNames ? names.base : names;
}

function addedOf(names: Names): ReadonlySet<string> {
  return names instanceof LayeredNames ? names.added : none;
}

function removedOf(names: Names): ReadonlySet<string> {
  return names instanceof LayeredNames ? names.removed : none;
}
