import { compareText } from '../../base/text/compare-text.ts';
import { type Kind, showRef } from '../../model/object.ts';
import { durationText } from '../../model/values/duration.ts';
import { confirmWords } from './confirm-words.ts';
import type { SoleObjects } from './sole-objects.ts';

/** Missing objects whose deletion is delayed, by so many milliseconds. */
export interface DelayedDeletions {
  readonly objects: SoleObjects;
  readonly forMs: number;
}

/** Most objects named in a message. */
const namedMax = 10;

/** Words for delayed deletions. `fate`: what became of the objects, as `in no file any more`. */
export function describeDelay({ objects, forMs }: DelayedDeletions, fate: string): string {
  const all = [...objects].sort(([a], [b]) => compareText(a, b));
  const named = all.slice(0, namedMax).map(([key, lost]) => `${labelOf(key)} (${lost})`);
  const more = all.length > namedMax ? ` and ${all.length - namedMax} more` : '';
  const they = all.length === 1 ? 'it stays' : 'they stay';
  return (
    `${fate}: ${named.join(', ')}${more}. Nothing else serves in place of ${all.length === 1 ? 'it' : 'them'}, so ${they} in force for ${durationText(forMs)}. ` +
    `Put back what is needed; or, if the deletion is meant, ${confirmWords}.`
  );
}

/** `WorkloadEntry shop/cart-1`, of a key of `refKey`. */
function labelOf(key: string): string {
  const [kind, namespace = '', ...name] = key.split('/');
  return showRef({ kind: kind as Kind, namespace, name: name.join('/') });
}
