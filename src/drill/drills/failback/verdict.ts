import { phaseOf } from '../../analysis.ts';
import { latenciesOf } from '../../ledger.ts';
import type { Measurement } from '../../measurement.ts';
import { millis, percent, type Row } from '../../row.ts';
import { crossingRows, leakRow, reconcileRows, successRow, triesRow } from '../../rows.ts';
import { latencyOf } from '../../stats.ts';
import type { Verdict } from '../../verdict.ts';
import { atOnce, inSteps, lostIdc } from './groups.ts';
import { requestsOf, shareAt, switchesOf, worstSecond } from './shares.ts';

/** What `failback-cold` measures besides what every drill does. */
export interface ColdFacts {
  /** When the instances were started again, and when all answered. */
  readonly backAt: number;
  readonly healthyAt: number;
  /** Whether its processes had real-time priority. */
  readonly realtime: boolean;
}

/** What `flap` measures besides what every drill does. */
export interface FlapFacts {
  /** When the instances had come for good. */
  readonly overAt: number;
  readonly realtime: boolean;
}

/** What the drills must keep to. */
export const bounds = {
  /** The worst second's median, against that of one step. */
  worstPart: 0.5,
  /** One step must hurt: its worst second's median, against the steady one. */
  hurts: 5,
  switches: 2,
  /** Where nothing is asked for, they change sides with the IDC. */
  switchesAtOnce: 4,
  homeShare: 0.99,
  crossings: 1,
  tries: 8,
} as const;

/** Holds the return of cold instances against each bound. */
export function judgeCold(m: Measurement & ColdFacts): Row[] {
  const back = { from: m.backAt, to: phaseOf(m, 'recovery').to };
  const [steps, step] = [worstSecond(m, inSteps, back), worstSecond(m, atOnce, back)];
  const steady = latencyOf(latenciesOf(requestsOf(m, atOnce, phaseOf(m, 'steady')))).p50;
  return [
    successRow(m, 1),
    {
      id: 'one-step-hurts',
      claim: 'Worst second’s p50 where all come home at once, against the steady p50',
      bound: `≥ ${bounds.hurts} ×`,
      measured: `${millis(step)} after ${millis(steady)}`,
      ok: step >= bounds.hurts * steady,
    },
    {
      id: 'worst-second',
      claim: 'Worst second’s p50 where they come home in steps, against that',
      bound: `≤ ${bounds.worstPart} ×`,
      measured: `${(steps / step).toFixed(2)} × (${millis(steps)})`,
      ok: steps <= bounds.worstPart * step,
    },
    homeRow(m),
    ...commonRows(m),
  ];
}

/** Holds the flapping against each bound. */
export function judgeFlap(m: Measurement & FlapFacts): Row[] {
  const { to: struck } = phaseOf(m, 'steady');
  const span = { from: struck - 2_000, to: phaseOf(m, 'steady again').to };
  const [held, free] = [
    switchesOf(m, inSteps, lostIdc, span),
    switchesOf(m, atOnce, lostIdc, { ...span, to: m.overAt }),
  ];
  return [
    successRow(m, 1),
    {
      id: 'at-once-flaps',
      claim: 'Times that most requests changed sides where all come home at once',
      bound: `≥ ${bounds.switchesAtOnce}`,
      measured: String(free),
      ok: free >= bounds.switchesAtOnce,
    },
    {
      id: 'switches',
      claim: 'Times that most requests changed sides where they come home in steps',
      bound: `≤ ${bounds.switches}`,
      measured: String(held),
      ok: held <= bounds.switches,
    },
    homeRow(m),
    ...commonRows(m),
  ];
}

function homeRow(m: Measurement): Row {
  const share = shareAt(m, inSteps, lostIdc, phaseOf(m, 'steady again'));
  return {
    id: 'home-again',
    claim: 'Served at home in the end',
    bound: `≥ ${percent(bounds.homeShare)}`,
    measured: percent(share),
    ok: share >= bounds.homeShare,
  };
}

function commonRows(m: Measurement): Row[] {
  return [...crossingRows(m, bounds.crossings), triesRow(m, bounds.tries), leakRow(m), ...reconcileRows(m)];
}

/** Whether the run without steps failed for the right reason. Returns what speaks against it. */
export function judgeColdControl(_: Measurement & ColdFacts, verdict: Verdict): string[] {
  return speaksAgainst(verdict, 'one-step-hurts', 'worst-second');
}

/** The same of the flapping. */
export function judgeFlapControl(_: Measurement & FlapFacts, verdict: Verdict): string[] {
  return speaksAgainst(verdict, 'at-once-flaps', 'switches');
}

function speaksAgainst(verdict: Verdict, must: string, mustNot: string): string[] {
  const holds = (id: string) => verdict.rows.find((row) => row.id === id)?.ok;
  return [
    ...(holds(must) ? [] : [`'${must}' was missed: nothing was to be protected from`]),
    ...(holds(mustNot) ? [`'${mustNot}' was kept all the same`] : []),
  ];
}
