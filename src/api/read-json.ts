import { MeshError } from '../base/error.ts';
import { show } from '../registry/parse/fault.ts';

/**
 * Parses a JSON body; '' gives undefined. Throws MeshError `invalid` if it is not JSON, or if an object has a
 * key twice: which of the two counts is not defined (RFC 8259, 4), so one was not meant.
 */
export function readJson(text: string): unknown {
  if (text === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new MeshError('invalid', `the body is not JSON: ${(cause as Error).message}`, { cause });
  }
  const twice = keyTwice(text);
  if (twice !== undefined) throw new MeshError('invalid', `the body has ${show(twice)} twice: give it once`);
  return value;
}

const token = /"(?:[^"\\]|\\.)*"|[{}[\]:,]/g;

/** A key that an object of this JSON text has twice. */
function keyTwice(text: string): string | undefined {
  // The keys of each open object; undefined: a list.
  const open: (Set<string> | undefined)[] = [];
  let last = '';
  for (const [one] of text.matchAll(token)) {
    if (one === '{') open.push(new Set());
    else if (one === '[') open.push(undefined);
    else if (one === '}' || one === ']') open.pop();
    else if (one === ':') {
      const key = JSON.parse(last) as string;
      if (open.at(-1)?.has(key)) return key;
      open.at(-1)?.add(key);
    }
    last = one;
  }
  return undefined;
}
