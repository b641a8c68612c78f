import type { Group, Snapshot } from '../state/snapshot.ts';
import type { Subscription } from './subscription.ts';

/** A subscription with its snapshot and group; `M` is what the group's owner keeps of each. */
export interface Subscribed<M> {
  readonly sub: Subscription;
  readonly snapshot: Snapshot<M>;
  readonly group: Group<M>;
}

/** One that can be moved to another class. */
export interface Movable<M> extends Subscribed<M> {
  snapshot: Snapshot<M>;
  group: Group<M>;
}
