/** A column of a table: its head, and its cell of a row. */
export type Column<T> = readonly [head: string, cell: (row: T) => string | number];

/** Rows as a Markdown table; numbers to the right. It reads well on a terminal too. */
export function table<T>(columns: readonly Column<T>[], rows: readonly T[]): string {
  const cells = rows.map((row) => columns.map(([, cell]) => cell(row)));
  const widths = columns.map(([head], i) =>
    Math.max(head.length, 3, ...cells.map((row) => String(row[i]).length)),
  );
  const line = (texts: readonly (string | number)[]) =>
    `| ${texts
      .map((text, i) =>
        typeof text === 'number' ? String(text).padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0),
      )
      .join(' | ')} |`;
  const isNumber = (i: number) => typeof cells[0]?.[i] === 'number';
  const rule = `|${widths.map((width, i) => '-'.repeat(width + 1) + (isNumber(i) ? ':' : '-')).join('|')}|`;
  return [line(columns.map(([head]) => head)), rule, ...cells.map(line)].join('\n');
}

/** A figure with as many digits as mean something: three. */
export function figure(value: number): number {
  if (value === 0 || !Number.isFinite(value)) return value;
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return Number(value.toFixed(Math.min(digits, 3)));
}

/** A bound and what was measured against it. */
export interface Verdict {
  readonly what: string;
  readonly bound: string;
  readonly measured: string;
  readonly met: boolean;
}

/** Bounds as a table. */
export function verdicts(list: readonly Verdict[]): string {
  return table<Verdict>(
    [
      ['bound', ({ what }) => what],
      ['at most', ({ bound }) => bound],
      ['measured', ({ measured }) => measured],
      ['', ({ met }) => (met ? 'met' : 'MISSED')],
    ],
    list,
  );
}

/** A figure that must not be above its bound. */
export function atMost(what: string, value: number | undefined, bound: number, unit: string): Verdict[] {
  if (value === undefined) return [];
  const measured = `${figure(value)} ${unit}`.trim();
  return [{ what, bound: `${figure(bound)} ${unit}`.trim(), measured, met: value <= bound }];
}
