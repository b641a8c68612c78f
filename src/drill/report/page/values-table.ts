import type { Timeline } from '../../judge/timeline.ts';
import { escapeHtml as e } from './markup.ts';
import { secondsOf } from './slices.ts';
import { type Column, stackedTable } from './stacked-table.ts';

/** Rows at most. */
const rowsMax = 60;

/** The values of all plots as one table, which who cannot see the plots reads. */
export function valuesTable(timeline: Timeline): string {
  const { points, idcs, widthMs, phases } = secondsOf(timeline, rowsMax);
  const every = widthMs / 1000;
  const ms = (value: number | undefined) => (value === undefined ? '–' : value.toFixed(1));
  const columns: Column[] = [
    { head: 'From' },
    { head: 'Phase' },
    ...['Served', 'Failed', 'p50 ms', 'p99 ms', 'Slowest ms', ...idcs.map((idc) => `by ${idc}`)].map(
      (head) => ({
        head,
        number: true,
      }),
    ),
  ];
  const rows = points.map((p, i) => ({
    cells: [
      `${(i * every).toFixed(0)} s`,
      e(phases.find(({ from, to }) => p.second >= from && p.second < to)?.name ?? ''),
      String(p.served),
      [String(p.failed), ...(p.refused > 0 ? [`+${p.refused} refused`] : [])].join(' '),
      ms(p.p50),
      ms(p.p99),
      ms(p.max),
      ...idcs.map((idc) => String(p.byIdc[idc] ?? 0)),
    ],
  }));
  return `<details class="values"><summary>The values of these plots, by ${every === 1 ? 'second' : `${every} seconds`}</summary>${stackedTable('values', 'Requests, latency and who served', columns, rows)}</details>`;
}
