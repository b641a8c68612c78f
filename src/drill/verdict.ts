import {
  failbackFigures,
  figuresIn,
  figuresOf,
  hopFigures,
  mostTries,
  phaseNameAt,
  phaseOf,
  slowFigures,
} from './analysis.ts';
import { bounds } from './bounds.ts';
import { effectRows } from './effect.ts';
import { homeRow, unawareRow } from './home.ts';
import { isolationChecks } from './isolation.ts';
import { fateOf, unrecorded } from './ledger.ts';
import type { Finding, Measurement } from './measurement.ts';
import { reconcile } from './reconcile.ts';
import { millis, percent, type Row, seconds, times } from './row.ts';

/** All bounds; passed when each holds. */
export interface Verdict {
  readonly passed: boolean;
  readonly rows: readonly Row[];
}

/** Holds a measurement against the bounds. Pure: the same measurement, the same verdict. */
export function judge(m: Measurement): Verdict {
  const rows = [
    ...effectRows(m),
    success(m),
    ...latency(m),
    lastSlow(m),
    ...failback(m),
    homeRow(m),
    ...(m.outage === 'site' ? [unawareRow(m)] : []),
    ...hops(m),
    tries(m),
    ...acks(m),
    ...isolation(m),
    noLeaks(m),
    ...reconcile(m).map((finding, i) => fromFinding(`reconcile-${i + 1}`, finding)),
  ];
  return { passed: rows.every((row) => row.ok), rows };
}

function success(m: Measurement): Row {
  const fates = m.samples.map((sample) => fateOf(sample, m));
  const failed = m.samples.filter((_, i) => fates[i] === 'failed');
  const inFlight = fates.filter((fate) => fate === 'lost in flight').length;
  const judged = m.samples.length - inFlight;
  const rate = judged === 0 ? 0 : (judged - failed.length) / judged;
  const first = failed[0];
  const example = first
    ? `, first in ${phaseNameAt(m, first.due)}: ${first.error || `status ${first.status}`}`
    : '';
  const apart =
    m.outage === 'site'
      ? `; apart: ${inFlight} in flight inside sh-a when it died, ${unrecorded(m).length} of its own callers`
      : '';
  return {
    id: 'success-rate',
    claim: 'Requests that succeed',
    bound: '100 %',
    measured: `${percent(rate)} (${failed.length} of ${judged} failed${example})${apart}`,
    ok: judged > 0 && rate >= bounds.successRate,
  };
}

/** The largest of a figure over loads. One that cannot be told is the worst: nobody was served. */
function worstOf<T>(list: readonly T[], pick: (each: T) => number): { value: number; of: T | undefined } {
  const unknown = list.find((each) => Number.isNaN(pick(each)));
  if (unknown !== undefined) return { value: Number.NaN, of: unknown };
  const value = list.length === 0 ? Number.NaN : Math.max(...list.map(pick));
  return { value, of: list.find((each) => pick(each) === value) };
}

