import { textTable } from '../../base/text/text-table.ts';
import { machineId } from '../judge/machine.ts';
import { escapeHtml as e } from '../report/page/markup.ts';
import { styles } from '../report/page/report-assets.ts';
import { type Column, stackedTable } from '../report/page/stacked-table.ts';
import { icon } from '../report/page/verdict-section.ts';
import {
  type Figure,
  isMet,
  keyFiguresOf,
  type RunResult,
  type TrialResult,
  trialFigures,
} from './result.ts';

/** Whether a drill kept its bounds, in words. */
function boundsText({ state, rows, why = '' }: RunResult): string {
  const missed = rows.filter(({ ok, id }) => !ok && id !== machineId).length;
  switch (state) {
    case 'passed':
      return `met, all ${rows.length}`;
    case 'missed':
      return `MISSED, ${missed} of ${rows.length}`;
    case 'unjudged':
      return `NOT JUDGED, the machine was too busy: ${missed} of ${rows.length} missed, all on times`;
    case 'unable':
      return `COULD NOT RUN: ${why}`;
    case 'skipped':
      return `skipped: ${why}`;
  }
}

/** Whether its control failed as it must, in words. */
function controlText({ run, control, notes }: TrialResult): string {
  if (run.state === 'skipped') return '–';
  if (!control) return notes.find((note) => note.startsWith('no control')) ?? 'not run';
  const missed = control.rows.filter(({ ok, id }) => !ok && id !== machineId).length;
  switch (control.state) {
    case 'passed':
      return `failed as it must, ${missed} of ${control.rows.length}`;
    case 'missed':
      return `PROVES NOTHING: ${control.why ?? 'it did not fail'}`;
    case 'unjudged':
    case 'unable':
      return `COULD NOT RUN: ${control.why ?? ''}`;
    case 'skipped':
      return `skipped: ${control.why ?? ''}`;
  }
}

function timeText({ run, control }: TrialResult): string {
  const text = (seconds: number) => `${seconds.toFixed(0)} s`;
  return control ? `${text(run.seconds)} + ${text(control.seconds)}` : text(run.seconds);
}

/** How all of it ended, in a line. */
function sumText(results: readonly TrialResult[]): string {
  const count = (of: (each: TrialResult) => boolean) => results.filter(of).length;
  const skipped = count(({ run }) => run.state === 'skipped');
  const controls = results.flatMap(({ control }) => control ?? []);
  const failed = controls.filter(({ state }) => state === 'passed').length;
  const met = count(({ run }) => run.state === 'passed');
  return (
    `${met} of ${results.length - skipped} drills met all bounds, ${failed} of ${controls.length} controls failed as they must` +
    `, ${skipped} drills were skipped`
  );
}

/** The report of all drills as text: a table, what was missed, what was skipped. */
export function summaryLines(results: readonly TrialResult[]): string[] {
  const rows = results.map((result) => [
    isMet(result) ? (result.run.state === 'skipped' ? '-' : 'ok') : 'FAILED',
    result.name,
    result.run.state === 'skipped' ? 'skipped' : boundsText(result.run),
    controlText(result),
    timeText(result),
  ]);
  const figures = results.flatMap((result) => [
    ...(result.run.state === 'skipped' ? [`${result.name}: ${boundsText(result.run)}`] : []),
    ...result.notes.filter((note) => note.startsWith('without')).map((note) => `${result.name}: ${note}`),
    ...keyFiguresOf(result).map(
      ({ row, without }) =>
        `${result.name}: ${row.claim}: ${row.measured} (bound ${row.bound})${without ? `; control: ${without.measured}` : ''}`,
    ),
  ]);
  return [
    '',
    ...textTable([['', 'drill', 'bounds', 'control', 'time'], ...rows]),
    '',
    ...figures,
    '',
    sumText(results),
  ];
}

/** The report of all drills for machines. */
export function summaryJson(results: readonly TrialResult[], began: Date): object {
  return {
    began: began.toISOString(),
    passed: results.every(isMet),
    drills: results.map(({ name, title, run, control, notes }) => ({
      ...{ name, title, notes, run },
      ...(control && { control }),
    })),
  };
}

const summaryColumns: readonly Column[] = [
  { head: 'State', hidden: true },
  { head: 'Drill' },
  { head: 'Bounds' },
  { head: 'Control' },
  { head: 'Key figures, and the control’s' },
  { head: 'Time' },
];

const detailColumns: readonly Column[] = [
  { head: 'What must hold' },
  { head: 'Bound' },
  { head: 'Measured' },
  { head: 'Without protection' },
];

/** The report of all drills as one page that links each drill's own. */
export function renderSummaryHtml(results: readonly TrialResult[], began: Date): string {
  const passed = results.every(isMet);
  const tone = passed ? 'ok' : 'missed';
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${passed ? 'Passed' : 'Failed'} · Drills</title><style>${styles}</style></head><body>
<header><p class="kind">Isthmus drills, each with its negative control</p><h1>Drills</h1>
<p class="state ${tone}">${icon(tone)}${e(sumText(results))}</p>
<p class="note">${e(began.toISOString().replace('T', ' ').slice(0, 19))} UTC · <a href="report.json">JSON</a> · a control is the same drill with the tested protection switched off: it must fail, or the drill proves nothing</p></header>
<main><section aria-labelledby="all"><h2 id="all">All drills</h2>${stackedTable('summary', 'Drills and their controls', summaryColumns, results.map(summaryRow))}</section>
${results
  .filter(({ run }) => run.rows.length > 0)
  .map(detail)
  .join('\n')}
</main></body></html>
`;
}

function summaryRow(result: TrialResult) {
  const { name, title, run, control, notes } = result;
  const skipped = run.state === 'skipped';
  const state = skipped
    ? '–'
    : `${icon(isMet(result) ? 'ok' : 'missed')}<span class="unseen">${isMet(result) ? 'met' : 'failed'}</span>`;
  const link = (text: string, of: RunResult | undefined) =>
    of?.report === undefined ? e(text) : `<a href="${e(of.report)}">${e(text)}</a>`;
  const key = keyFiguresOf(result).map(
    ({ row, without }) =>
      `${e(row.claim)}: <b>${e(row.measured)}</b>${without ? ` / ${e(without.measured)}` : ''}`,
  );
  const own = run.rows.length > 0 ? `<a href="#${e(name)}">${e(name)}</a>` : `<b>${e(name)}</b>`;
  const told = notes.map((note) => `<br>${e(note)}`).join('');
  return {
    css: skipped ? '' : isMet(result) ? 'good' : 'bad',
    cells: [
      state,
      `<div>${own}<br>${e(title)}${told}</div>`,
      link(boundsText(run), run),
      link(controlText(result), control),
      `<div>${key.join('<br>')}</div>`,
      e(timeText(result)),
    ],
  };
}

function detail(result: TrialResult): string {
  const cell = ({ ok, measured }: Figure['row']) =>
    `<div>${icon(ok ? 'ok' : 'missed')}<span class="unseen">${ok ? 'kept' : 'missed'}: </span> ${e(measured)}</div>`;
  const rows = trialFigures(result).map(({ row, without }) => ({
    cells: [
      e(row.claim),
      `<span class="bound">${e(row.bound)}</span>`,
      cell(row),
      without ? cell(without) : '–',
    ],
  }));
  return `<section aria-labelledby="${e(result.name)}"><h2 id="${e(result.name)}">${e(result.name)}</h2>${stackedTable('detail', `Bounds of ${result.name}`, detailColumns, rows)}</section>`;
}
