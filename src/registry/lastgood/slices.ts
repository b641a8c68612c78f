import { yieldToEventLoop } from '../../base/yield-to-event-loop.ts';
import type { Change } from '../../model/object.ts';

/** Items in a turn of the event loop. */
const sliceItems = 250;

/**
 * Hands a long list over, a slice in a turn of the event loop: the start of a large mesh does not hold the
 * process up. Resolves to the last slice, which is left to the caller.
 */
export async function inSlices<T>(
  list: readonly T[],
  aborted: AbortSignal,
  each: (slice: readonly T[]) => void,
): Promise<readonly T[]> {
  let from = 0;
  for (; list.length - from > sliceItems && !aborted.aborted; from += sliceItems) {
    each(list.slice(from, from + sliceItems));
    await yieldToEventLoop();
  }
  return list.slice(from);
}

/**
 * The changes of a start, in an order in which slices make each Group once: ServiceEntries, which make them,
 * come after what they select, and `synced` at last.
 */
export function inOrderOfStart(changes: readonly Change[]): readonly Change[] {
  const placeOf = (change: Change) => {
    if (change.type === 'synced') return 2;
    const { kind } = change.type === 'upsert' ? change.object : change.ref;
    return kind === 'ServiceEntry' ? 1 : 0;
  };
  const { 0: first = [], 1: services = [], 2: end = [] } = Object.groupBy(changes, placeOf);
  return [...first, ...services, ...end];
}
