import { LRUCache } from 'lru-cache';
import { contentHash } from '../base/hash.ts';
import { parseNames } from './wire.ts';

/** A set of resource names, one object for all streams that subscribe to the same names. */
export interface NameSet {
  /** Equal sets of one interner have equal keys. */
  readonly key: string;
  readonly names: ReadonlySet<string>;
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

/**
 * Interns subscription sets: 1,000 proxies that subscribe to the same 1,000 names hold one set, not a
 * million entries. Sets that nobody holds any more are collected.
 */
export class NameSets {
  readonly empty: NameSet = { key: '0', names: new Set() };
  private readonly sets = new Map<string, WeakRef<NameSet>>();
  private readonly collected = new FinalizationRegistry<string>((key) => {
    if (this.sets.get(key)?.deref() === undefined) this.sets.delete(key);
  });
  // Proxies of one class say the same in the same bytes. A limit on memory: names take some four times their bytes.
  private readonly recent = new LRUCache<string, ReadNames>({
    maxSize: 32 * 2 ** 20,
    sizeCalculation: ({ raw }) => 4 * raw.length + 200,
  });
  private unique = 0;

  /** The set with exactly these names. The caller must not change `names` afterwards. */
  intern(names: ReadonlySet<string>): NameSet {
    if (names.size === 0) return this.empty;
    const key = keyOf(names);
    const known = this.sets.get(key)?.deref();
    if (known !== undefined) {
      if (sameNames(known.names, names)) return known;
      // Two sets with one hash: correct, though not shared.
      this.unique += 1;
      return { key: `${key}!${this.unique}`, names };
    }
    const made: NameSet = { key, names };
    this.sets.set(key, new WeakRef(made));
    this.collected.register(made, key);
    return made;
  }

  /** `from` with names taken away, and then names added. */
  change(from: NameSet, add: NameSet, remove: readonly string[]): NameSet {
    if (remove.length === 0 && (from === this.empty || add === this.empty))
      return from === this.empty ? add : from;
    const names = new Set(from.names);
    for (const name of remove) names.delete(name);
    for (const name of add.names) names.add(name);
    return this.intern(names);
  }

  /** Reads the bytes of resource_names fields; equal bytes are read once and kept once. */
  read(raw: Buffer): ReadNames {
    if (raw.length === 0) return { raw, star: false, set: this.empty };
    const key = contentHash(raw);
    const known = this.recent.get(key);
    if (known?.raw.equals(raw)) return known;
    const names = new Set(parseNames(raw));
    const star = names.delete('*');
    // A copy: the request's own buffer would be kept alive with it.
    const made = { raw: Buffer.from(raw), star, set: this.intern(names) };
    this.recent.set(key, made);
    return made;
  }
}

function sameNames(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  if (a.size !== b.size) return false;
  for (const name of b) if (!a.has(name)) return false;
  return true;
}

/** A hash that does not depend on the order: the names' own hashes, combined by exclusive or. */
function keyOf(names: ReadonlySet<string>): string {
  let high = 0;
  let low = 0;
  for (const name of names) {
    let a = 0x811c9dc5;
    let b = 0x9e3779b9;
    for (let i = 0; i < name.length; i++) {
      const unit = name.charCodeAt(i);
      a = Math.imul(a ^ unit, 0x01000193);
      b = Math.imul(b ^ (unit + i), 0x85ebca6b);
      b ^= b >>> 13;
    }
    high ^= a;
    low ^= b;
  }
  return `${names.size}-${(high >>> 0).toString(16)}${(low >>> 0).toString(16)}`;
}
