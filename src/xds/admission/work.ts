import type { Timer } from '../../base/clock.ts';
import type { Slices } from '../slices.ts';
import type { Pace } from './pace.ts';

/** The stream that the work belongs to. */
interface Owner {
  isOver(): boolean;
  /** Pauses reading. */
  wait(): void;
  /** All work is done: reading goes on. */
  resume(): void;
  failed(error: unknown): void;
}

/** The unfinished work of a stream. */
export interface StreamWork {
  isLeft(): boolean;
  /** Adds work. It starts at the end of `take`, or when its turn comes. */
  add(work: Slices): void;
  /** Takes a message, and runs a slice of the work that it added; returns whether work is left. */
  take(message: () => void): boolean;
  cancel(): void;
}

/** Runs a stream's work in slices of its connection's pace. */
export function workOf(pace: Pace, owner: Owner): StreamWork {
  const left: Slices[] = [];
  let timer: Timer | undefined;
  // Work added while a slice runs is continued by the running loop.
  let isAtIt = false;
  /** Runs a slice; returns whether work is left. */
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
