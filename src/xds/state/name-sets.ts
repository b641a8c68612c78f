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
   * What it takes to remember: for each name 100 bytes and twice its length, as it stands in a set and in the
   * request too.
   */
  readonly bytes: number;
}

/** Names as a request wrote them. */
export interface ReadNames {
  /** The bytes of the resource_names fields. */
  readonly raw: Buffer;
  /** `*` was among the names. */
  readonly star: boolean;
  /** The names but for `*`. */
  readonly set: NameSet;
}

/** How many requests' names are kept for the next client that says the same. */
export const readNamesMax = 4_096;

/**
 * Interns subscription sets: 1,000 proxies that subscribe to the same 1,000 names hold one set, not a
 * million entries. Sets that nobody holds any more are collected.
 */
export class NameSets {
  readonly empty: NameSet = { key: '0', names: new Set(), bytes: 0 };
  readonly #sets = new Map<string, WeakRef<NameSet>>();
  readonly #collected = new FinalizationRegistry<string>((key) => {
    if (this.#sets.get(key)?.deref() === undefined) this.#sets.delete(key);
  });
  // Proxies of one class say the same in the same bytes. A limit on memory: a short name takes far more than
  // its bytes. An entry takes 1.1 KB beside its names, so clients that come once fill no more than some 5 MB.
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

  /** What is kept of sets of names so that the next client that says the same need not be read, in bytes. */
  get recentBytes(): number {
    return this.#recent.calculatedSize;
  }

  /** Forgets them, and gives how many bytes they were. */
  forgetRecent(): number {
    const bytes = this.recentBytes;
    this.#recent.clear();
    return bytes;
  }

  /** How many requests' names are kept. */
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
      // Two sets with one hash: correct, though not shared.
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

  /**
   * `from` with names taken away, and then names added. Costs as much as the change is large, not as the set
   * is.
   */
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

  /** Reads the bytes of resource_names fields; equal bytes are read once and kept once. */
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

// A name without its text: its place in a set, and what is noted about it while it is sent.
const nameBytes = 100;

// Hashed at once in some tenths of a millisecond.
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
 * The hash of a set of names: its names' own, combined by exclusive or, so that no order matters and a name
 * leaves as it came; and how long they are together.
 */
class NameSum {
  #high: number;
  #low: number;
  length: number;

  /** Begins as another. */
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
