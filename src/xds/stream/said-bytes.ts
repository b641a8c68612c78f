import { refusalBytes } from './refusal.ts';
import type { Subscription } from './subscription.ts';

// A note that a client is to hear of a name that it is no more, or which version of it the client says it
// has.
const noteBytes = 200;

/**
 * About what it takes to remember that a client says that it has a version of a name, until that is compared.
 */
export function versionBytes(name: string, version: string): number {
  return noteBytes + 2 * (name.length + version.length);
}

/**
 * About what it takes to remember what a client said besides the names that it subscribes to: what it
 * refused, what it has that is gone, until it was told, and names that it left beside a wildcard, until it
 * was told of them.
 */
export function saidBytes(
  subs: readonly Pick<Subscription, 'rejected' | 'gone' | 'leftNames' | 'leftLength'>[],
): number {
  let bytes = 0;
  for (const { rejected, gone, leftNames, leftLength } of subs)
    bytes += refusalBytes(rejected.size) + noteBytes * (gone.size + leftNames) + 2 * leftLength;
  return bytes;
}
