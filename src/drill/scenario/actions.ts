import type { Action } from './actions/action.ts';
import { clock } from './actions/clock.ts';
import { coldStart } from './actions/cold.ts';
import { fill, free } from './actions/disk.ts';
import { evacuateAction } from './actions/evacuate.ts';
import { gray } from './actions/gray.ts';
import { look } from './actions/look.ts';
import { overloadAction } from './actions/overload.ts';
import { announce, edit, withdraw } from './actions/registry.ts';
import { drop, heal, kill, stop } from './actions/strikes.ts';
import { wan } from './actions/wan.ts';

/**
 * Everything that a step of a scenario may do, in the order in which one step does it: a new action is a new
 * row here.
 */
export const actionTable = {
  stop,
  drop,
  kill,
  wan,
  heal,
  coldStart,
  gray,
  overload: overloadAction,
  withdraw,
  announce,
  evacuate: evacuateAction,
  clock,
  fill,
  free,
  edit,
  look,
} as const satisfies Readonly<Record<string, Action<unknown>>>;
