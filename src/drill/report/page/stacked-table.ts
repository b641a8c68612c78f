import { escapeHtml as e } from './markup.ts';

/** A column of a table; `hidden`: its head is for screen readers. */
export interface Column {
  readonly head: string;
  readonly number?: boolean;
  readonly hidden?: boolean;
}

interface TableRow {
  /** HTML of each cell. */
  readonly cells: readonly string[];
  readonly css?: string;
}

/**
 * A table whose rows become blocks on a narrow screen, each cell under the name of its column. The roles keep
 * it a table for screen readers there.
 */
export function stackedTable(
  css: string,
  caption: string,
  columns: readonly Column[],
  rows: readonly TableRow[],
): string {
  const heads = columns.map(
    ({ head, number, hidden }) =>
      `<th role="columnheader" scope="col"${number ? ' class="number"' : ''}>${hidden ? `<span class="unseen">${e(head)}</span>` : e(head)}</th>`,
  );
  const body = rows.map(
    ({ cells, css: row = '' }) =>
      `<tr role="row"${row === '' ? '' : ` class="${row}"`}>${cells.map((cell, i) => td(cell, columns[i])).join('')}</tr>`,
  );
  return `<table role="table" class="stacked ${css}"><caption class="unseen">${e(caption)}</caption><thead role="rowgroup"><tr role="row">${heads.join('')}</tr></thead><tbody role="rowgroup">
${body.join('\n')}
</tbody></table>`;
}

function td(cell: string, { head = '', number, hidden }: Partial<Column> = {}): string {
  return `<td role="cell"${number ? ' class="number"' : ''}${hidden ? '' : ` data-head="${e(head)}"`}>${cell}</td>`;
}
