import type { ResourceDifference } from '../events.ts';
import type { Had } from '../move/difference.ts';
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
  const { moved, movedFrom } = sub;
  // What a stream that was moved had confirmed is of another class.
  const confirmed = movedFrom === undefined ? sub.confirmed : movedFrom.revision;
  // Without an ACK on this stream it is unknown what the client has from before.
  const known = sub.confirmed > 0;
  const changed = known ? snapshot.since(group, confirmed) : undefined;
  const names = new Set([
    ...(changed?.upserts ?? []).map(({ resource }) => resource.name),
    ...(changed?.removed ?? []).map(({ last }) => last.name),
    ...(sub.inFlight?.response.names ?? []),
    ...(movedFrom?.had.keys() ?? []),
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
    const base = refusal?.confirmed ?? confirmed;
    const held = sub.held.get(name) ?? moved?.removed.get(name);
    // A held resource is removed on the server, and the client has its last version.
    const acked =
      base === 0 || (held && !held.last)
        ? 'unknown'
        : (held?.last?.version ?? ackedOf(sub, name, snapshot.versionAt(name, base)));
    const sent =
      moved?.had.has(name) === true
        ? versionOf(moved.had.get(name))
        : sub.revision > 0
          ? snapshot.versionAt(name, sub.revision)
          : undefined;
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

/**
 * What the client of a stream that was moved has accepted of a name; `inClass`: by the changes of its class.
 */
function ackedOf(
  { movedFrom, rejected, inFlight }: Subscription,
  name: string,
  inClass: string | undefined,
): string | undefined {
  const hadOlder = rejected.get(name)?.hadOlder;
  if (hadOlder !== undefined) return hadOlder ? 'unknown' : undefined;
  if (movedFrom === undefined) return inClass;
  if (inFlight?.isBeforeMove && inFlight.response.names.includes(name)) return 'unknown';
  return movedFrom.had.has(name) ? versionOf(movedFrom.had.get(name)) : inClass;
}

function versionOf(had: Had): string | undefined {
  return had === 'unknown' ? had : had?.version;
}
