import type { Snapshot } from '../state/snapshot.ts';
import { mayHaveOlder } from '../stream/refusal.ts';
import type { Movable } from '../stream/subscribed.ts';
import { mutableRejected, type Subscription, withoutHeld } from '../stream/subscription.ts';
import { type ClassDifference, isSame } from './difference.ts';
import type { MoveOrder, MoveSeams } from './move-order.ts';

/**
 * Lets a stream's subscriptions see the class that an order moves it to. `orderedAt`: the revision of the
 * first order that it has not followed; `revision`: the server's.
 */
export function changeClass<M extends Movable<M>>(
  members: readonly M[],
  order: MoveOrder<M>,
  orderedAt: number,
  revision: number,
): void {
  for (const member of members) {
    const to = order.snapshotFor(member);
    if (to !== member.snapshot)
      changeSnapshot(member, to, order.differenceSince(member, orderedAt), revision, order.seams);
  }
}

/** `difference` is what the subscription then has to be sent; undefined if it was not sent anything yet. */
function changeSnapshot<M extends Movable<M>>(
  member: M,
  to: Snapshot<M>,
  difference: ClassDifference | undefined,
  revision: number,
  seams: MoveSeams,
): void {
  const { sub, snapshot, group } = member;
  if (sub.rejected.size > 0) keepOlder(sub, snapshot);
  const next = to.group(sub.wildcard, sub.set, revision);
  snapshot.leave(group, member);
  member.snapshot = to;
  member.group = next;
  next.members.add(member);
  if (seams.breakFirst) Object.assign(sub, { rule: { ...sub.rule, holdsRemovals: undefined } });
  if (difference === undefined) return;
  const isDue = !isSame(difference);
  const isSettled = isConfirmed(sub);
  sub.revision = Math.min(difference.revision, next.changedAt);
  // Lower than each change that it has not confirmed: `hasAcked` compares revisions of both classes.
  // At least 1: 0 means that nothing was ever confirmed.
  const confirmedMax = Math.min(
    sub.confirmed,
    Math.max(1, Math.min(difference.confirmedMax, next.changedAt - 1)),
  );
  const confirmed = seams.keepConfirmed ? sub.confirmed : confirmedMax;
  sub.confirmed = isSettled && !isDue ? sub.revision : confirmed;
  if (sub.inFlight !== undefined)
    sub.inFlight = isDue
      ? { ...sub.inFlight, revision: confirmed, isBeforeMove: true }
      : { ...sub.inFlight, revision: sub.revision };
  withoutHeld(sub);
  sub.moved = isDue ? difference : undefined;
  sub.movedFrom = isDue || !isSettled ? difference : undefined;
}

/** Whether the client has accepted all that was due before the last changes of its class. */
function isConfirmed(sub: Subscription): boolean {
  if (sub.inFlight !== undefined || sub.suspects.length > 0 || sub.moved !== undefined) return false;
  return !sub.all && !sub.answer && sub.toSend.size === 0 && sub.gone.size === 0;
}

/** Refusals remember what depends on the revisions of the earlier class. */
function keepOlder<M>(sub: Subscription, { marks }: Snapshot<M>): void {
  for (const [name, refusal] of sub.rejected) {
    const hadOlder = mayHaveOlder(sub, name, (one) => marks.get(one)?.addedRevision);
    mutableRejected(sub).set(name, { ...refusal, hadOlder });
  }
}
