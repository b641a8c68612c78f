import type { Slices } from '../slices.ts';
import type { Group, Snapshot } from '../state/snapshot.ts';
import type { Subscription } from '../stream/subscription.ts';
import { type Due, gatherDue, type Removals, type ResponsePlan, refsOfChanged } from './due.ts';

/**
 * What a Delta response says: changes, requested names, removals. A requested name that does not exist is
 * sent as removed, so that the client need not wait for it.
 */
export function* planDelta<M>(
  sub: Subscription,
  snapshot: Snapshot<M>,
  group: Group<M>,
  removals: Removals,
): Slices<ResponsePlan> {
  const due = yield* gatherDue(sub, snapshot, group, removals);
  const resources = [...(sub.all ? yield* snapshot.visibleInSlices(group) : due.upserts), ...due.keptForNow];
  const removed = removedNames(sub, snapshot, due, removals);
  return {
    send: resources.length > 0 || removed.length > 0 || sub.answer,
    resources,
    removed,
    held: due.held,
    refs: refsOfChanged(sub, due.upserts),
    causes: due.causes,
    superseded: due.superseded,
  };
}

function removedNames<M>(
  sub: Subscription,
  snapshot: Snapshot<M>,
  { missing, held, removed }: Due,
  removals: Removals,
): readonly string[] {
  const isOver = (name: string) => !held.has(name) && snapshot.marks.resource(name) === undefined;
  const released = removals === 'hold' ? [] : [...removed, ...sub.held.keys(), ...sub.gone];
  // `missing` has no duplicates and no existing names.
  if (released.length === 0) return held.size === 0 ? missing : missing.filter((name) => !held.has(name));
  return [...new Set([...missing, ...released])].filter(isOver);
}
