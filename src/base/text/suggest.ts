/** Distance in single edits (insert, delete, replace, swap neighbours) of two short words, case ignored. */
function distance(left: string, right: string): number {
  const a = left.toLowerCase();
  const b = right.toLowerCase();
  let before: number[] = [];
  let last: number[] = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (before[j - 2] ?? 0) + 1);
      }
      row.push(best);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

/** The candidate closest to `word`, of equally close ones the first by name; undefined if none is close. */
export function closest(word: string, candidates: Iterable<string>): string | undefined {
  // Slow to compare, and not typing errors.
  if (word.length > 64) return undefined;
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const found = distance(word, candidate);
    const isBefore = found === bestDistance && best !== undefined && candidate < best;
    if (found < bestDistance || isBefore) [best, bestDistance] = [candidate, found];
  }
  return best;
}

/** ` Did you mean 'x'?` with a leading space, or nothing. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const found = closest(word, candidates);
  return found === undefined ? '' : ` Did you mean '${found}'?`;
}
