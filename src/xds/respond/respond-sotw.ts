import type { Slices } from '../slices.ts';
import type { Group, Snapshot } from '../state/snapshot.ts';
import type { Subscription } from '../stream/subscription.ts';
import { gatherDue, type Removals, type ResponsePlan, refsOfChanged } from './due.ts';

/**
 * What a State of the World response says: for clusters and listeners always everything ("the server must
 * include all resources"), held removals included; for the other types what changed or was requested.
 */
export function* planSotw<M>(
  sub: Subscription,
  snapshot: Snapshot<M>,
  group: Group<M>,
  removals: Removals,
): Slices<ResponsePlan> {
  const due = yield* gatherDue(sub, snapshot, group, removals);
  const shared = {
    removed: [],
    // Of endpoints, too: their removal is not told, and the client has them until the clusters are removed.
    held: due.held,
    // A held resource is sent as it last was, which may be new to the client.
    refs: refsOfChanged(sub, [...due.upserts, ...due.heldNews]),
    superseded: due.superseded,
    causes: due.causes,
  };
  if (!sub.rule.fullState) {
    const resources = [
      ...(sub.all ? yield* snapshot.visibleInSlices(group) : due.upserts),
      ...due.keptForNow,
    ];
    return { ...shared, resources, send: resources.length > 0 || sub.answer };
  }
  const removing = removals !== 'hold' && (due.removed.size > 0 || sub.held.size > 0);
  const send = sub.all || sub.answer || due.upserts.length > 0 || removing;
  const resources = yield* snapshot.visibleInSlices(group);
  for (const { last } of due.held.values()) if (last !== undefined) resources.push(last);
  return { ...shared, resources, send };
}
