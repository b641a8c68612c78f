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
 * told of yet, names unsubscribed beside a wildcard, and what is counted elsewhere.
 */
export function stateBytes(
  members: readonly { readonly sub: Subscription }[],
  ...elsewhere: readonly { readonly bytes: number }[]
): number {
  let bytes = 0;
  for (const part of elsewhere) bytes += part.bytes;
  for (const { sub } of members)
    bytes +=
      refusalBytes(sub.rejected.size) + noteBytes * (sub.gone.size + sub.leftNames) + 2 * sub.leftLength;
  return bytes;
}
