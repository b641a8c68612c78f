import { fateOf } from '../measure/fates.ts';
import type { IsolationCheck } from '../measure/isolation.ts';
import type { AckFacts, Measurement } from '../measure/measurement.ts';
import { hopFigures, mostTries, phaseNameAt } from './analysis.ts';
import type { CheckFinding } from './finding.ts';
import { reconcile } from './reconcile.ts';
import { millis, percent, type Row, timedBy } from './row.ts';

/** Rows that drills share: each drill picks its own, and states its bounds. */

/** Share of requests that succeed, at least `least` (0 to 1). `apart` is told beside it. */
export function successRow(m: Measurement, least: number, apart = ''): Row {
  const fates = m.samples.map((sample) => fateOf(sample, m));
  const failed = m.samples.filter((_, i) => fates[i] === 'failed');
  const apartCount = fates.filter((fate) => fate === 'lost in flight' || fate === 'refused').length;
  const judged = m.samples.length - apartCount;
  const rate = judged === 0 ? 0 : (judged - failed.length) / judged;
  const first = failed[0];
  const example = first
    ? `, first in ${phaseNameAt(m, first.due)}: ${first.error || `status ${first.status}`}`
    : '';
  return {
    id: 'success-rate',
    claim: 'Requests that succeed',
    bound: least === 1 ? '100 %' : `≥ ${percent(least)}`,
    measured: `${percent(rate)} (${failed.length} of ${judged} failed${example})${apart}`,
    ok: judged > 0 && rate >= least,
  };
}

/** The largest of a figure over loads. A missing one is the worst: no request was served. */
export function worstOf<T>(
  list: readonly T[],
  pick: (each: T) => number,
): { value: number; of: T | undefined } {
  const unknown = list.find((each) => Number.isNaN(pick(each)));
  if (unknown !== undefined) return { value: Number.NaN, of: unknown };
  const value = list.length === 0 ? Number.NaN : Math.max(...list.map(pick));
  return { value, of: list.find((each) => pick(each) === value) };
}

/**
 * Crossings by trails, at most so many for each request; and, without trails, that none enters two IDCs from
 * outside.
 */
export function crossingRows(m: Measurement, most: number): Row[] {
  const hop = hopFigures(m);
  return [
    {
      id: 'crossings',
      claim: 'Most crossings of any request, by its trail',
      bound: `≤ ${most}`,
      measured: `${hop.most} (${hop.crossed} requests crossed, ${hop.withoutTrail} without a trail that shows it)`,
      ok: hop.most <= most && hop.withoutTrail === 0,
    },
    {
      id: 'circles',
      claim: 'Requests that entered more than one IDC through a peer listener',
      bound: '0',
      measured: String(hop.circles),
      ok: hop.circles === 0,
    },
  ];
}

/** Tries at instances for any one request, by the instances' own logs. */
export function triesRow(m: Measurement, allowed: number): Row {
  const { most, id } = mostTries(m);
  return {
    id: 'tries',
    claim: 'Most tries at instances for one request',
    bound: `≤ ${allowed}`,
    measured: most > 1 ? `${most} (${id})` : String(most),
    ok: most >= 1 && most <= allowed,
  };
}

/**
 * Bounds on event → ACK: times in milliseconds, the least number of edits, and the share of ACKs that must be
 * there.
 */
interface AckBounds {
  readonly eventToAckP50Ms: number;
  readonly eventToAckP99Ms: number;
  readonly edits: number;
  readonly ackShare: number;
}

/** Event → ACK of `edits` endpoint edits, by the control planes' own clocks. */
export function ackRows(list: readonly AckFacts[], edits: number, bounds: AckBounds): Row[] {
  const count = list.reduce((sum, facts) => sum + facts.count, 0);
  const worst = (pick: (facts: AckFacts) => number) =>
    list.length === 0 ? Number.NaN : Math.max(...list.map(pick));
  const [p50, p99, max] = [worst((a) => a.p50Ms), worst((a) => a.p99Ms), worst((a) => a.maxMs)];
  // The control plane counts an ACK for each event that a response carries, so edits that were sent together
  // count each. It cannot tell those that a newer one replaced before they were sent: hence not all, but nine
  // in ten.
  const expected = edits * Math.max(0, ...list.map((facts) => facts.proxies));
  const enough = edits >= bounds.edits && expected > 0 && count >= bounds.ackShare * expected;
  return [
    {
      id: 'ack-p50',
      claim: 'Event → ACK, p50',
      bound: `≤ ${bounds.eventToAckP50Ms} ms`,
      measured: `${millis(p50)} (${edits} edits, ${count} of ${expected} ACKs, at least ${100 * bounds.ackShare} %)`,
      ok: enough && p50 <= bounds.eventToAckP50Ms,
      // Edits of which a newer one was sent in their place have no ACK of their own: a busy machine sends
      // late.
      ...timedBy(p50),
    },
    {
      id: 'ack-p99',
      claim: 'Event → ACK, p99',
      bound: `≤ ${bounds.eventToAckP99Ms} ms`,
      measured: `${millis(p99)} (max ${millis(max)})`,
      ok: enough && p99 <= bounds.eventToAckP99Ms,
      ...timedBy(p99),
    },
  ];
}

/** No header of the mesh reaches an application. */
export function leakRow(m: Measurement): Row {
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

/** A reading that was not taken found nothing, and does not pass. */
export function isolationRows(m: Measurement, checks: readonly IsolationCheck[]): Row[] {
  return checks.map((check) => {
    const notSeen = { claim: `Isolation: ${check}`, ok: false, detail: 'was not checked' };
    return findingRow(`isolation-${check.replaceAll(' ', '-')}`, m.isolation[check] ?? notSeen);
  });
}

/** The records and logs held against each other, request by request. */
export function reconcileRows(m: Measurement): Row[] {
  return reconcile(m).map((finding, i) => findingRow(`reconcile-${i + 1}`, finding));
}

/** What was looked at and must hold, as a row. */
export function findingRow(id: string, { claim, ok, detail }: CheckFinding): Row {
  return { id, claim, bound: 'holds', measured: detail, ok };
}
