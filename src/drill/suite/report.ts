import { textTable } from '../../base/text/text-table.ts';
import { machineId } from '../judge/machine.ts';
import { escapeHtml as e } from '../report/chart.ts';
import { styles } from '../report/report-assets.ts';
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

/** The report of all drills as one page that links each drill's own. */
export function renderSummaryHtml(results: readonly TrialResult[], began: Date): string {
  const passed = results.every(isMet);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${passed ? 'Passed' : 'Failed'} · Drills</title><style>${styles}</style></head><body><main>
<header><p class="kind">Isthmus drills, each with its negative control</p><h1>Drills</h1>
<p class="state ${passed ? 'good' : 'bad'}">${e(sumText(results))}</p>
<p class="note">${e(began.toISOString().replace('T', ' ').slice(0, 19))} UTC · a control is the same drill with the tested protection switched off: it must fail, or the drill proves nothing</p></header>
<section><div class="scroll"><table class="verdict"><thead><tr><th></th><th>Drill</th><th>Bounds</th><th>Control</th><th>Key figures, and the control’s</th><th>Time</th></tr></thead><tbody>
${results.map(summaryRow).join('\n')}
</tbody></table></div></section>
${results
  .filter(({ run }) => run.rows.length > 0)
  .map(detail)
  .join('\n')}
</main></body></html>
`;
}

function summaryRow(result: TrialResult): string {
  const { name, title, run, control, notes } = result;
  const skipped = run.state === 'skipped';
  const css = skipped ? '' : isMet(result) ? 'good' : 'bad';
  const mark = skipped ? '–' : isMet(result) ? '✓' : '✗';
  const link = (text: string, of: RunResult | undefined) =>
    of?.report === undefined ? e(text) : `<a href="${e(of.report)}">${e(text)}</a>`;
  const key = keyFiguresOf(result).map(
    ({ row, without }) =>
      `${e(row.claim)}: <b>${e(row.measured)}</b>${without ? ` / ${e(without.measured)}` : ''}`,
  );
  return `<tr class="${css}"><td class="mark-cell">${mark}</td><td><a href="#${e(name)}">${e(name)}</a><br>${e(title)}${notes.map((note) => `<br>${e(note)}`).join('')}</td><td>${link(boundsText(run), run)}</td><td>${link(controlText(result), control)}</td><td>${key.join('<br>')}</td><td class="number">${e(timeText(result))}</td></tr>`;
}

function detail(result: TrialResult): string {
  const cell = ({ ok, measured }: Figure['row']) =>
    `<td class="${ok ? 'good' : 'bad'}"><span class="mark-cell">${ok ? '✓' : '✗'}</span> ${e(measured)}</td>`;
  return `<section id="${e(result.name)}"><h2>${e(result.name)}</h2><div class="scroll"><table class="verdict"><thead><tr><th>What must hold</th><th>Bound</th><th>Measured</th><th>Without protection</th></tr></thead><tbody>
${trialFigures(result)
  .map(
    ({ row, without }) =>
      `<tr><td>${e(row.claim)}</td><td class="bound">${e(row.bound)}</td>${cell(row)}${without ? cell(without) : '<td></td>'}</tr>`,
  )
  .join('\n')}
</tbody></table></div></section>`;
}
