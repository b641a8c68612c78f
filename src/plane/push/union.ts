import type { Pushed } from '../../delivery/deletion/deletions.ts';

/** The names of several pushes, by type. */
export function unionOf(parts: readonly Pushed['resources'][]): Pushed['resources'] {
  const union = new Map<string, Set<string>>();
  for (const part of parts)
    for (const [type, names] of part) {
      const into = union.get(type) ?? new Set();
      for (const name of names) into.add(name);
      union.set(type, into);
    }
  return union;
}
