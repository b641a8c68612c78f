import type { z } from 'zod';
import type { PlannedFault } from '../../faults/planned-fault.ts';
import type { Topology } from '../../world/topology.ts';
import type { Run } from '../run.ts';

/** A fault of an action's value that the schema cannot see; its path is from the value. */
export interface ActionFault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** What a step of a scenario may do: one row of `actions.ts`. It injects a fault, or it acts. */
export interface Action<V> {
  readonly schema: z.ZodType<V>;
  /** What it does, in words, for the report. */
  words(value: V): string;
  /** What the value names that the world has not. */
  check?(value: V, topology: Topology): ActionFault[];
  /** Plans a loss: those of one step fall at once, and are healed by `heal`. */
  inject?(value: V, run: Run): PlannedFault;
  /** Does it; `claim` is the step's, or its own words. */
  act?(value: V, run: Run, claim: string): Promise<void>;
}

/** An action whose value keeps its type. */
export function action<V>(definition: Action<V>): Action<V> {
  return definition;
}
