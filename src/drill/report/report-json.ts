import { figuresOf, hopFigures, mostTries, type PhaseFigures } from '../judge/analysis.ts';
import type { BoundLine, Row } from '../judge/row.ts';
import { countBy } from '../judge/stats.ts';
import { type Timeline, timelineOf } from '../judge/timeline.ts';
import type { Environment } from '../measure/environment.ts';
import { fateOf } from '../measure/fates.ts';
import type { Measurement } from '../measure/measurement.ts';
import type { Outcome } from './report-outcome.ts';
import type { ReportTable } from './table.ts';
import { type DrawnWorld, drawnWorld } from './world.ts';

/**
 * What the page needs of `report.json`; the file has more. Times in milliseconds, seconds in the timeline. A
 * latency of no requests is null.
 */
export interface ReportJson {
  readonly drill: string;
  readonly title: string;
  readonly options: Readonly<Record<string, string>>;
  readonly command: string;
  readonly seed: number;
  readonly unprotected: boolean;
  readonly control: { readonly off: string; readonly proves: string };
  readonly began: string;
  readonly passed: boolean;
  readonly unjudged?: boolean;
  readonly expectedToFail?: { readonly forTheRightReason: boolean; readonly against: readonly string[] };
  readonly verdict: readonly Row[];
  readonly tables?: readonly ReportTable[];
  readonly requests: RequestCounts;
  readonly figures: readonly Figures[];
  readonly rates: Readonly<Record<string, number>>;
  readonly raisedMs: number;
  readonly world: DrawnWorld;
  readonly timeline: Timeline;
  readonly lines: readonly DrawnLine[];
  readonly environment: Environment;
}

/** All requests of all loads, those of the warm-up included. */
interface RequestCounts {
  readonly sent: number;
  readonly failed: number;
  readonly lostInFlight: number;
  readonly refused: number;
}

type Figures = Omit<PhaseFigures, 'latency'> & {
  readonly latency: {
    readonly [quantile in 'p50' | 'p99' | 'p999' | 'max']: number | null;
  };
};

/** A bound as a line in a plot, times in seconds of the timeline. */
export type DrawnLine = BoundLine & { readonly claim: string; readonly bound: string };

/** The report for machines: what is written to `report.json`, and all that the page is made of. */
export function reportJson(outcome: Outcome): ReportJson {
  const { measurement: m, verdict, settings, environment, began, raisedMs, against } = outcome;
  const { plan } = settings;
  const json = {
    drill: settings.drill.name,
    options: settings.flags,
    unprotected: settings.unprotected,
    began: began.toISOString(),
    passed: verdict.passed,
    ...(verdict.unjudged && { unjudged: true }),
    ...(against && { expectedToFail: { forTheRightReason: against.length === 0, against } }),
    verdict: verdict.rows,
    ...(plan.tables && { tables: plan.tables(m) }),
    ...(plan.control.misses && { mattersMost: plan.control.misses }),
    figures: figuresOf(m),
    ...plan.figures(m),
    hops: hopFigures(m),
    tries: mostTries(m),
    title: plan.title,
    command: settings.command,
    control: { off: plan.control.off, proves: plan.control.proves },
    requests: countsOf(m),
    raisedMs,
    seed: settings.seed,
    rates: settings.rates,
    steps: m.steps,
    world: drawnWorld(plan.world),
    timeline: timelineOf(m),
    lines: linesOf(m, verdict.rows),
    environment,
  };
  // As it will be read: numbers that are none become null.
  return JSON.parse(JSON.stringify(json)) as ReportJson;
}

function countsOf(m: Measurement): RequestCounts {
  const fates = countBy(m.samples, (sample) => fateOf(sample, m));
  return {
    sent: m.samples.length,
    failed: fates.get('failed') ?? 0,
    lostInFlight: fates.get('lost in flight') ?? 0,
    refused: fates.get('refused') ?? 0,
  };
}

function linesOf(m: Measurement, rows: readonly Row[]): DrawnLine[] {
  const zero = m.phases[0]?.from ?? 0;
  const second = (ms: number) => (ms - zero) / 1000;
  return rows.flatMap(({ line, claim, bound }): DrawnLine[] => {
    if (!line) return [];
    if (line.plot === 'time') return [{ ...line, at: second(line.at), claim, bound }];
    return [{ ...line, from: second(line.from), to: second(line.to), claim, bound }];
  });
}
