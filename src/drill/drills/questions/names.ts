/** The IDC that is half dead, and the one that stands in. */
export const [halfDead, whole] = ['sh-a', 'sh-b'] as const;

/** Names in their order, each once; or `none`. */
export function namesText(names: Iterable<string>): string {
  const all = [...new Set(names)].sort();
  return all.length === 0 ? 'none' : all.join(', ');
}
