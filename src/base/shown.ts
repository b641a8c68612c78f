// Control characters, and what turns the direction of a line or breaks it, in a terminal or a log.
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/**
 * A text that somebody else wrote, fit for a log, an error or a table: at most `bytesMax` bytes of it, with
 * what was cut counted, on one line (a line break is a space), and each character that cannot be seen written
 * as `\u{...}`.
 */
export function shown(text: Buffer | string, bytesMax: number): string {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'utf8') : text;
  const cut = bytes.length - bytesMax;
  // A character that the cut went through is left out.
  const kept = cut > 0 ? bytes.toString('utf8', 0, bytesMax).replace(/\ufffd$/, '') : bytes.toString('utf8');
  const line = kept.trim().replace(/\s*\n\s*/g, ' ');
  const printable = line.replace(
    unprintable,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
  return cut > 0 ? `${printable}… (${cut} bytes more)` : printable;
}
