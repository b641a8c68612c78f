/** Limits on one document, so that parsing does not block for long. */
export const yamlLimits = {
  /** Characters of a document: some 0.6 s of parsing. */
  documentMax: 8 * 2 ** 20,
  /** Characters of a document with exact positions, which take ten times as long. */
  locatedMax: 2 ** 19,
  /** Values that a document expands to by aliases. */
  valuesMax: 1_000_000,
  /** Aliases times fields of merged mappings: each merge may copy all fields. */
  mergesMax: 50_000_000,
} as const;

const alias = /(?:^|[\s,[{:-])\*[^\s,\]}]/g;

/** Why a document is not parsed; undefined: it may be. */
export function excessOfText(text: string): string | undefined {
  const { documentMax, mergesMax } = yamlLimits;
  if (text.length > documentMax) {
    const size = Math.ceil(text.length / 2 ** 20);
    return `a document of ${size} MiB, and one may have ${documentMax / 2 ** 20}: put objects apart by lines of three dashes, a \`List\` too`;
  }
  if (!text.includes('<<')) return undefined;
  const aliases = countMatches(text, alias);
  return aliases * countMatches(text, /:/g) > mergesMax
    ? 'its merges (`<<`) may copy too many fields: write them out'
    : undefined;
}

/** Why a parsed document is not used: nested aliases expand to too much. */
export function excessOfValue(text: string, value: unknown): string | undefined {
  if (countMatches(text, alias) === 0) return undefined;
  const { valuesMax } = yamlLimits;
  const open = [value];
  let count = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    count += 1;
    if (typeof next !== 'object' || next === null) continue;
    const inner = Object.values(next);
    if (count + open.length + inner.length > valuesMax)
      return `its aliases stand for more than ${valuesMax / 1e6} million values: write out what is meant`;
    for (const one of inner) open.push(one ?? null);
  }
  return undefined;
}

function countMatches(text: string, pattern: RegExp): number {
  let count = 0;
  for (const _ of text.matchAll(pattern)) count += 1;
  return count;
}
