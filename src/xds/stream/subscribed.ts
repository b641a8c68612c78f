import type { Group, Snapshot } from '../state/snapshot.ts';
import type { Subscription } from './subscription.ts';

/** A subscription, what it looks at, and with whom: `M` is what the group's owner keeps of each. */
export interface Subscribed<M> {
  readonly sub: Subscription;
  readonly snapshot: Snapshot<M>;
  readonly group: Group<M>;
}
