import type { Row } from '../judge/row.ts';
import { isolationRows, leakRow, reconcileRows } from '../judge/rows.ts';
import { withoutTcp } from '../measure/fates.ts';
import type { IsolationCheck } from '../measure/isolation.ts';
import type { Bound } from './bounds/bound.ts';
import { lookupsFailed, writesFailed } from './bounds/evidence.ts';
import { failback } from './bounds/failback.ts';
import { avoidable, executedTwice, failed, served } from './bounds/failures.ts';
import { grayOut } from './bounds/gray.ts';
import { home, unaware } from './bounds/home.ts';
import { latency } from './bounds/latency.ts';
import { acks, afterLeaving, crossings, ejections, loops, recovered, tries } from './bounds/others.ts';
import { overloadBound } from './bounds/overload.ts';
import { share } from './bounds/share.ts';
import { switches, worstSecond } from './bounds/sides.ts';
import { crossed, silent } from './bounds/silent.ts';
import { lastSlow } from './bounds/slow.ts';
import { spilled } from './bounds/spilled.ts';
import type { ScenarioMeasurement } from './measurement.ts';

/**
 * Every kind of bound that a scenario may state, in the order of their rows: a new kind is a new row here.
 */
export const boundTable = {
  silent,
  lookupsFailed,
  writesFailed,
  crossed,
  failed,
  served,
  share,
  overload: overloadBound,
  grayOut,
  worstSecond,
  switches,
  avoidable,
  executedTwice,
  spilled,
  latency,
  lastSlow,
  failback,
  recovered,
  home,
  unaware,
  crossings,
  loops,
  tries,
  afterLeaving,
  ejections,
  acks,
} as const satisfies Readonly<Record<string, Bound<unknown>>>;

/** Bounds as a scenario states them. */
type Bounds = Readonly<Record<string, unknown>>;

/**
 * Holds a measurement against the bounds that are stated, and against what holds for every scenario:
 * isolation by the `checks` that were made, headers, and reconciliation. Pure.
 */
export function scenarioRows(
  m: ScenarioMeasurement,
  bounds: Bounds,
  checks: readonly IsolationCheck[],
): Row[] {
  const table: Readonly<Record<string, Bound<unknown>>> = boundTable;
  return [
    ...Object.entries(table).flatMap(([name, { rows }]) =>
      bounds[name] === undefined ? [] : rows(m, bounds[name], bounds),
    ),
    ...isolationRows(m, checks),
    leakRow(m),
    ...reconcileRows(withoutTcp(m)),
  ];
}