function latency(m: Measurement): Row[] {
  const figures = figuresOf(m).filter((f) => f.stream !== '');
  // A load whose client was killed with its site has none due in the outage, and is judged by nothing here.
  const outage = figures.filter((f) => f.phase === 'outage' && !isKilled(m, f.stream));
  const p99 = worstOf(outage, (f) => f.latency.p99);
  const steadyP50 = (stream: string) =>
    figures.find((f) => f.phase === 'steady' && f.stream === stream)?.latency.p50 ?? Number.NaN;
  const p50 = worstOf(outage, (f) => f.latency.p50 / steadyP50(f.stream));
  const median = p50.of?.latency.p50 ?? Number.NaN;
  const steady = steadyP50(p50.of?.stream ?? '');
  const recovery = figuresIn(m, m.healed.from, phaseOf(m, 'recovery').to);
  const back = worstOf(recovery, (f) => f.latency.p99);
  return [
    {
      id: 'outage-p99',
      claim: 'p99 in the outage, of the slowest load',
      bound: `≤ ${bounds.outageP99Ms} ms`,
      measured: `${millis(p99.value)} (${p99.of?.stream ?? 'nobody was served'})`,
      ok: p99.value <= bounds.outageP99Ms,
    },
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

const isKilled = (m: Measurement, stream: string) =>
  m.streams.some((facts) => facts.stream === stream && facts.killed !== undefined);

function lastSlow(m: Measurement): Row {
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

function failback(m: Measurement): Row[] {
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

function hops(m: Measurement): Row[] {
  const hop = hopFigures(m);
  return [
    {
      id: 'crossings',
      claim: 'Most crossings of any request, by its trail',
      bound: `≤ ${bounds.crossings}`,
      measured: `${hop.most} (${hop.crossed} requests crossed, ${hop.withoutTrail} without a trail that says so)`,
      ok: hop.most <= bounds.crossings && hop.withoutTrail === 0,
    },
    {
      id: 'circles',
      claim: 'Requests that entered two IDCs from outside',
      bound: '0',
      measured: String(hop.circles),
      ok: hop.circles === 0,
    },
  ];
}

function tries(m: Measurement): Row {
  const { most, id } = mostTries(m);
  return {
    id: 'tries',
    claim: 'Most tries at instances for one request',
    bound: `≤ ${bounds.tries}`,
    measured: most > 1 ? `${most} (${id})` : String(most),
    ok: most >= 1 && most <= bounds.tries,
  };
}

function acks(m: Measurement): Row[] {
  const count = m.acks.reduce((sum, facts) => sum + facts.count, 0);
  const worst = (pick: (facts: Measurement['acks'][number]) => number) =>
    m.acks.length === 0 ? Number.NaN : Math.max(...m.acks.map(pick));
  const [p50, p99, max] = [worst((a) => a.p50Ms), worst((a) => a.p99Ms), worst((a) => a.maxMs)];
  // The control plane counts an ACK for each event that a response carries, so edits that were sent together count
  // each. It cannot tell those that a newer one replaced before they were sent: hence not all, but nine in ten.
  const expected = m.edits * Math.max(0, ...m.acks.map((facts) => facts.proxies));
  const enough = m.edits >= bounds.edits && expected > 0 && count >= bounds.ackShare * expected;
  return [
    {
      id: 'ack-p50',
      claim: 'Event → ACK, p50',
      bound: `≤ ${bounds.eventToAckP50Ms} ms`,
      measured: `${millis(p50)} (${m.edits} edits, ${count} of ${expected} ACKs, at least ${100 * bounds.ackShare} %)`,
      ok: enough && p50 <= bounds.eventToAckP50Ms,
    },
    {
      id: 'ack-p99',
      claim: 'Event → ACK, p99',
      bound: `≤ ${bounds.eventToAckP99Ms} ms`,
      measured: `${millis(p99)} (max ${millis(max)})`,
      ok: enough && p99 <= bounds.eventToAckP99Ms,
    },
  ];
}

function noLeaks(m: Measurement): Row {
  const leaked = [...m.entries].flatMap(([name, list]) =>
    list.filter((entry) => entry.leaked.length > 0).map((entry) => `${name}: ${entry.leaked.join(', ')}`),
  );
  return {
    id: 'no-leaked-headers',
    claim: 'Requests whose x-isthmus-* headers reached an application',
    bound: '0',
    measured: leaked.length === 0 ? '0' : `${leaked.length} (${leaked[0]})`,
    ok: leaked.length === 0,
  };
}

/** A look that was not taken found nothing, and does not pass for that. */
function isolation(m: Measurement): Row[] {
  return isolationChecks.map((check) => {
    const notSeen = { claim: `Isolation: ${check}`, ok: false, detail: 'was not looked at' };
    return fromFinding(`isolation-${check.replaceAll(' ', '-')}`, m.isolation[check] ?? notSeen);
  });
}

function fromFinding(id: string, { claim, ok, detail }: Finding): Row {
  return { id, claim, bound: 'holds', measured: detail, ok };
}
