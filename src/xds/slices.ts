/**
 * Work that can be interrupted after each of its short steps. State that others may change between steps has
 * to be read again.
 */
export type Slices<R = void> = Generator<void, R, void>;

/** Runs all of it at once. */
export function finish<R>(work: Slices<R>): R {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value as R;
  }
}

// Copied in some tenths of a millisecond.
const copiedBytes = 256 * 1024;

/** Copies bytes into others, at a place. The place after them. */
export function* copyInto(target: Uint8Array, bytes: Uint8Array, place: number): Slices<number> {
  for (let at = 0; at < bytes.length; at += copiedBytes) {
    target.set(bytes.subarray(at, at + copiedBytes), place + at);
    if (at + copiedBytes < bytes.length) yield;
  }
  return place + bytes.length;
}

// Items per step, at a microsecond each; the clock is read after each step.
const stepMax = 256;

/** Calls `take` for each item. */
export function* each<T>(many: Iterable<T>, take: (one: T) => void): Slices {
  let left = stepMax;
  for (const one of many) {
    take(one);
    left -= 1;
    if (left > 0) continue;
    left = stepMax;
    yield;
  }
}
