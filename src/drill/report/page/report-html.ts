import { headlineOf, nearestWords } from '../headline.ts';
import type { ReportJson } from '../report-json.ts';
import type { ReportTable } from '../table.ts';
import { failedText, sharesText, verdictSummary } from '../text.ts';
import { escapeHtml as e } from './markup.ts';
import { type ControlBeside, plotsSection } from './plots.ts';
import { hoverScript, styles } from './report-assets.ts';
import { type Column, stackedTable } from './stacked-table.ts';
import { icon, verdictSection } from './verdict-section.ts';
import { worldSection } from './world-picture.ts';

/**
 * The report as one HTML page that needs no network: pictures are inline, the script only adds reading off
 * values. `control`: the drill's negative control, whose curve is drawn beside.
 */
export function renderHtml(report: ReportJson, control?: ControlBeside): string {
  const { timeline, title } = report;
  const state = verdictSummary({ ...report, rows: report.verdict, unjudged: report.unjudged ?? false });
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${e(state.split(':')[0] ?? '')}: ${e(headlineOf(report))} · ${e(`Drill: ${title}`)}</title><style>${styles}</style></head><body>
${header(report, state, control)}
<main>
${worldSection(report)}
${plotsSection(report, control)}
<section aria-labelledby="events"><h2 id="events">What happened</h2><ol class="events">${timeline.marks.map((mark) => `<li><b>${mark.second.toFixed(2)} s</b> ${e(mark.text)}</li>`).join('')}</ol></section>
${(report.tables ?? []).map(tableSection).join('\n')}
${verdictSection(report.verdict)}
${phasesSection(report)}
${runSection(report)}
</main><script type="application/json" id="timeline">${JSON.stringify(timeline).replaceAll('<', '\\u003c')}</script><script>${hoverScript}</script></body></html>
`;
}

/** The first screen: what was done, how it ended, in words. */
function header(report: ReportJson, state: string, control: ControlBeside | undefined): string {
  const { title, passed, unjudged, unprotected } = report;
  const tone = passed ? 'ok' : unjudged ? 'unjudged' : 'missed';
  const nearest = nearestWords(report.verdict);
  const links = [
    '<a href="report.json">JSON</a>',
    '<a href="junit.xml">JUnit</a>',
    ...(control ? [`<a href="${e(control.href)}">the negative control</a>`] : []),
  ];
  return `<header><p class="kind">Isthmus drill${unprotected ? e(` · negative control: ${report.control.off}`) : ''}</p>
<h1>${e(title)}</h1>
<p class="state ${tone}">${icon(tone)}${e(state)}</p>
<p class="headline">${e(headlineOf(report))}.</p>
${nearest === '' ? '' : `<p class="nearest">${e(nearest)}</p>`}
${controlNote(report)}
<p class="note">${e(report.began.replace('T', ' ').slice(0, 19))} UTC · ${e(ratesText(report.rates))} · ${links.join(' · ')}</p></header>`;
}

/** `500 requests/s from the caller, 100 from the edge`. */
function ratesText(rates: ReportJson['rates']): string {
  const parts = Object.entries(rates).map(
    ([name, rate], i) => `${rate}${i === 0 ? ' requests/s' : ''} from the ${name}`,
  );
  return parts.join(', ');
}

function controlNote({ expectedToFail, control }: ReportJson): string {
  if (expectedToFail === undefined) return '';
  const text = expectedToFail.forTheRightReason
    ? `It was expected to fail, and failed for the right reason: ${control.proves}, so the drill can fail.`
    : `It was expected to fail without protection, but: ${expectedToFail.against.join('; ')}.`;
  return `<p class="note control-note">${e(text)}</p>`;
}

const phaseColumns: readonly Column[] = [
  { head: 'Phase' },
  { head: 'Load' },
  ...['Requests', 'Failed', 'p50', 'p99', 'p99.9', 'Max'].map((head) => ({ head, number: true })),
  { head: 'Served by' },
];

function phasesSection({ figures }: ReportJson): string {
  const ms = (value: number | null) => (value === null ? '–' : value.toFixed(1));
  const rows = figures.map((f) => {
    const { p50, p99, p999, max } = f.latency;
    const all = f.stream === '';
    return {
      css: all ? 'all' : 'part',
      cells: [
        e(f.phase),
        e(all ? 'all' : f.stream),
        ...[f.requests, failedText(f), ms(p50), ms(p99), ms(p999), ms(max)].map((value) => e(String(value))),
        e(sharesText(f.shares)),
      ],
    };
  });
  return `<section aria-labelledby="phases"><h2 id="phases">By phase</h2><p class="note">Latency of successes in milliseconds, from when each request was due: the load is open-loop.</p>${stackedTable('figures', 'Figures by phase and load', phaseColumns, rows)}</section>`;
}

/** A table of the drill's own. */
function tableSection({ id, title, note, columns, rows }: ReportTable): string {
  const heads = [{ head: 'State', hidden: true }, ...columns.map((head) => ({ head }))];
  const list = rows.map(({ ok, cells }) => ({
    css: ok ? 'good' : 'bad',
    cells: [
      `${icon(ok ? 'ok' : 'missed')}<span class="state-word">${ok ? 'agrees' : 'differs'}</span>`,
      ...cells.map(e),
    ],
  }));
  return `<section aria-labelledby="${e(id)}"><h2 id="${e(id)}">${e(title)}</h2><p class="note">${e(note)}</p>${stackedTable('own', title, heads, list)}</section>`;
}

/** What repeats the run, and on what it ran. */
function runSection({ command, seed, raisedMs, environment }: ReportJson): string {
  const facts = {
    'World set up in': `${(raisedMs / 1000).toFixed(1)} s`,
    Seed: String(seed),
    ...environment,
  };
  const list = Object.entries(facts).map(([name, value]) => `<dt>${e(name)}</dt><dd>${e(value)}</dd>`);
  return `<section aria-labelledby="run"><h2 id="run">How and where it ran</h2><p class="note">This command repeats it:</p><pre class="command"><code>${e(command)}</code></pre><dl>${list.join('')}</dl></section>`;
}
