import { refusalBytes } from './refusal.ts';
import type { Subscription } from './subscription.ts';

// A note that a client has to be told of a removal, or that it reports a version of a name.
const noteBytes = 200;

/** Estimated memory of a reported version of a name, until it is compared. */
export function versionBytes(name: string, version: string): number {
  return noteBytes + 2 * (name.length + version.length);
}

/**
 * Estimated memory of a client's state besides its subscribed names: refusals, removals that it has not been
 * told of yet, and names unsubscribed beside a wildcard.
 */
export function stateBytes(
  subs: readonly Pick<Subscription, 'rejected' | 'gone' | 'leftNames' | 'leftLength'>[],
): number {
  let bytes = 0;
  for (const { rejected, gone, leftNames, leftLength } of subs)
    bytes += refusalBytes(rejected.size) + noteBytes * (gone.size + leftNames) + 2 * leftLength;
  return bytes;
}
