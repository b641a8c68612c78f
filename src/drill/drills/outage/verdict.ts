import { figuresIn, figuresOf, phaseOf } from '../../analysis.ts';
import { isolationChecks } from '../../isolation.ts';
import { fateOf, unrecorded } from '../../ledger.ts';
import { millis, percent, type Row, seconds, times } from '../../row.ts';
import {
  ackRows,
  crossingRows,
  isolationRows,
  leakRow,
  reconcileRows,
  successRow,
  triesRow,
  worstOf,
} from '../../rows.ts';
import { type Verdict, verdictOf } from '../../verdict.ts';
import { bounds } from './bounds.ts';
import { effectRows } from './effect.ts';
import { failbackFigures, hedges, slowFigures } from './figures.ts';
import { homeRow, unawareRow } from './home.ts';
import type { OutageMeasurement } from './measurement.ts';

/** The verdict on a measurement. Pure: the same measurement, the same verdict. */
export function judge(m: OutageMeasurement): Verdict {
  return verdictOf(judgeRows(m));
}

/** Holds a measurement against each bound. */
export function judgeRows(m: OutageMeasurement): Row[] {
  return [
    ...effectRows(m),
    successRow(m, bounds.successRate, apartOf(m)),
    ...latency(m),
    lastSlow(m),
    ...failback(m),
    homeRow(m),
    ...(m.outage === 'site' ? [unawareRow(m)] : []),
    ...crossingRows(m, bounds.crossings),
    triesRow(m, bounds.tries),
    ...ackRows(m.acks, m.edits, bounds),
    ...isolationRows(m, isolationChecks),
    leakRow(m),
    ...reconcileRows(m),
  ];
}

/** What is told beside the share of successes when a site died. */
function apartOf(m: OutageMeasurement): string {
  if (m.outage !== 'site') return '';
  const inFlight = m.samples.filter((sample) => fateOf(sample, m) === 'lost in flight').length;
  return `; apart: ${inFlight} in flight inside sh-a when it died, ${unrecorded(m).length} of its own callers`;
}

function latency(m: OutageMeasurement): Row[] {
  const figures = figuresOf(m).filter((f) => f.stream !== '');
  // A load whose client was killed with its site has none due in the outage, and is judged by nothing here.
  const outage = figures.filter((f) => f.phase === 'outage' && !isKilled(m, f.stream));
  const steadyP50 = (stream: string) =>
    figures.find((f) => f.phase === 'steady' && f.stream === stream)?.latency.p50 ?? Number.NaN;
  const p50 = worstOf(outage, (f) => f.latency.p50 / steadyP50(f.stream));
  const median = p50.of?.latency.p50 ?? Number.NaN;
  const steady = steadyP50(p50.of?.stream ?? '');
  const recovery = figuresIn(m, { ...phaseOf(m, 'recovery'), from: m.healed.from });
  const back = worstOf(recovery, (f) => f.latency.p99);
  return [
    tail(m, false),
    ...(m.hedging.length > 0 ? [tail(m, true)] : []),
    {
      id: 'outage-p50',
      claim: 'p50 in the outage, against the steady one, of the slowest load',
      bound: `≤ ${bounds.outageP50Factor} ×`,
      measured: `${times(p50.value)} (${millis(median)} after ${millis(steady)}, ${p50.of?.stream ?? 'nobody was served'})`,
      ok: p50.value <= bounds.outageP50Factor,
    },
    {
      id: 'recovery-p99',
      claim: 'p99 in recovery, from healing on, of the slowest load',
      bound: `≤ ${bounds.recoveryP99Ms} ms`,
      measured: `${millis(back.value)} (${back.of?.stream ?? 'nobody was served'}; slowest of all ${millis(worstOf(recovery, (f) => f.latency.max).value)})`,
      ok: back.value <= bounds.recoveryP99Ms,
    },
  ];
}

/** The p99 of requests to hosts that hedge, or to those that declare nothing. */
function tail(m: OutageMeasurement, hedged: boolean): Row {
  const samples = m.samples.filter(({ id }) => hedges(m, id) === hedged);
  const loads = figuresIn({ ...m, samples }, phaseOf(m, 'outage')).filter((f) => !isKilled(m, f.stream));
  const p99 = worstOf(loads, (f) => f.latency.p99);
  const bound = hedged ? bounds.hedgedOutageP99Ms : bounds.outageP99Ms;
  return {
    id: hedged ? 'hedged-outage-p99' : 'outage-p99',
    claim: `p99 in the outage, ${hedged ? 'where the Group asks for hedging' : 'with nothing declared'}, of the slowest load`,
    bound: `≤ ${bound} ms`,
    measured: `${millis(p99.value)} (${p99.of?.stream ?? 'nobody was served'})`,
    ok: p99.value <= bound,
  };
}

const isKilled = (m: OutageMeasurement, stream: string) =>
  m.streams.some((facts) => facts.stream === stream && facts.killed !== undefined);

function lastSlow(m: OutageMeasurement): Row {
  const slow = slowFigures(m);
  return {
    id: 'last-slow',
    claim: 'Last request that the outage made slow, after the fault',
    bound: `≤ ${bounds.lastSlowMs / 1000} s`,
    measured:
      `${seconds(slow.lastSlowMs)} (${slow.count} over 2 × steady p99 = ${slow.thresholdMs.toFixed(1)} ms; ` +
      `whatever the cause: ${slow.anyCount}, the last after ${seconds(slow.anyLastSlowMs)})`,
    ok: slow.lastSlowMs <= bounds.lastSlowMs,
  };
}

function failback(m: OutageMeasurement): Row[] {
  const back = failbackFigures(m);
  return [
    {
      id: 'failback',
      claim: `Share of ${m.lostIdc} back after its instances were healthy`,
      bound: `≤ ${bounds.failbackMs / 1000} s`,
      measured: Number.isNaN(back.afterHealthyMs)
        ? 'not back by the end'
        : `${seconds(back.afterHealthyMs)} (${seconds(back.afterHealMs)} after healing began; steady share ${percent(back.steadyShare)})`,
      ok: back.afterHealthyMs <= bounds.failbackMs,
    },
    {
      id: 'failback-failed',
      claim: 'Requests that failed from healing on',
      bound: '0',
      measured: String(back.failed),
      ok: back.failed === 0,
    },
  ];
}
