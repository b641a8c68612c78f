import type { Random } from '../../base/random.ts';

/** Pauses between attempts, in milliseconds. */
export interface BackOffRule {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** Grows from one failure to the next, and is different for each client. */
interface BackOff {
  /** The next pause: between half of the full time and all of it. */
  next(): number;
  /** What was attempted has worked. */
  reset(): void;
}

/** Creates it: pauses double from `firstMs` to `maxMs`. */
export function createBackOff({ firstMs, maxMs }: BackOffRule, random: Random): BackOff {
  let fullMs = firstMs;
  return {
    next() {
      const pauseMs = fullMs * (0.5 + random() / 2);
      fullMs = Math.min(maxMs, fullMs * 2);
      return pauseMs;
    },
    reset() {
      fullMs = firstMs;
    },
  };
}
