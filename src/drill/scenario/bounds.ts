import type { Row } from '../judge/row.ts';
import { isolationRows, leakRow, reconcileRows } from '../judge/rows.ts';
import { withoutTcp } from '../measure/fates.ts';
import type { IsolationCheck } from '../measure/isolation.ts';
import type { Bound } from './bounds/bound.ts';
import { lookupsFailedBound, writesFailedBound } from './bounds/evidence.ts';
import { failbackBound } from './bounds/failback.ts';
import { avoidableBound, executedTwiceBound, failedBound, servedBound } from './bounds/failures.ts';
import { grayOutBound } from './bounds/gray.ts';
import { homeBound, unawareBound } from './bounds/home.ts';
import { latencyBound } from './bounds/latency.ts';
import {
  acksBound,
  afterLeavingBound,
  crossingsBound,
  ejectionsBound,
  loopsBound,
  recoveredBound,
  triesBound,
} from './bounds/others.ts';
import { overloadBound } from './bounds/overload.ts';
import { shareBound } from './bounds/share.ts';
import { switchesBound, worstSecondBound } from './bounds/sides.ts';
import { crossedBound, silentBound } from './bounds/silent.ts';
import { lastSlowBound } from './bounds/slow.ts';
import { spilledBound } from './bounds/spilled.ts';
import type { ScenarioMeasurement } from './measurement.ts';

/**
 * Every kind of bound that a scenario may state, in the order of their rows: a new kind is a new row here.
 */
export const boundTable = {
  silent: silentBound,
  lookupsFailed: lookupsFailedBound,
  writesFailed: writesFailedBound,
  crossed: crossedBound,
  failed: failedBound,
  served: servedBound,
  share: shareBound,
  overload: overloadBound,
  grayOut: grayOutBound,
  worstSecond: worstSecondBound,
  switches: switchesBound,
  avoidable: avoidableBound,
  executedTwice: executedTwiceBound,
  spilled: spilledBound,
  latency: latencyBound,
  lastSlow: lastSlowBound,
  failback: failbackBound,
  recovered: recoveredBound,
  home: homeBound,
  unaware: unawareBound,
  crossings: crossingsBound,
  loops: loopsBound,
  tries: triesBound,
  afterLeaving: afterLeavingBound,
  ejections: ejectionsBound,
  acks: acksBound,
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
