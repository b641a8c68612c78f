import type { Timeline, TimePoint } from '../../judge/timeline.ts';
import type { DrawnLine, ReportJson } from '../report-json.ts';
import { linearAxis, logAxis } from './axis.ts';
import { drawChart, type Layer, type PlotFrame } from './chart.ts';
import { escapeHtml as e } from './markup.ts';
import { columnsOf, sumOf } from './slices.ts';
import { valuesTable } from './values-table.ts';

/** A drill's negative control, to be drawn beside it. */
export interface ControlBeside {
  readonly report: ReportJson;
  /** Its page, from the folder of the drill's. */
  readonly href: string;
}

/** A plot at one width. */
type Draw = (timeline: Timeline, frame: PlotFrame, control: Timeline | undefined) => string;

const kinds = ['served', 'refused', 'lostInFlight', 'failed'] as const;

/** The plots of a report, each for wide and for narrow screens, and their values as a table. */
export function plotsSection(report: ReportJson, control?: ControlBeside): string {
  const { timeline, lines } = report;
  const has = (kind: (typeof kinds)[number]) => timeline.points.some((p) => p[kind] > 0);
  const faint = control ? key('control', 'the negative control') : '';
  const bounds = (plot: 'latency' | 'share') =>
    lines.some(
      (line) =>
        line.plot === plot || (line.plot === 'time' && line.shows === plot && line.at <= timeline.seconds),
    )
      ? key('bound', 'bounds')
      : '';
  const both = (draw: Draw, height: number, labelled = false) =>
    [
      { width: 960, most: 450, labelled },
      { width: 340, most: 150, labelled: false },
    ]
      .map(({ width, most, ...rest }) =>
        draw(
          columnsOf(timeline, most),
          { ...timeline, ...rest, width, height },
          control && columnsOf(control.report.timeline, most),
        ),
      )
      .join('');
  const figure = (name: string, keys: string, drawn: string) =>
    `<figure><figcaption><b>${name}</b>${keys}</figcaption>${drawn}</figure>`;
  const keys = [
    key('served', 'served'),
    has('refused') ? key('refused', 'refused, because no IDC could serve them') : '',
    key('failed', 'failed'),
    has('lostInFlight') ? key('lostInFlight', 'lost inside the site that died') : '',
  ].join('');
  return `<section class="plots" aria-labelledby="over-time"><h2 id="over-time">Over time</h2>
${figure('Requests per second', `${keys}${control ? key('control', 'served by the negative control') : ''}`, both(requestsPlot, 190, true))}
${figure('Latency', `<span class="key">of successes, log scale</span>${key('p50', 'p50')}${key('p99', 'p99 of the last second')}${key('max', 'slowest')}${control ? key('control', 'p99 of the negative control') : ''}${bounds('latency')}`, both(latencyPlot(lines), 260))}
${figure('Who served', `${timeline.idcs.map((idc, i) => key(`idc-${i}`, idc)).join('')}${bounds('share')}`, both(servedPlot(lines), 170))}
<p class="note">By when requests were due, in columns of ${timeline.widthMs} ms or, in a long drill, of several of them. Shaded: the phases. Dashed: events, by number.${faint === '' ? '' : ` The negative control ran ${e(dayOf(control?.report.began ?? ''))} without protection: ${e(control?.report.control.off ?? '')}.`}</p>
<p id="readout" class="note" aria-live="off">&nbsp;</p>
${valuesTable(timeline)}</section>`;
}

function key(css: string, text: string): string {
  return `<span class="key"><i class="${css}"></i>${e(text)}</span>`;
}

function dayOf(began: string): string {
  return began.replace('T', ' ').slice(0, 16);
}

const requestsPlot: Draw = (timeline, frame, control) => {
  const { points } = timeline;
  const width = timeline.widthMs / 1000;
  const stacked = (p: TimePoint, count: number) =>
    kinds.slice(0, count).reduce((sum, kind) => sum + p[kind], 0) / width;
  const columns = kinds.map(
    (kind, i): Layer => ({
      ...{ kind: 'columns', css: kind, width },
      points: points.map((p) => [p.second, stacked(p, i), stacked(p, i + 1)]),
    }),
  );
  const beside: Layer[] = control
    ? [{ kind: 'line', css: 'control over', points: servedOf(control, timeline) }]
    : [];
  const totals = points.map((p) => stacked(p, kinds.length));
  const failed = sumOf(points, (p) => p.failed);
  const about = `${sumOf(points, (p) => p.served)} served, ${failed} failed${failed > 0 ? `, the first at ${secondOf(points.find((p) => p.failed > 0))}` : ''}.`;
  return drawChart(
    'Requests per second, served and failed',
    frame,
    linearAxis(totals, String),
    [...columns, ...beside],
    about,
  );
};

