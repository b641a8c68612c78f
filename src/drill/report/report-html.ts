import { figuresOf } from '../judge/analysis.ts';
import { type Timeline, type TimePoint, timelineOf } from '../judge/timeline.ts';
import { rowState } from '../judge/verdict.ts';
import type { Rates } from '../load/loads.ts';
import { drawChart, escapeHtml as e, linearAxis, logAxis, type PlotFrame } from './chart.ts';
import { hoverScript, styles } from './report-assets.ts';
import type { Outcome } from './report-outcome.ts';
import { failedText, sharesText, verdictSummary } from './text.ts';

/**
 * The report as one HTML page that needs no network: plots are inline, script only adds reading off values.
 */
export function renderHtml(outcome: Outcome): string {
  const { measurement, verdict, settings, began } = outcome;
  const timeline = timelineOf(measurement);
  const { title, control } = settings.plan;
  const state = verdictSummary(verdict);
  const mark = { ok: '✓', missed: '✗', unjudged: '?' } as const;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${e(state.split(':')[0] ?? '')} · ${e(`Drill: ${title}`)}</title><style>${styles}</style></head><body><main>
<header><p class="kind">Isthmus drill${settings.unprotected ? e(` · negative control: ${control.off}`) : ''}</p>
<h1>${e(title)}</h1>
<p class="state ${verdict.passed ? 'good' : 'bad'}">${e(state)}</p>
${controlNote(outcome)}
<p class="note">${e(began.toISOString().replace('T', ' ').slice(0, 19))} UTC · ${e(ratesText(settings.rates))} · open loop: latency counts from when requests were due · world set up in ${(outcome.raisedMs / 1000).toFixed(1)} s</p></header>
${plots(timeline)}
<section><h2>Verdict</h2><div class="scroll"><table class="verdict"><thead><tr><th></th><th>What must hold</th><th>Bound</th><th>Measured</th></tr></thead><tbody>
${verdict.rows.map((row) => `<tr class="${row.ok ? 'good' : 'bad'}"><td class="mark-cell">${mark[rowState(row, verdict)]}</td><td>${e(row.claim)}</td><td class="bound">${e(row.bound)}</td><td>${e(row.measured)}</td></tr>`).join('\n')}
</tbody></table></div></section>
<section><h2>By phase</h2><p class="note">Latency of successes in milliseconds, from when each request was due.</p><div class="scroll"><table class="figures"><thead><tr><th>Phase</th><th>Load</th><th>Requests</th><th>Failed</th><th>p50</th><th>p99</th><th>p99.9</th><th>Max</th><th>Served by</th></tr></thead><tbody>
${figureRows(outcome)}
</tbody></table></div></section>
<section><h2>What happened</h2><ol class="events">${timeline.marks.map((mark) => `<li><b>${mark.second.toFixed(2)} s</b> ${e(mark.text)}</li>`).join('')}</ol></section>
<section><h2>Where it ran</h2><dl>${Object.entries(outcome.environment)
    .map(([name, value]) => `<dt>${e(name)}</dt><dd>${e(value)}</dd>`)
    .join('')}</dl></section>
</main><script type="application/json" id="timeline">${JSON.stringify(timeline).replaceAll('<', '\\u003c')}</script><script>${hoverScript}</script></body></html>
`;
}

/** `500 requests/s from the caller, 100 from the edge`. */
function ratesText(rates: Rates): string {
  const parts = Object.entries(rates).map(
    ([name, rate], i) => `${rate}${i === 0 ? ' requests/s' : ''} from the ${name}`,
  );
  return parts.join(', ');
}

function controlNote({ against, settings }: Outcome): string {
  if (against === undefined) return '';
  const text =
    against.length === 0
      ? `It was expected to fail, and failed for the right reason: ${settings.plan.control.proves}, so the drill can fail.`
      : `It was expected to fail without protection, but: ${against.join('; ')}.`;
  return `<p class="note control">${e(text)}</p>`;
}

function plots(timeline: Timeline): string {
  const { points, idcs } = timeline;
  const frame = (height: number): PlotFrame => ({ ...timeline, height });
  const width = timeline.widthMs / 1000;
  const perSecond = (count: number) => (count * 1000) / timeline.widthMs;
  const kinds = ['served', 'refused', 'lostInFlight', 'failed'] as const;
  const stacked = (p: TimePoint, count: number) =>
    perSecond(kinds.slice(0, count).reduce((sum, kind) => sum + p[kind], 0));
  const totals = points.map((p) => stacked(p, kinds.length));
  const has = (kind: (typeof kinds)[number]) => points.some((p) => p[kind] > 0);
  const requests = drawChart(
    'Requests per second, served and failed',
    frame(190),
    linearAxis(totals, String),
    kinds.map((kind, i) => ({
      kind: 'columns',
      css: kind,
      width,
      points: points.map((p) => [p.second, stacked(p, i), stacked(p, i + 1)]),
    })),
  );
  const values = points.flatMap((p) => [p.p50, p.max]).filter((value) => value !== undefined);
  const latency = drawChart(
    'Latency by quantile',
    frame(260),
    logAxis(values, (ms) => `${ms} ms`),
    [
      { kind: 'dots', css: 'max', points: points.map((p) => [p.second, p.max]) },
      { kind: 'line', css: 'p99', points: points.map((p) => [p.second, p.p99]) },
      { kind: 'line', css: 'p50', points: points.map((p) => [p.second, p.p50]) },
    ],
  );
  const shareAxis = { from: 0, to: 100, ticks: [0, 25, 50, 75, 100], format: (v: number) => `${v} %` };
  const shares = idcs.map((_, i) => ({
    kind: 'columns' as const,
    css: `idc-${i}`,
    width,
    points: points.map((p) => {
      const below = idcs.slice(0, i).reduce((sum, idc) => sum + (p.byIdc[idc] ?? 0), 0);
      const own = p.byIdc[idcs[i] ?? ''] ?? 0;
      const share = (count: number) => (p.served === 0 ? 0 : (100 * count) / p.served);
      return [p.second, share(below), share(below + own)] as const;
    }),
  }));
  const served = drawChart('Share of requests served by each IDC', frame(170), shareAxis, shares);
  const key = (css: string, text: string) => `<span class="key"><i class="${css}"></i>${e(text)}</span>`;
  return `<section class="plots">
<figure><figcaption><b>Requests per second</b>${key('served', 'served')}${has('refused') ? key('refused', 'refused, because no IDC could serve them') : ''}${key('failed', 'failed')}${has('lostInFlight') ? key('lostInFlight', 'lost inside the site that died') : ''}</figcaption>${requests}</figure>
<figure><figcaption><b>Latency</b> of successes, log scale${key('p50', 'p50')}${key('p99', 'p99 of the last second')}${key('max', 'slowest')}</figcaption>${latency}</figure>
<figure><figcaption><b>Who served</b>${idcs.map((idc, i) => key(`idc-${i}`, idc)).join('')}</figcaption>${served}</figure>
<p class="note">Each column is ${timeline.widthMs} ms of requests by when they were due. Shaded: the phases. Dashed: faults and healing.</p><p id="readout" class="note" aria-live="off">&nbsp;</p></section>`;
}

function figureRows({ measurement }: Outcome): string {
  const ms = (value: number) => (Number.isNaN(value) ? '–' : value.toFixed(1));
  return figuresOf(measurement)
    .map((f) => {
      const { p50, p99, p999, max } = f.latency;
      const cells = [f.requests, failedText(f), ms(p50), ms(p99), ms(p999), ms(max)].map(
        (cell) => `<td class="number">${cell}</td>`,
      );
      const all = f.stream === '';
      return `<tr class="${all ? 'all' : ''}"><td>${all ? e(f.phase) : ''}</td><td>${e(all ? 'all' : f.stream)}</td>${cells.join('')}<td>${e(sharesText(f.shares))}</td></tr>`;
    })
    .join('\n');
}
