// Characters that are invisible or change line or direction in a terminal or a log.
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const inQuotes = /[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * Makes foreign text safe for a log, an error or a table: at most `bytesMax` bytes, followed by the number of
 * bytes cut, on one line (line breaks become spaces), with invisible characters as `\u{...}`.
 */
export function safeExcerpt(text: Buffer | string, bytesMax: number): string {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'utf8') : text;
  const cut = bytes.length - bytesMax;
  // Drops a character split by the cut.
  const kept = cut > 0 ? bytes.toString('utf8', 0, bytesMax).replace(/\ufffd$/, '') : bytes.toString('utf8');
  const line = printable(onOneLine(kept));
  return cut > 0 ? `${line}… (${cut} bytes more)` : line;
}

/** Lines joined, without the white space around them. A pattern would take quadratic time for spaces. */
function onOneLine(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '').join(' ');
}

/** Text of several lines, each as `printable` makes it. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/**
 * JSON or YAML of the same value without raw characters that are invisible or control a terminal. Both write
 * C0 controls as escapes themselves; here the others are. They have to be inside of double quotes.
 */
export function escapedInQuotes(text: string): string {
  return text.replace(inQuotes, (character) =>
    Array.from(
      { length: character.length },
      (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
    ).join(''),
  );
}

/** Whether `escapedInQuotes` changes a text. */
export function needsEscapes(text: string): boolean {
  return text.search(inQuotes) >= 0;
}

/** Text for one line of a terminal or a log: line breaks and invisible characters as `\u{...}`. */
export function printable(text: string): string {
  return text.replace(unprintable, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}
