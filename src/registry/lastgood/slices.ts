import { yieldToEventLoop } from '../../base/yield-to-event-loop.ts';

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
