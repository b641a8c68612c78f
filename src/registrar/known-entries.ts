import type { KnownEntry } from './instance-entry.ts';

/** The entries that the Primary has, by what they are of: more than one while the former one is kept. */
export class KnownEntries {
  readonly #byKey = new Map<string, Map<string, KnownEntry>>();
  #size = 0;
  #leaving = 0;

  get size(): number {
    return this.#size;
  }

  /** Those that are deleted, and kept until no proxy has them. */
  get leaving(): number {
    return this.#leaving;
  }

  keys(): Iterable<string> {
    return this.#byKey.keys();
  }

  /** Those of a key, by name. */
  of(key: string): readonly KnownEntry[] {
    const entries = [...(this.#byKey.get(key)?.values() ?? [])];
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** An entry has come, changed, or gone. */
  change(before: KnownEntry | undefined, now: KnownEntry | undefined): void {
    if (before !== undefined) {
      const entries = this.#byKey.get(before.key);
      entries?.delete(pathOf(before));
      if (entries?.size === 0) this.#byKey.delete(before.key);
      this.#count(before, -1);
    }
    if (now === undefined) return;
    const entries = this.#byKey.get(now.key) ?? new Map();
    this.#byKey.set(now.key, entries.set(pathOf(now), now));
    this.#count(now, 1);
  }

  #count({ isLeaving }: KnownEntry, by: number): void {
    this.#size += by;
    if (isLeaving) this.#leaving += by;
  }
}

function pathOf({ namespace, name }: KnownEntry): string {
  return `${namespace}/${name}`;
}
