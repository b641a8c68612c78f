import { phaseOf } from '../../analysis.ts';
import { dueIn, fateOf, hostOfRequest, latenciesOf } from '../../ledger.ts';
import { latencyMs, type Sample, succeeded } from '../../sample.ts';
import { latencyOf, sliceBy } from '../../stats.ts';
import { bounds, failbackTolerance, failbackWindowMs } from './bounds.ts';
import type { OutageMeasurement } from './measurement.ts';

/** When requests stopped being slow because of the outage. Times in milliseconds. */
export interface SlowFigures {
  /** 2 x the p99 of the first steady phase. */
  readonly thresholdMs: number;
  /** From the blow before it to when the last such request was due, at most over all blows; 0 for none. */
  readonly lastSlowMs: number;
  /** How many there were in the outage. */
  readonly count: number;
  /** The same for everything over the threshold, whatever delayed it: takes in the machine's own hiccups. */
  readonly anyLastSlowMs: number;
  readonly anyCount: number;
}

/** Windows in which all requests may be slow together, in milliseconds. */
const slowWindowMs = 500;

/**
 * The last request of the outage that the outage delayed: over 2 x the steady p99, and
 * - it failed, took longer than the outage's p99 may be, or some proxy on its way needed more than one try; or
 * - half of all requests of its half second were over it too: everything was slow.
 * What is slow alone and was served at the first try met a busy machine: a p99 leaves out six requests a second
 * here, with nothing broken.
 */
export function slowFigures(m: OutageMeasurement): SlowFigures {
  const steady = latencyOf(latenciesOf(dueIn(m.samples, phaseOf(m, 'steady'))));
  const thresholdMs = bounds.slowFactor * steady.p99;
  const outage = phaseOf(m, 'outage');
  const isOver = (sample: Sample) => !succeeded(sample) || latencyMs(sample) > thresholdMs;
  const retried = new Set(m.access.filter((line) => line.attempts > 1).map((line) => line.id));
  const windows = sliceBy(dueIn(m.samples, outage), (s) => s.due, { ...outage, width: slowWindowMs });
  const over = windows.flatMap(({ items }) => {
    const slow = items.filter(isOver);
    return slow.map((sample) => ({ sample, together: 2 * slow.length > items.length }));
  });
  const delayed = over.filter(
    ({ sample, together }) =>
      together || !succeeded(sample) || latencyMs(sample) > limitMs(m, sample) || retried.has(sample.id),
  );
  const samplesOf = (list: typeof over) => list.map(({ sample }) => sample);
  return {
    thresholdMs,
    lastSlowMs: lastAfterBlow(m, samplesOf(delayed)),
    count: delayed.length,
    anyLastSlowMs: lastAfterBlow(m, samplesOf(over)),
    anyCount: over.length,
  };
}

/**
 * The longest time from a blow to when a request was due that it delayed; 0 for no requests. What was under way
 * when a blow fell was delayed by that one, and not by the one before; but only while it was within its own time
 * limit: what a later blow finds still waiting for longer than that, the earlier one had delayed.
 */
function lastAfterBlow(m: OutageMeasurement, samples: readonly Sample[]): number {
  const blows = m.faults.map(({ moment }) => moment.from);
  return samples.reduce((longest, sample) => {
    const within = Math.min(latencyMs(sample), limitMs(m, sample));
    const before = blows.filter((at) => at <= sample.due + within);
    return before.length === 0 ? longest : Math.max(longest, sample.due - Math.max(...before));
  }, 0);
}

/** Whether a request was for a host whose Group asks for hedging. */
export function hedges(m: OutageMeasurement, id: string): boolean {
  return m.hedging.includes(hostOfRequest(id, m));
}

/** What the p99 in the outage may be, for requests like this one. */
function limitMs(m: OutageMeasurement, { id }: Sample): number {
  return hedges(m, id) ? bounds.hedgedOutageP99Ms : bounds.outageP99Ms;
}

/** How the IDC that was lost got its load back. Times in milliseconds. */
export interface FailbackFigures {
  /** Share that it served in the first steady phase, of the loads that it serves then. */
  readonly steadyShare: number;
  /** From when the instances answered again to when its share was back for good; NaN when it never was. */
  readonly afterHealthyMs: number;
  /** The same from when healing began. */
  readonly afterHealMs: number;
  /** Requests that failed from then on. */
  readonly failed: number;
}

/** When the share of the lost IDC was back, among the loads that it serves when nothing is broken. */
export function failbackFigures(m: OutageMeasurement): FailbackFigures {
  const steady = dueIn(m.samples, phaseOf(m, 'steady')).filter(succeeded);
  const home = new Set(steady.filter((s) => s.idc === m.lostIdc).map((s) => s.stream));
  // Of all that was due: what failed was not served by anybody.
  const shareOf = (list: readonly Sample[]) =>
    list.length === 0
      ? Number.NaN
      : list.filter((s) => succeeded(s) && s.idc === m.lostIdc).length / list.length;
  const steadyShare = shareOf(steady.filter((s) => home.has(s.stream)));
  const from = m.healed.from;
  const to = m.phases.at(-1)?.to ?? from;
  const after = dueIn(m.samples, { from, to });
  const windows = sliceBy(
    after.filter((s) => home.has(s.stream)),
    (s) => s.due,
    { from, to, width: failbackWindowMs },
    // The last one is narrower, down to nothing: a share of two requests says nothing.
  ).filter((window) => window.to - window.from > 0.99 * failbackWindowMs);
  const isBack = (items: readonly Sample[]) => shareOf(items) >= steadyShare - failbackTolerance;
  const lastAway = windows.findLastIndex((window) => !isBack(window.items));
  // What follows the last window in which it was not back; none, if that was the last of all.
  const backAt = windows[lastAway + 1]?.from ?? Number.NaN;
  return {
    steadyShare,
    afterHealMs: backAt - from,
    // It may be back before the last part of it answers a probe.
    afterHealthyMs: Math.max(0, backAt - m.healthyAt),
    failed: after.filter((s) => fateOf(s, m) === 'failed').length,
  };
}
