import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

// Small enough that the collector of old memory never starts because of them (it does from 32 to 64 MiB on),
// and enough to be worth the half a millisecond that a collection of young memory takes.
const everyBytes = 4 * 2 ** 20;

/**
 * Collects the buffers that reading leaves behind, while they are young. Returns who is to be told of each
 * number of bytes that was read.
 *
 * node reads into memory outside of the heap, new for each read, with hardly an object in the heap for it:
 * the heap does not fill, so young memory is not collected, and in the end V8 marks the whole heap to be rid
 * of what a collection of the young would have found (docs/decisions/044). Where V8 does not let itself be
 * told, nothing is done.
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
 * V8's collection of young memory. It is handed out to contexts that are made while its flag is set, as it is
 * from the start in some processes.
 */
function youngCollector(): () => void {
  const own = globalThis.gc;
  if (own !== undefined) return () => void own({ type: 'minor' });
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext("typeof gc === 'function' ? gc : undefined");
  setFlagsFromString('--no-expose-gc');
  return typeof gc === 'function' ? () => void gc({ type: 'minor' }) : () => {};
}
