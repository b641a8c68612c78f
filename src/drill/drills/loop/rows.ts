import { circleRows, circlesOf, counterRows } from '../../judge/circles.ts';
import { millis, percent, type Row, seconds, timedBy } from '../../judge/row.ts';
import { isolationRows, leakRow, reconcileRows, successRow, triesRow } from '../../judge/rows.ts';
import type { Verdict } from '../../judge/verdict.ts';
import { latencyMs, type Sample } from '../../load/sample.ts';
import { fateOf, hostOfRequest, isCleanRefusal } from '../../measure/fates.ts';
import { type LoopMeasurement, loopBounds } from './facts.ts';

/** Requests in flight at a fault may still be answered for this long after it, in milliseconds. */
const underWayMs = 250;

/**
 * What depends on a drill's world: the most crossings on a trail, and the most entries of a request with all
 * its tries.
 */
interface LoopLimits {
  readonly crossings: number;
  readonly entries: number;
}

/**
 * Judges a loop drill: no request circulates, and what cannot be served is refused quickly, with a reason.
 */
export function loopRows(m: LoopMeasurement, limits: LoopLimits): Row[] {
  return [
    silentRow(m),
    crossedRow(m),
    successRow(m, 1, `; not counted: ${m.samples.filter((s) => fateOf(s, m) === 'refused').length} refused`),
    ...refusedRows(m),
    returnRow(m),
    ...circleRows(m, limits.crossings, limits.entries),
    ...counterRows(m, m.counted),
    triesRow(m, loopBounds.tries),
    leakRow(m),
    ...isolationRows(m, ['sidecars before the load', 'control', 'instances before the load']),
    ...isolationRows(m, ['sidecars after the load', 'instances after the load']),
    ...reconcileRows(m),
  ];
}

/** Requests that were due while nobody could serve them, from a moment after the fault on. */
export function hopeless(m: LoopMeasurement): Sample[] {
  const { from, to } = m.hopeless;
  const { hosts } = m.refusing;
  return m.samples.filter(
    (s) => s.due >= from + underWayMs && s.due < to && hosts.includes(hostOfRequest(s.id, m)),
  );
}

function silentRow(m: LoopMeasurement): Row {
  const taken = m.downs.flatMap(({ instances, from, to }) =>
    instances.flatMap((name) =>
      (m.entries.get(name) ?? []).filter(({ at }) => at >= from + underWayMs && at < to),
    ),
  ).length;
  const struck = m.downs.reduce((sum, { instances }) => sum + instances.length, 0);
  return {
    id: 'struck-instances-silent',
    claim: `Requests served by instances that were down, from ${underWayMs} ms after the fault`,
    bound: '0',
    measured: `${taken} by ${struck} instances`,
    ok: struck > 0 && taken === 0,
  };
}

/** A world in which nothing crosses shows nothing of loops. */
function crossedRow(m: LoopMeasurement): Row {
  const ids = new Set(m.access.filter(({ listener }) => listener === 'peer').map(({ id }) => id));
  const due = hopeless(m);
  const crossed = due.filter(({ id }) => ids.has(id)).length;
  return {
    id: 'crossed',
    claim: 'Requests that crossed although no IDC could serve them',
    bound: '> 0',
    measured: `${crossed} of ${due.length}`,
    ok: crossed > 0,
  };
}

function refusedRows(m: LoopMeasurement): Row[] {
  const due = hopeless(m);
  const clean = due.filter(isCleanRefusal);
  const other = due.find((s) => !isCleanRefusal(s));
  const slowest = due.length === 0 ? Number.NaN : Math.max(...due.map(latencyMs));
  const late = due.filter((s) => latencyMs(s) > loopBounds.refusedMs).length;
  const example = other ? `; ${other.id}: ${other.error || `status ${other.status}`}` : '';
  return [
    {
      id: 'refused-in-words',
      claim: 'Requests that no IDC could serve and that got 503 with x-isthmus-outcome: no-idc',
      bound: '100 %',
      measured: `${percent(due.length === 0 ? 0 : clean.length / due.length)} (${clean.length} of ${due.length}${example})`,
      ok: due.length > 0 && clean.length === due.length,
    },
    {
      id: 'refused-soon',
      claim: 'The slowest of them',
      bound: `≤ ${loopBounds.refusedMs} ms`,
      measured: `${millis(slowest)} (${late} took longer)`,
      ok: slowest <= loopBounds.refusedMs,
      ...timedBy(slowest),
    },
  ];
}

function returnRow(m: LoopMeasurement): Row {
  const after = m.samples.filter((s) => s.due >= m.healthyAt && fateOf(s, m) !== 'served');
  const last = after.reduce((latest, s) => Math.max(latest, s.due - m.healthyAt), 0);
  const lasted = Number.isNaN(m.healthyAt) ? Number.NaN : last;
  return {
    id: 'return',
    claim: 'Last request that was not served after all instances answered again',
    bound: `≤ ${loopBounds.returnMs / 1000} s`,
    measured: `${seconds(lasted)} (${after.length} from then on)`,
    ok: lasted <= loopBounds.returnMs,
    ...timedBy(lasted),
  };
}

/**
 * Required share of crossing requests that must circulate while they cannot be served: one alone proves
 * little. Not all do: the first 503 "no instance here" closes a path with health checks, and healing ends the
 * last ones.
 */
const circlingShareMin = 0.5;

/** Share of requests that must succeed before the fault. */
const earlyShareMin = 0.99;

/** The negative control of loop drills. */
export const loopControl = {
  off: 'loop prevention is off in filters and routes',
  proves: 'without it requests loop between the IDCs',
};

/**
 * Whether a loop drill without loop prevention failed for the right reason: requests circulated between IDCs
 * because none could serve them. Returns objections.
 */
export function judgeLoopControl(m: LoopMeasurement, verdict: Verdict): string[] {
  const against: string[] = [];
  const holds = (id: string) => verdict.rows.find((row) => row.id === id)?.ok;
  if (holds('struck-instances-silent') !== true) against.push('struck instances went on serving');
  if (holds('visited-twice') !== false) against.push('no request visited an IDC twice');
  if (holds('returned') !== false) against.push('no request returned to the IDC where it began');
  const crossing = new Set(m.access.filter(({ listener }) => listener === 'peer').map(({ id }) => id));
  const crossed = hopeless(m).filter(({ id }) => crossing.has(id));
  const twice = new Set(circlesOf(m).twice);
  const circling = crossed.filter(({ id }) => twice.has(id)).length;
  if (!(circling >= circlingShareMin * crossed.length && crossed.length > 0)) {
    against.push(`only ${circling} of ${crossed.length} requests that crossed in vain looped`);
  }
  const injected = Math.min(...m.downs.map(({ from }) => from));
  const before = m.samples.filter((s) => s.end < injected);
  const early = before.filter((s) => fateOf(s, m) === 'served').length;
  if (!(early >= earlyShareMin * before.length && before.length > 0)) {
    against.push(`before the fault only ${early} of ${before.length} requests succeeded`);
  }
  return against;
}
