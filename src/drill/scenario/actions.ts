import type { Action } from './actions/action.ts';
import { clockAction } from './actions/clock.ts';
import { coldStartAction } from './actions/cold.ts';
import { fillAction, freeAction } from './actions/disk.ts';
import { evacuateAction } from './actions/evacuate.ts';
import { dropAction, healAction, killAction, stopAction } from './actions/faults.ts';
import { grayAction } from './actions/gray.ts';
import { lookAction } from './actions/look.ts';
import { overloadAction } from './actions/overload.ts';
import { announceAction, editAction, withdrawAction } from './actions/registry.ts';
import { wanAction } from './actions/wan.ts';

/**
 * Everything that a step of a scenario may do, in the order in which one step does it: a new action is a new
 * row here.
 */
export const actionTable = {
  stop: stopAction,
  drop: dropAction,
  kill: killAction,
  wan: wanAction,
  heal: healAction,
  coldStart: coldStartAction,
  gray: grayAction,
  overload: overloadAction,
  withdraw: withdrawAction,
  announce: announceAction,
  evacuate: evacuateAction,
  clock: clockAction,
  fill: fillAction,
  free: freeAction,
  edit: editAction,
  look: lookAction,
} as const satisfies Readonly<Record<string, Action<unknown>>>;
