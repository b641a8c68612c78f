import type { ResourceDifference } from '../events.ts';
import { type Group, isSubscribedTo, type Snapshot } from '../state/snapshot.ts';
import type { Subscription } from './subscription.ts';

/**
 * The resources of a subscription that its client has not accepted in their current version, by name. Costs
 * the names that differ times the length of the log: for status queries, not for pushes.
 */
export function differencesOf<M>(
  sub: Subscription,
  snapshot: Snapshot<M>,
  group: Group<M>,
): ResourceDifference[] {
  // Without an ACK on this stream it is unknown what the client has from before.
  const known = sub.confirmed > 0;
  const changed = known ? snapshot.since(group, sub.confirmed) : undefined;
  const names = new Set([
    ...(changed?.upserts ?? []).map(({ resource }) => resource.name),
    ...(changed?.removed ?? []).map(({ last }) => last.name),
    ...(sub.inFlight?.response.names ?? []),
    ...sub.toSend.keys(),
    ...sub.gone,
    ...sub.held.keys(),
    ...sub.rejected.keys(),
    ...(sub.all ? snapshot.visible(group).map(({ name }) => name) : []),
  ]);
  const inFlight = new Set(sub.inFlight?.response.names);
  return [...names].sort().flatMap((name): ResourceDifference[] => {
    const mark = snapshot.marks.get(name);
    const now = isSubscribedTo(group, name) ? mark?.resource?.version : undefined;
    const refusal = sub.rejected.get(name);
    // While it is offered again and unanswered, the earlier refusal no longer describes it.
    const refused = refusal !== undefined && !(inFlight.has(name) && refusal.version !== now);
    const base = refusal?.confirmed ?? sub.confirmed;
    const held = sub.held.get(name);
    // A held resource is removed on the server, and the client has its last version.
    const acked =
      base === 0 || (held && !held.last)
        ? 'unknown'
        : (held?.last?.version ?? snapshot.versionAt(name, base));
    const sent = sub.revision > 0 ? snapshot.versionAt(name, sub.revision) : undefined;
    // Sent again although unchanged, such as the endpoints of a cluster that warms.
    const pending = inFlight.has(name) || sub.toSend.has(name) || sub.gone.has(name) || held !== undefined;
    if (acked === now && !refused && !pending) return [];
    const state = refused
      ? 'refused'
      : held !== undefined
        ? 'held'
        : inFlight.has(name) || (sub.inFlight !== undefined && sent === now && !sub.toSend.has(name))
          ? 'sent'
          : 'waiting';
    return [{ type: sub.rule.short, name, acked, sent, now, state }];
  });
}
