import { isSubscribedTo } from '../state/snapshot.ts';
import type { Session } from '../stream/session.ts';

/** Whether one of these streams is of a class and subscribes to a resource, by name or with all. */
export function subscribesToOne(
  sessions: Iterable<Session>,
  nodeClass: string,
  typeUrl: string,
  name: string,
): boolean {
  for (const { info, subscriptions } of sessions)
    if (info.nodeClass === nodeClass)
      for (const { sub, group } of subscriptions)
        if (sub.rule.url === typeUrl && isSubscribedTo(group, name)) return true;
  return false;
}
