/** The size of a terminal, in characters. */
interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** Control sequences of terminals (ECMA-48). */
const sequences = { home: '\x1b[H', endOfLine: '\x1b[K', endOfScreen: '\x1b[J' } as const;

/**
 * What draws a text over the previous one: from the first row, each line to its end, and nothing below. What
 * has no room is counted in the last row; without that the terminal would scroll, and the next text would
 * begin at another row.
 */
export function screenText(text: string, { rows, columns }: TerminalSize): string {
  const lines = text.replace(/\n$/, '').split('\n');
  const heights = lines.map((line) => Math.max(1, Math.ceil(line.length / columns)));
  const all = heights.reduce((sum, height) => sum + height, 0);
  const shown = all < rows ? lines : cut(lines, heights, rows - 2);
  const drawn = shown.map((line) => `${line}${sequences.endOfLine}\n`).join('');
  return `${sequences.home}${drawn}${sequences.endOfScreen}`;
}

/** The lines that fit into so many rows, and a last one with the count of the others. */
function cut(lines: readonly string[], heights: readonly number[], rows: number): readonly string[] {
  let used = 0;
  const end = heights.findIndex((height) => {
    used += height;
    return used > rows;
  });
  const kept = lines.slice(0, end < 0 ? lines.length : end);
  return [...kept, `… ${lines.length - kept.length} more lines: enlarge the window, or leave out --watch`];
}
