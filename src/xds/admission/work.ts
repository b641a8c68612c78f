import type { Timer } from '../../base/clock.ts';
import type { Slices } from '../slices.ts';
import type { Pace } from './pace.ts';

/** Whose work it is. */
interface Owner {
  isOver(): boolean;
  /** It has to wait: nothing more is to be read. */
  wait(): void;
  /** All is done: it may be read on. */
  resume(): void;
  failed(error: unknown): void;
}

/** What a stream has left to be done. */
export interface StreamWork {
  isLeft(): boolean;
  /** Adds to it. It is begun in its turn, or at once at the end of `take`. */
  add(work: Slices): void;
  /** Takes a message, and does a slice of what that adds; whether more is left. */
  take(message: () => void): boolean;
  cancel(): void;
}

/** The work of one stream, done in slices of its connection's pace. */
export function workOf(pace: Pace, owner: Owner): StreamWork {
  const left: Slices[] = [];
  let timer: Timer | undefined;
  // Whoever is at it goes on with what is added.
  let isAtIt = false;
  /** Does a slice; whether more is left. */
  const slice = (): boolean => {
    const [first] = left;
    if (first !== undefined && pace.slice(first)) left.shift();
    return left.length > 0 && !owner.isOver();
  };
  const atIt = (does: () => boolean): boolean => {
    isAtIt = true;
    try {
      return does();
    } finally {
      isAtIt = false;
    }
  };
  const wait = () => {
    owner.wait();
    timer = pace.nextSlice(goOn);
  };
  const orFail = (does: () => void) => {
    try {
      does();
    } catch (error) {
      owner.failed(error);
    }
  };
  const goOn = () => {
    timer = undefined;
    if (owner.isOver()) return;
    orFail(() => {
      if (atIt(slice)) wait();
      else if (!owner.isOver()) owner.resume();
    });
  };
  return {
    isLeft: () => left.length > 0,
    add(work) {
      left.push(work);
      if (!isAtIt && timer === undefined) orFail(wait);
    },
    take(message) {
      const isMore = atIt(() => {
        message();
        return left.length > 0 && slice();
      });
      if (isMore) wait();
      return isMore;
    },
    cancel() {
      timer?.cancel();
      left.length = 0;
    },
  };
}
