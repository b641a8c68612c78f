import type { Slices } from '../slices.ts';
import type { Group, Snapshot } from '../state/snapshot.ts';
import type { Subscription } from '../stream/subscription.ts';
import { type Due, gatherDue, type Plan, type Removals, refsOfChanged } from './due.ts';

/**
 * What Delta has to say: what changed, what was asked for, and what is no more. A name that was asked for
 * and does not exist is told as removed, so that the client need not wait for it.
 */
export function* planDelta<M>(
  sub: Subscription,
  snapshot: Snapshot<M>,
  group: Group<M>,
  removals: Removals,
): Slices<Plan> {
  const due = yield* gatherDue(sub, snapshot, group, removals);
  const resources = [...(sub.all ? yield* snapshot.visibleInSlices(group) : due.upserts), ...due.kept];
  const removed = removedNames(sub, snapshot, due, removals);
  return {
    send: resources.length > 0 || removed.length > 0 || sub.answer,
    resources,
    removed,
    held: due.held,
    refs: refsOfChanged(sub, due.upserts),
    causes: due.causes,
    superseded: due.difference.superseded,
  };
}

function removedNames<M>(
  sub: Subscription,
  snapshot: Snapshot<M>,
  { missing, held, difference }: Due,
  removals: Removals,
): readonly string[] {
  const isOver = (name: string) => !held.has(name) && snapshot.marks.get(name)?.resource === undefined;
  const released =
    removals === 'hold'
      ? []
      : [...difference.removed.map((mark) => mark.last.name), ...sub.held.keys(), ...sub.gone];
  // What is missing is named once, and is none that there is.
  if (released.length === 0) return held.size === 0 ? missing : missing.filter((name) => !held.has(name));
  return [...new Set([...missing, ...released])].filter(isOver);
}
