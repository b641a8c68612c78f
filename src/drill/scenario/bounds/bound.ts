import type { z } from 'zod';
import type { Row } from '../../judge/row.ts';
import type { ScenarioMeasurement } from '../measurement.ts';

/** A kind of bound that a scenario may state: one row of `bounds.ts`. */
export interface Bound<V> {
  /** What may be stated: times as durations, shares as percentages. */
  readonly schema: z.ZodType<V>;
  /** Holds a measurement against it. Pure. `all` has the scenario's other bounds. */
  rows(m: ScenarioMeasurement, value: V, all: Readonly<Record<string, unknown>>): Row[];
}

/** A bound whose value keeps its type. */
export function bound<V>(schema: z.ZodType<V>, rows: Bound<V>['rows']): Bound<V> {
  return { schema, rows };
}
