import { calmIsolationChecks, type IsolationCheck, isolationChecks } from '../../measure/isolation.ts';
import { layPhases } from '../../measure/phases.ts';
import { scenarioRows } from '../bounds.ts';
import type { ScenarioMeasurement } from '../measurement.ts';
import type { ScenarioSpec } from './document.ts';
import { msOf } from './fields.ts';

const never = { from: Number.POSITIVE_INFINITY, to: Number.POSITIVE_INFINITY };

/** The looks at isolation that a scenario takes: in an outage where a step says so. */
export function checksOf({ steps }: Pick<ScenarioSpec, 'steps'>): readonly IsolationCheck[] {
  const looks = steps.some(({ look }) => look !== undefined);
  return looks ? isolationChecks : calmIsolationChecks;
}

/**
 * The ids of the rows that a scenario's verdict has: those of a run in which nothing was measured. Its phases
 * must be known.
 */
export function rowIdsOf(spec: ScenarioSpec): readonly string[] {
  return scenarioRows(blank(spec), spec.bounds, checksOf(spec)).map(({ id }) => id);
}

/** A run in which nothing happened, with all of which rows depend. */
function blank({ world, phases, steps }: ScenarioSpec): ScenarioMeasurement {
  const seconds = Object.entries(phases).map(([name, length]) => [name, msOf(length) / 1000] as const);
  return {
    idcs: world.idcs,
    phases: layPhases(Object.fromEntries(seconds), 0),
    ...{ steps: [], streams: [], samples: [], access: [], counters: [], listeners: [], lost: [], usage: [] },
    ...{ entries: new Map(), isolation: {}, addresses: {} },
    ...{ crossing: true, lostIdc: '', healed: never, healthyAt: Number.NaN, edits: 0 },
    hedging: world.groups.filter(({ hedge }) => hedge).map(({ name }) => name),
    ...{ faults: [], losses: [], leaves: [], cuts: [], acks: [], ejections: [] },
    ...{ lookupsFailed: 0, writesFailed: 0, ejectedInOverload: 0 },
    sicknesses: steps.flatMap(({ at, gray }) =>
      gray?.errs === undefined && gray?.hangs === undefined
        ? []
        : [{ phase: at, what: '', sick: [], from: 0, to: 0, looks: [] }],
    ),
  };
}