/** What the control served per second, as if as many requests had been due there. */
function servedOf(control: Timeline, { points }: Timeline): (readonly [number, number])[] {
  const due = (list: readonly TimePoint[]) =>
    sumOf(list, (p) => kinds.reduce((sum, kind) => sum + p[kind], 0)) / Math.max(1, list.length);
  const factor = due(points) / Math.max(1e-9, due(control.points)) / (control.widthMs / 1000);
  return control.points.map((p) => [p.second, p.served * factor]);
}

const latencyPlot =
  (lines: readonly DrawnLine[]): Draw =>
  ({ points }, frame, control) => {
    const levels = lines.flatMap((line): Layer[] =>
      line.plot === 'latency'
        ? [{ ...line, kind: 'level', label: shortWordsOf(line, frame), title: wordsOf(line) }]
        : [],
    );
    const values = [
      ...points.flatMap((p) => [p.p50, p.max]),
      ...(control?.points ?? []).map((p) => p.p99),
      ...lines.map((line) => (line.plot === 'latency' ? line.value : undefined)),
    ].filter((value) => value !== undefined);
    const worst = points.reduce<TimePoint | undefined>(
      (most, p) => ((p.p99 ?? 0) > (most?.p99 ?? 0) ? p : most),
      undefined,
    );
    const line = (css: 'p50' | 'p99'): Layer => ({
      ...{ kind: 'line', css },
      points: points.map((p) => [p.second, p[css]]),
    });
    const layers: Layer[] = [
      { kind: 'dots', css: 'max', points: points.map((p) => [p.second, p.max]) },
      ...(control
        ? [
            {
              kind: 'line' as const,
              css: 'control',
              points: control.points.map((p) => [p.second, p.p99] as const),
            },
          ]
        : []),
      line('p99'),
      line('p50'),
      ...levels,
      ...latestOf(lines, 'latency', frame),
    ];
    const about = worst
      ? `The p99 of a second was ${worst.p99?.toFixed(1)} ms at most, at ${secondOf(worst)}.`
      : '';
    return drawChart('Latency by quantile', frame, logAxis(values, msTick), layers, about);
  };

const servedPlot =
  (lines: readonly DrawnLine[]): Draw =>
  ({ points, idcs, widthMs }, frame) => {
    const shares = idcs.map(
      (_, i): Layer => ({
        ...{ kind: 'columns', css: `idc-${i}`, width: widthMs / 1000 },
        points: points.map((p) => {
          const below = sumOf(idcs.slice(0, i), (idc) => p.byIdc[idc] ?? 0);
          const own = p.byIdc[idcs[i] ?? ''] ?? 0;
          const share = (count: number) => (p.served === 0 ? 0 : (100 * count) / p.served);
          return [p.second, share(below), share(below + own)];
        }),
      }),
    );
    const levels = lines.flatMap((line): Layer[] => {
      if (line.plot !== 'share') return [];
      const at = heightOf(line, idcs);
      return at === undefined
        ? []
        : [
            {
              ...line,
              value: at,
              kind: 'level',
              label: `${line.idc} ${line.bound}`,
              title: `${line.claim}: ${line.bound}`,
            },
          ];
    });
    const axis = { from: 0, to: 100, ticks: [0, 25, 50, 75, 100], format: (v: number) => `${v} %` };
    const about = idcs.map((idc) => `${idc} served ${sumOf(points, (p) => p.byIdc[idc] ?? 0)}`).join(', ');
    return drawChart(
      'Share of requests served by each IDC',
      frame,
      axis,
      [...shares, ...levels, ...latestOf(lines, 'share', frame)],
      `${about}.`,
    );
  };

/** Where a share stands in the stack; only the lowest and the highest of the stack have a place for it. */
function heightOf(
  { idc, value }: Extract<DrawnLine, { plot: 'share' }>,
  idcs: readonly string[],
): number | undefined {
  if (idcs[0] === idc) return value;
  return idcs.at(-1) === idc ? 100 - value : undefined;
}

function latestOf(lines: readonly DrawnLine[], plot: 'latency' | 'share', { seconds }: PlotFrame): Layer[] {
  return lines.flatMap((line): Layer[] =>
    line.plot === 'time' && line.shows === plot && line.at <= seconds
      ? [{ kind: 'latest', at: line.at, label: wordsOf(line), title: wordsOf(line) }]
      : [],
  );
}

/** `p99, Groups with hedging ≤ 600 ms`: the phase is where the line is. On a phone `p99 ≤ 600 ms`. */
function shortWordsOf(line: DrawnLine, { width = 960 }: PlotFrame): string {
  const claim = line.claim.replace(/ in the [^,]+/, '');
  return wordsOf({ ...line, claim: width < 500 ? claim.replace(/,.*/, '') : claim });
}

/** `p99 in the outage ≤ 2000 ms`. */
function wordsOf({ claim, bound }: DrawnLine): string {
  return `${claim.replace(', of the slowest load', '')} ${bound}`;
}

function secondOf(point: TimePoint | undefined): string {
  return `${(point?.second ?? 0).toFixed(1)} s`;
}

function msTick(ms: number): string {
  return ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`;
}
