import { compareText } from '../../base/text/compare-text.ts';
import type { ObjectEntry } from './documents.ts';

/** A file's claim to an object's name. */
export interface Claim {
  readonly file: string;
  readonly entry: ObjectEntry;
  /** Position in the file, from 0. */
  position: number;
}

/** Which files have which object: normally one; several are duplicates. */
interface Claims {
  /** Replaces the claims of a file; returns the keys that gained or lost one. */
  setFile(file: string, entries: readonly ObjectEntry[]): Set<string>;
  /** The number of claims. */
  readonly count: number;
  has(key: string): boolean;
  /** The claim that applies. */
  winner(key: string): Claim | undefined;
  /** The applicable claims of `keys`, by file and position; unclaimed keys are left out. */
  winners(keys: readonly string[]): Claim[];
  /** All claims to keys with several, the applicable one first. */
  duplicates(): Claim[][];
  /** Keys of all claimed objects that name IDCs. */
  namingIdcs(): Iterable<string>;
  /** Keys whose claims changed since this was last asked. */
  takeTouched(): Set<string>;
  compare(a: Claim, b: Claim): number;
}

/**
 * Creates an empty set of claims. `incumbent`: the file whose version of an object is in force, which comes
 * first.
 */
export function createClaims(incumbent: (key: string) => string | undefined): Claims {
  const files = new Map<string, readonly ObjectEntry[]>();
  const byKey = new Map<string, Claim[]>();
  const crowded = new Set<string>();
  const namingIdcs = new Set<string>();
  let touched = new Set<string>();
  let count = 0;

  function add(file: string, entry: ObjectEntry, position: number): void {
    const list = byKey.get(entry.key);
    if (entry.ref.kind === 'DrGroup' || entry.ref.kind === 'Evacuation') namingIdcs.add(entry.key);
    if (list === undefined) byKey.set(entry.key, [{ file, entry, position }]);
    else {
      list.push({ file, entry, position });
      crowded.add(entry.key);
    }
  }

  function drop(file: string, entry: ObjectEntry): void {
    const rest = (byKey.get(entry.key) ?? []).filter((claim) => claim.file !== file || claim.entry !== entry);
    if (rest.length < 2) crowded.delete(entry.key);
    if (rest.length > 0) byKey.set(entry.key, rest);
    else {
      byKey.delete(entry.key);
      namingIdcs.delete(entry.key);
    }
  }

  function move(file: string, entry: ObjectEntry, position: number): void {
    const claim = byKey.get(entry.key)?.find((claim) => claim.file === file && claim.entry === entry);
    if (claim !== undefined) claim.position = position;
  }

  function ranked(key: string): Claim[] {
    const list = byKey.get(key) ?? [];
    if (list.length < 2) return list;
    const file = incumbent(key);
    const rank = (claim: Claim) => (claim.file === file ? 0 : 1);
    return list.sort((a, b) => rank(a) - rank(b) || compare(a, b));
  }

  return {
    setFile(file, entries) {
      const before = files.get(file) ?? [];
      const changed = new Set<string>();
      const old = new Set(before);
      const kept = new Set(entries);
      if (entries.length === 0) files.delete(file);
      else files.set(file, entries);
      count += entries.length - before.length;
      for (const [position, entry] of entries.entries()) {
        if (old.has(entry)) {
          move(file, entry, position);
          continue;
        }
        add(file, entry, position);
        changed.add(entry.key);
      }
      for (const entry of before) {
        if (kept.has(entry)) continue;
        drop(file, entry);
        changed.add(entry.key);
      }
      for (const key of changed) touched.add(key);
      return changed;
    },
    get count() {
      return count;
    },
    has: (key) => byKey.has(key),
    winner: (key) => ranked(key)[0],
    winners(keys) {
      const claims = keys.map((key) => ranked(key)[0]).filter((claim) => claim !== undefined);
      return claims.sort(compare);
    },
    duplicates: () => [...crowded].map((key) => [...ranked(key)]),
    namingIdcs: () => namingIdcs,
    takeTouched() {
      const taken = touched;
      touched = new Set();
      return taken;
    },
    compare,
  };
}

function compare(a: Claim, b: Claim): number {
  return compareText(a.file, b.file) || a.position - b.position;
}
