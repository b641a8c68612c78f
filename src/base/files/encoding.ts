/** A file's text, or the name of its encoding if not UTF-8. */
export type Decoded = { readonly text: string } | { readonly encoding: string };

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Decodes UTF-8 with or without a byte order mark. By YAML 1.2 (5.2), UTF-16 and UTF-32 are recognised by the
 * zero bytes of the first, ASCII character; anything else is a single-byte encoding such as Latin-1.
 */
export function decodeText(bytes: Uint8Array): Decoded {
  const [a = 1, b = 1, c = 1, d = 1] = bytes;
  const is = (...start: number[]) => start.every((byte, index) => bytes[index] === byte);
  if (is(0xff, 0xfe, 0, 0) || (a !== 0 && b === 0 && c === 0 && d === 0))
    return { encoding: 'UTF-32 (little endian)' };
  if (is(0, 0, 0xfe, 0xff) || (a === 0 && b === 0 && c === 0 && d !== 0))
    return { encoding: 'UTF-32 (big endian)' };
  if (is(0xff, 0xfe) || (a !== 0 && b === 0)) return { encoding: 'UTF-16 (little endian)' };
  if (is(0xfe, 0xff) || (a === 0 && b !== 0)) return { encoding: 'UTF-16 (big endian)' };
  try {
    return { text: utf8.decode(bytes) };
  } catch {
    return { encoding: 'not UTF-8 (Latin-1, Windows-1252 or the like)' };
  }
}
