import { z } from 'zod';
import { figuresIn, figuresOf, type PhaseFigures, phaseOf } from '../../judge/analysis.ts';
import { latencyLine, millis, type Row, timedBy, times } from '../../judge/row.ts';
import { worstOf } from '../../judge/rows.ts';
import { hostOfRequest } from '../../measure/fates.ts';
import { durationField, msOf, phaseName } from '../document/fields.ts';
import type { ScenarioMeasurement } from '../measurement.ts';
import { bound } from './bound.ts';

const latencySchema = z
  .strictObject({
    in: phaseName,
    quantile: z.enum(['p50', 'p99'], { error: 'must be p50 or p99.' }),
    most: durationField.optional(),
    times: z
      .number()
      .min(1)
      .max(1000)
      .optional()
      .meta({ description: 'Largest ratio to the same quantile of the phase `steady`.' }),
    hedged: z
      .boolean()
      .optional()
      .meta({ description: 'true: only Groups with hedging; false: only the others.' }),
    from: z
      .literal('healing')
      .optional()
      .meta({ description: 'Counts from the start of healing, not from the start of the phase.' }),
  })
  .refine(({ most, times }) => (most === undefined) !== (times === undefined), 'needs either most or times.')
  .meta({ description: 'A quantile of latency in a phase, of the slowest load.' });

export type LatencyBound = z.infer<typeof latencySchema>;

/** Quantiles of latency in phases. */
export const latencyBound = bound(z.array(latencySchema).min(1), (m, list) =>
  // Without a Group with hedging there is nothing to judge.
  list.filter(({ hedged }) => !hedged || m.hedging.length > 0).map((each) => latencyRow(m, each)),
);

/**
 * The bounds on the p99 of a phase, in milliseconds; infinite where none is stated.
 */
export function limitsIn(
  phase: string,
  list: readonly LatencyBound[],
): { plainMs: number; hedgedMs: number } {
  const most = (hedged: boolean) => {
    const stated = list.filter(
      (each) =>
        each.in === phase && each.quantile === 'p99' && each.most !== undefined && each.hedged !== !hedged,
    );
    return Math.min(Number.POSITIVE_INFINITY, ...stated.map((each) => msOf(each.most ?? '')));
  };
  return { plainMs: most(false), hedgedMs: most(true) };
}

/** Whether a request was for a host whose Group asks for hedging. */
export function hedges(m: ScenarioMeasurement, id: string): boolean {
  return m.hedging.includes(hostOfRequest(id, m));
}

function latencyRow(m: ScenarioMeasurement, value: LatencyBound): Row {
  const { quantile, hedged } = value;
  const whole = phaseOf(m, value.in);
  const span = value.from === 'healing' ? { ...whole, from: m.healed.from } : whole;
  const samples = hedged === undefined ? m.samples : m.samples.filter(({ id }) => hedges(m, id) === hedged);
  // A load whose client was killed with its site has no requests then, and is not judged.
  const loads = figuresIn({ ...m, samples }, span).filter((f) => !isKilled(m, f.stream));
  const which = hedged === undefined ? '' : hedged ? ', Groups with hedging' : ', Groups without hedging';
  const id = `${hedged ? 'hedged-' : ''}${value.in.replaceAll(' ', '-')}-${quantile}`;
  const claim = `${quantile} in the ${value.in}${value.from ? `, from ${value.from} on` : ''}${which}`;
  if (value.times !== undefined) {
    const row = againstSteady(m, loads, { id, claim, quantile, most: value.times });
    return { ...row.row, ...latencyLine(row.limitMs, span) };
  }
  const worst = worstOf(loads, (f) => f.latency[quantile]);
  const mostMs = msOf(value.most ?? '');
  const slowest = value.from && `; slowest of all ${millis(worstOf(loads, (f) => f.latency.max).value)}`;
  return {
    id,
    claim: `${claim}, of the slowest load`,
    bound: `≤ ${mostMs} ms`,
    measured: `${millis(worst.value)} (${worst.of?.stream ?? 'no request was served'}${slowest ?? ''})`,
    ok: worst.value <= mostMs,
    ...timedBy(worst.value),
    ...latencyLine(mostMs, span),
  };
}

/** The row, and the limit that the steady quantile sets, in milliseconds. */
function againstSteady(
  m: ScenarioMeasurement,
  loads: readonly PhaseFigures[],
  row: { id: string; claim: string; quantile: 'p50' | 'p99'; most: number },
): { readonly row: Row; readonly limitMs: number } {
  const figures = figuresOf(m);
  const steadyOf = (stream: string) =>
    figures.find((f) => f.phase === 'steady' && f.stream === stream)?.latency[row.quantile] ?? Number.NaN;
  const worst = worstOf(loads, (f) => f.latency[row.quantile] / steadyOf(f.stream));
  const measured = worst.of?.latency[row.quantile] ?? Number.NaN;
  const steady = steadyOf(worst.of?.stream ?? '');
  const judged: Row = {
    id: row.id,
    claim: `${row.claim}, relative to the steady one, of the slowest load`,
    bound: `≤ ${row.most} ×`,
    measured: `${times(worst.value)} (${millis(measured)}, steady ${millis(steady)}, ${worst.of?.stream ?? 'no request was served'})`,
    ok: worst.value <= row.most,
    ...timedBy(worst.value),
  };
  return { row: judged, limitMs: row.most * steady };
}

const isKilled = (m: ScenarioMeasurement, stream: string) =>
  m.streams.some((facts) => facts.stream === stream && facts.killed !== undefined);
