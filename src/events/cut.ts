import { safeExcerpt } from '../base/text/safe-excerpt.ts';

/** The longest text of an event that somebody else chooses, of a field's value, and of a problem. Bytes. */
export const eventTextMax = { text: 300, value: 120, problem: 1_000 } as const;

/** Most items of a list in an event. */
const itemsMax = 10;

/** Foreign text for an event: cut, on one line, without invisible characters. */
export function cut(text: string, bytesMax: number = eventTextMax.text): string {
  // What is far too long is cut before it is encoded: a message may have a megabyte.
  const start = text.length > 4 * bytesMax ? text.slice(0, 4 * bytesMax) : text;
  return safeExcerpt(start, bytesMax);
}

/** The first of a list of foreign texts, each cut. */
export function cutList(texts: readonly string[]): string[] {
  return texts.slice(0, itemsMax).map((text) => cut(text));
}
