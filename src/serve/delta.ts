import { gatherDue, type Plan, type Removals, refsOfChanged } from './plan.ts';
import type { Group, Snapshot } from './snapshot.ts';
import type { Subscription } from './subscription.ts';

/**
 * What Delta has to say: what changed, what was asked for, and what is no more. A name that was asked for
 * and does not exist is told as removed, so that the client need not wait for it.
 */
export function planDelta<M>(
  sub: Subscription,
  snapshot: Snapshot<M>,
  group: Group<M>,
  removals: Removals,
): Plan {
  const due = gatherDue(sub, snapshot, group, removals);
  const resources = [...(sub.all ? snapshot.visible(group) : due.upserts), ...due.kept];
  const removed = new Set(due.missing);
  if (removals !== 'hold') {
    for (const mark of due.difference.removed) removed.add(mark.last.name);
    for (const name of sub.held.keys()) removed.add(name);
    for (const name of sub.gone) removed.add(name);
  }
  for (const name of due.held.keys()) removed.delete(name);
  for (const name of removed) if (snapshot.marks.get(name)?.resource) removed.delete(name);
  return {
    send: resources.length > 0 || removed.size > 0 || sub.answer,
    resources,
    removed: [...removed],
    held: due.held,
    refs: refsOfChanged(sub, due.upserts),
    causes: due.causes,
    superseded: due.difference.superseded,
  };
}
