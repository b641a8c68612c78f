import { textTable } from '../../base/text/text-table.ts';
import { figuresOf, type PhaseFigures } from '../judge/analysis.ts';
import { rowState, type Verdict } from '../judge/verdict.ts';
import { usageText } from '../measure/environment.ts';
import type { Measurement } from '../measure/measurement.ts';
import type { ReportTable } from './table.ts';

/** The figures of each phase as an aligned table. Latencies in milliseconds. */
export function figureLines(m: Measurement): string[] {
  const header = ['phase', 'load', 'requests', 'failed', 'p50', 'p99', 'p99.9', 'max', 'served by'];
  const rows = figuresOf(m).map((f) => [
    f.phase,
    f.stream === '' ? 'all' : f.stream,
    String(f.requests),
    failedText(f),
    ...[f.latency.p50, f.latency.p99, f.latency.p999, f.latency.max].map((ms) =>
      Number.isNaN(ms) ? '-' : ms.toFixed(1),
    ),
    sharesText(f.shares),
  ]);
  const [own, others] = [usageText(m.usage, (u) => u.drill), usageText(m.usage, (u) => u.others)];
  return [
    '',
    ...textTable([header, ...rows]),
    '',
    `processors used by the drill: ${own}; by other processes: ${others}`,
    '',
  ];
}

/** `2 (+7 in flight)`. */
export function failedText({
  failed,
  lostInFlight,
  refused,
}: Pick<PhaseFigures, 'failed' | 'lostInFlight' | 'refused'>): string {
  const apart = [
    ...(lostInFlight > 0 ? [`${lostInFlight} in flight`] : []),
    ...(refused > 0 ? [`${refused} refused`] : []),
  ];
  return apart.length === 0 ? String(failed) : `${failed} (+${apart.join(', ')})`;
}

/** `sh-a 98.2 %, sh-b 1.8 %`. */
export function sharesText(shares: Readonly<Record<string, number>>): string {
  const parts = Object.entries(shares).map(([idc, share]) => `${idc} ${(100 * share).toFixed(1)} %`);
  return parts.length === 0 ? 'nobody' : parts.join(', ');
}

/** The verdict: one line for each bound, what was missed marked, and the sum of it. */
export function verdictLines(verdict: Verdict): string[] {
  const marks = { ok: 'ok', missed: 'MISSED', unjudged: 'BUSY' } as const;
  const rows = verdict.rows.map((row) => [marks[rowState(row, verdict)], row.claim, row.bound, row.measured]);
  return [...textTable([['', 'verdict', 'bound', 'measured'], ...rows]), '', verdictSummary(verdict, 'caps')];
}

/** A verdict in a line. */
export function verdictSummary(verdict: Verdict, style: 'caps' | 'plain' = 'plain'): string {
  const count = (state: string) => verdict.rows.filter((row) => rowState(row, verdict) === state).length;
  const word = (text: string) => (style === 'caps' ? text.toUpperCase() : text);
  const all = verdict.rows.length;
  if (verdict.passed) return `${word('Passed')}: all ${all} bounds kept`;
  if (verdict.unjudged)
    return `${word('Not judged')}: the machine was too busy, and ${count('unjudged') - 1} of ${all} bounds, all on times, were missed; run it again on a quiet machine`;
  return `${word('Failed')}: ${count('missed')} of ${all} bounds missed`;
}

/** A drill's own table, a block for each row: on one line its cells would be too wide. */
export function tableLines({ title, columns, rows }: ReportTable): string[] {
  const width = Math.max(...columns.map(({ length }) => length));
  const blocks = rows.flatMap(({ ok, cells }) => [
    ...cells.map((cell, i) => {
      const mark = i === 0 ? (ok ? 'ok' : 'MISSED') : '';
      return `${mark.padEnd(8)}${(columns[i] ?? '').padEnd(width)}  ${cell}`;
    }),
    '',
  ]);
  return ['', title, '', ...blocks];
}
