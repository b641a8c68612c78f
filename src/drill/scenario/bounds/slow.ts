import { z } from 'zod';
import { phaseOf } from '../../judge/analysis.ts';
import { seconds, timedBy, timeLine } from '../../judge/row.ts';
import { latencyOf, sliceBy } from '../../judge/stats.ts';
import { latencyMs, type Sample, succeeded } from '../../load/sample.ts';
import { dueIn, latenciesOf } from '../../measure/fates.ts';
import { durationField, msOf, phaseName } from '../document/fields.ts';
import type { ScenarioMeasurement } from '../measurement.ts';
import { bound } from './bound.ts';
import { hedges, type LatencyBound, limitsIn } from './latency.ts';

/** A request is slow when it took longer than this multiple of the steady p99. */
const slowFactor = 2;

/** How long a request of the phase may take without having been delayed, in milliseconds. */
interface SlowLimits {
  readonly phase: string;
  readonly plainMs: number;
  /** Where the Group asks for hedging. */
  readonly hedgedMs: number;
}

/** The last request that a fault of the phase delayed. */
export const lastSlowBound = bound(
  z.strictObject({ in: phaseName, most: durationField }).meta({
    description: 'Time limit, from a fault of the phase, until the last request that it delays is due.',
  }),
  (m, value, all) => {
    const slow = slowFigures(m, slowLimits(value.in, all));
    const mostMs = msOf(value.most);
    return [
      {
        id: 'last-slow',
        claim: `Last request that the ${value.in} delayed, after the fault`,
        bound: `≤ ${mostMs / 1000} s`,
        measured:
          `${seconds(slow.lastSlowMs)} (${slow.count} over ${slowFactor} × steady p99 = ${slow.thresholdMs.toFixed(1)} ms; ` +
          `for any cause: ${slow.anyCount}, the last after ${seconds(slow.anyLastSlowMs)})`,
        ok: slow.lastSlowMs <= mostMs,
        ...timedBy(slow.lastSlowMs),
        ...timeLine(m.faults[0]?.moment.from ?? Number.NaN, mostMs, 'latency'),
      },
    ];
  },
);

/** What counts as delayed in a phase, by the scenario's bounds on latency there. */
export function slowLimits(phase: string, all: Readonly<Record<string, unknown>>): SlowLimits {
  return { phase, ...limitsIn(phase, (all.latency ?? []) as readonly LatencyBound[]) };
}

/** When requests stopped being slow because of the outage. Times in milliseconds. */
interface SlowFigures {
  /** 2 x the p99 of the first steady phase. */
  readonly thresholdMs: number;
  /** From a fault until the last request that it delayed was due: the longest of all faults; 0 for none. */
  readonly lastSlowMs: number;
  /** Delayed requests in the outage. */
  readonly count: number;
  /** The same for all requests over the threshold, including those that a busy machine delayed. */
  readonly anyLastSlowMs: number;
  readonly anyCount: number;
}

/** Windows in which requests count as slow together, in milliseconds. */
const slowWindowMs = 500;

/**
 * The last request of the outage that the outage delayed: over 2 x the steady p99, and
 * - it failed, took longer than the outage's p99 may be, or some proxy on its way needed more than one try;
 * or
 * - half of all requests of its half second were over it too: everything was slow.
 * A request that is slow alone and was served at its first try met a busy machine: six requests a second are
 * over the p99 here, with nothing broken.
 */
export function slowFigures(m: ScenarioMeasurement, limits: SlowLimits): SlowFigures {
  const steady = latencyOf(latenciesOf(dueIn(m.samples, phaseOf(m, 'steady'))));
  const thresholdMs = slowFactor * steady.p99;
  const outage = phaseOf(m, limits.phase);
  const isOver = (sample: Sample) => !succeeded(sample) || latencyMs(sample) > thresholdMs;
  const retried = new Set(m.access.filter((line) => line.attempts > 1).map((line) => line.id));
  const windows = sliceBy(dueIn(m.samples, outage), (s) => s.due, { ...outage, width: slowWindowMs });
  const over = windows.flatMap(({ items }) => {
    const slow = items.filter(isOver);
    return slow.map((sample) => ({ sample, together: 2 * slow.length > items.length }));
  });
  const delayed = over.filter(
    ({ sample, together }) =>
      together ||
      !succeeded(sample) ||
      latencyMs(sample) > limitMs(m, sample, limits) ||
      retried.has(sample.id),
  );
  const samplesOf = (list: typeof over) => list.map(({ sample }) => sample);
  return {
    thresholdMs,
    lastSlowMs: lastAfterFault(m, samplesOf(delayed), limits),
    count: delayed.length,
    anyLastSlowMs: lastAfterFault(m, samplesOf(over), limits),
    anyCount: over.length,
  };
}

/**
 * The longest time from a fault until a request that it delayed was due; 0 for no requests. A request in
 * flight at a fault counts as delayed by that fault if it was within its time limit, and else by an earlier
 * one.
 */
function lastAfterFault(m: ScenarioMeasurement, samples: readonly Sample[], limits: SlowLimits): number {
  const injected = m.faults.map(({ moment }) => moment.from);
  return samples.reduce((longest, sample) => {
    const within = Math.min(latencyMs(sample), limitMs(m, sample, limits));
    const before = injected.filter((at) => at <= sample.due + within);
    return before.length === 0 ? longest : Math.max(longest, sample.due - Math.max(...before));
  }, 0);
}

/** What the p99 in the phase may be, for requests like this one. */
function limitMs(m: ScenarioMeasurement, { id }: Sample, limits: SlowLimits): number {
  return hedges(m, id) ? limits.hedgedMs : limits.plainMs;
}
