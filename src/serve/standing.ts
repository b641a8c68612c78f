import type { Concern, TypeStatus } from './events.ts';
import type { Group } from './snapshot.ts';
import { isPending, type Subscription } from './subscription.ts';

/** Whether all of a type that a concern names, as far as the stream sees it, was ACKed. */
export function hasAcked<M>(
  sub: Subscription,
  group: Group<M>,
  { revision, types, names }: Concern,
): boolean {
  if (types !== undefined && !types.includes(sub.rule.url)) return true;
  const idle = sub.inFlight === undefined && sub.held.size === 0 && !isPending(sub, group);
  const refused =
    names === undefined ? sub.rejected.size > 0 : [...sub.rejected].some((one) => names.has(one));
  return !refused && (idle || sub.confirmed >= Math.min(revision, group.changedAt));
}

/** Where a stream stands with one type. */
export function standingOf<M>(sub: Subscription, group: Group<M>): TypeStatus {
  const last = [sub.acked, sub.nacked].filter((one) => one !== undefined);
  const due = sub.inFlight !== undefined || sub.held.size > 0 || isPending(sub, group);
  const never = last.length === 0 && sub.inFlight === undefined && sub.confirmed === 0;
  return {
    typeUrl: sub.rule.url,
    type: sub.rule.short,
    state: sub.nacked ? 'NACKED' : never ? 'NOT SENT' : due ? 'STALE' : 'SYNCED',
    version: sub.acked?.version,
    sinceMs: last.length === 0 ? undefined : Math.max(...last.map(({ at }) => at)),
    names: sub.wildcard ? undefined : sub.set.names.size,
    nack: sub.nacked && { version: sub.nacked.version, message: sub.nacked.message },
    sent: sub.inFlight && { version: sub.inFlight.response.version, atMs: sub.inFlight.sentAt },
  };
}
