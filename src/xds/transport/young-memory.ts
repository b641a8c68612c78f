import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

// Below the 32 to 64 MiB that start a collection of old memory, and enough to be worth the half millisecond
// of a young collection.
const everyBytes = 4 * 2 ** 20;

/**
 * Collects buffers left behind by reads while they are young. Returns a function that is told the bytes of
 * each read.
 *
 * Node allocates read buffers outside of the heap: the heap does not fill, so that young memory is not
 * collected, and in the end V8 marks the whole heap (docs/decisions/044). Does nothing if V8 offers no such
 * call.
 */
export function collectWhatWasRead(collectYoung = youngCollector()): (bytes: number) => void {
  let since = 0;
  return (bytes) => {
    since += bytes;
    if (since < everyBytes) return;
    since = 0;
    collectYoung();
  };
}

/**
 * V8's collection of young memory. Contexts created while the flag is set have it; some processes start with
 * it.
 */
function youngCollector(): () => void {
  const own = globalThis.gc;
  if (own !== undefined) return () => void own({ type: 'minor' });
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext("typeof gc === 'function' ? gc : undefined");
  setFlagsFromString('--no-expose-gc');
  return typeof gc === 'function' ? () => void gc({ type: 'minor' }) : () => {};
}
