import { LRUCache } from 'lru-cache';
import { contentHash } from '../../base/hash.ts';
import { copyInto, each, finish, type Slices } from '../slices.ts';
import { eachName } from '../wire/discovery-messages.ts';
import { changedNames, type Names, sameNames } from './name-layers.ts';

export type { Names } from './name-layers.ts';

/** A set of resource names, one object for all streams that subscribe to the same names. */
export interface NameSet {
  /** Equal sets of one interner have equal keys. */
  readonly key: string;
  readonly names: Names;
  /**
   * Estimated memory: 100 bytes for each name and twice its length, as it is in the set and in the request.
   */
  readonly bytes: number;
}

/** The names of a request. */
export interface ReadNames {
  /** The bytes of the resource_names fields. */
  readonly raw: Buffer;
  /** `*` was among the names. */
  readonly star: boolean;
  /** The names except `*`. */
  readonly set: NameSet;
}

/** How many parsed name lists are cached for the next client that sends the same bytes. */
export const readNamesMax = 4_096;

/**
 * Interns subscription sets: 1,000 proxies that subscribe to the same 1,000 names share one set. Unreferenced
 * sets are garbage collected.
 */
export class NameSets {
  readonly empty: NameSet = { key: '0', names: new Set(), bytes: 0 };
  readonly #sets = new Map<string, WeakRef<NameSet>>();
  readonly #collected = new FinalizationRegistry<string>((key) => {
    if (this.#sets.get(key)?.deref() === undefined) this.#sets.delete(key);
  });
  // Proxies of one class send the same bytes. Limited by memory, as a short name takes far more than its
  // bytes: an entry takes 1.1 KB beside its names, so that clients that come once fill some 5 MB at most.
  readonly #recent = new LRUCache<string, ReadNames>({
    max: readNamesMax,
    maxSize: 32 * 2 ** 20,
    sizeCalculation: ({ raw, set }) => raw.length + set.bytes + 500,
  });
  readonly #sums = new WeakMap<NameSet, NameSum>();
  #unique = 0;

  /** How many sets there are. */
  get size(): number {
    return this.#sets.size;
  }

  /** Bytes of the cache of parsed name lists. */
  get recentBytes(): number {
    return this.#recent.calculatedSize;
  }

  /** Forgets them, and gives how many bytes they were. */
  forgetRecent(): number {
    const bytes = this.recentBytes;
    this.#recent.clear();
    return bytes;
  }

  /** Entries in the cache of parsed name lists. */
  get kept(): number {
    return this.#recent.size;
  }

  /** The set with exactly these names. The caller must not change `names` afterwards. */
  intern(names: ReadonlySet<string>): NameSet {
    const sum = new NameSum();
    for (const name of names) sum.add(name);
    return finish(this.#interned(names, sum));
  }

  *#interned(names: Names, sum: NameSum): Slices<NameSet> {
    if (names.size === 0) return this.empty;
    const key = sum.key(names.size);
    const known = this.#sets.get(key)?.deref();
    if (known !== undefined) {
      if (yield* sameNames(known.names, names)) return known;
      // Hash collision: a set of its own, correct though not shared.
      this.#unique += 1;
      return this.#keep(`${key}!${this.#unique}`, names, sum);
    }
    const made = this.#keep(key, names, sum);
    this.#sets.set(key, new WeakRef(made));
    this.#collected.register(made, key);
    return made;
  }

  #keep(key: string, names: Names, sum: NameSum): NameSet {
    const made = { key, names, bytes: nameBytes * names.size + 2 * sum.length };
    this.#sums.set(made, sum);
    return made;
  }

  /** `from` without `remove` and with `add`. Costs as much as the change is large, not the set. */
  *change(from: NameSet, add: NameSet, remove: readonly string[]): Slices<NameSet> {
    if (remove.length === 0 && (from === this.empty || add === this.empty))
      return from === this.empty ? add : from;
    const added = new Set<string>();
    const removed = new Set<string>();
    const sum = new NameSum(this.#sums.get(from));
    yield* each(remove, (name) => {
      if (!from.names.has(name) || add.names.has(name) || removed.has(name)) return;
      removed.add(name);
      sum.take(name);
    });
    yield* each(add.names, (name) => {
      if (from.names.has(name)) return;
      added.add(name);
      sum.add(name);
    });
    if (added.size === 0 && removed.size === 0) return from;
    return yield* this.#interned(yield* changedNames(from.names, added, removed), sum);
  }

  /** Parses resource_names fields; equal bytes are parsed once and kept once. */
  *read(raw: Buffer): Slices<ReadNames> {
    if (raw.length === 0) return { raw, star: false, set: this.empty };
    const key = yield* hashOf(raw);
    const known = this.#recent.get(key);
    if (known?.raw.equals(raw)) return known;
    const names = new Set<string>();
    const sum = new NameSum();
    let star = false;
    yield* each(eachName(raw), (name) => {
      if (name === '*') star = true;
      else if (!names.has(name)) {
        names.add(name);
        sum.add(name);
      }
    });
    const own = Buffer.allocUnsafeSlow(raw.length);
    yield* copyInto(own, raw, 0);
    const made = { raw: own, star, set: yield* this.#interned(names, sum) };
    this.#recent.set(key, made);
    return made;
  }
}

// A name without its text: its slot in a set, and bookkeeping while it is sent.
const nameBytes = 100;

// Takes some tenths of a millisecond to hash at once.
const hashedBytes = 256 * 1024;

function* hashOf(raw: Buffer): Slices<string> {
  if (raw.length <= hashedBytes) return contentHash(raw);
  const hashes: string[] = [];
  for (let at = 0; at < raw.length; at += hashedBytes) {
    hashes.push(contentHash(raw.subarray(at, at + hashedBytes)));
    yield;
  }
  return contentHash(...hashes);
}

/**
 * The hash of a set of names, and their total length. The names' hashes are combined by exclusive or: order
 * does not matter, and removing a name repeats adding it.
 */
class NameSum {
  #high: number;
  #low: number;
  length: number;

  /** Starts as a copy of another. */
  constructor(from?: NameSum) {
    this.#high = from === undefined ? 0 : from.#high;
    this.#low = from === undefined ? 0 : from.#low;
    this.length = from === undefined ? 0 : from.length;
  }

  add(name: string): void {
    this.#mix(name);
    this.length += name.length;
  }

  take(name: string): void {
    this.#mix(name);
    this.length -= name.length;
  }

  key(size: number): string {
    const [high, low] = [this.#high >>> 0, this.#low >>> 0];
    return `${size}-${high.toString(16)}${low.toString(16).padStart(8, '0')}`;
  }

  #mix(name: string): void {
    let a = 0x811c9dc5;
    let b = 0x9e3779b9;
    for (let i = 0; i < name.length; i++) {
      const unit = name.charCodeAt(i);
      a = Math.imul(a ^ unit, 0x01000193);
      b = Math.imul(b ^ (unit + i), 0x85ebca6b);
      b ^= b >>> 13;
    }
    this.#high ^= a;
    this.#low ^= b;
  }
}
