import type { z } from 'zod';
import { MeshError } from '../base/error.ts';
import { didYouMean } from '../base/text/suggest.ts';
import type { Operation } from '../contract/operation.ts';

/** Parameters of a query by name, each with its values in order. */
export type RawQuery = Readonly<Record<string, readonly string[]>>;

/** Parses a query string. */
export function splitQuery(text: string): Record<string, string[]> {
  const values: Record<string, string[]> = Object.create(null);
  for (const [name, value] of new URLSearchParams(text)) {
    const before = values[name];
    if (before === undefined) values[name] = [value];
    else before.push(value);
  }
  return values;
}

/**
 * Parses query parameters by the schema of their operation. Throws MeshError `invalid` for an invalid value,
 * and for an unknown or repeated parameter, unless the operation accepts any: a misspelt one must not be
 * ignored.
 */
export function readQuery({ query, takesAnyQuery }: Operation, raw: RawQuery): unknown {
  const known = Object.keys(query.shape);
  for (const [name, values] of Object.entries(raw)) {
    if (takesAnyQuery) continue;
    if (!known.includes(name)) {
      const words = known.length === 0 ? 'there are none' : `there are ${known.join(', ')}`;
      throw new MeshError('invalid', `no parameter is named '${name}': ${words}.${didYouMean(name, known)}`);
    }
    if (values.length > 1) throw new MeshError('invalid', `${name} is given more than once: give it once`);
  }
  const given = known.flatMap((name) => (raw[name] === undefined ? [] : [[name, raw[name][0]] as const]));
  const read = query.safeParse(Object.fromEntries(given));
  if (read.success) return read.data;
  throw new MeshError('invalid', wordsOf(read.error, raw));
}

function wordsOf({ issues }: z.ZodError, raw: RawQuery): string {
  const words = issues.map(({ path: [name = ''], message }) => {
    const text = raw[String(name)]?.[0] ?? '';
    return `${String(name)}=${text}: ${message}`;
  });
  return words.join('; ');
}
