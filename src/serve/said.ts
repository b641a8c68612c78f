import { refusalBytes } from './refusal.ts';
import type { Subscription } from './subscription.ts';

// A note that a client is to hear of a name that it is no more, or which version of it the client says it has.
const noteBytes = 200;

/**
 * About what it takes to remember what a client said besides the names that it subscribes to: what it refused, versions that it
 * says it has, until they are compared (`resuming`) and it was told what is gone, and names that it left beside a wildcard, until it
 * was told of them.
 */
export function saidBytes(
  subs: readonly Pick<Subscription, 'rejected' | 'gone' | 'leftNames' | 'leftLength'>[],
  resuming: Iterable<ReadonlyMap<string, string>>,
): number {
  let bytes = 0;
  for (const { rejected, gone, leftNames, leftLength } of subs)
    bytes += refusalBytes(rejected.size) + noteBytes * (gone.size + leftNames) + 2 * leftLength;
  for (const versions of resuming)
    for (const [name, version] of versions) bytes += noteBytes + 2 * (name.length + version.length);
  return bytes;
}
