import type { Clock, Timer } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { Logger } from '../base/log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Readiness } from '../rollout/readiness.ts';

/** The heap of this process, as collections of garbage find it. */
export interface Heap {
  /** Bytes that it may have; V8 ends the process beyond that. */
  readonly limitBytes: number;
  /** What the last collection of the whole heap left, in bytes, and how many such collections there were. */
  used(): { readonly bytes: number; readonly collections: number };
  /** Collects the whole heap. */
  collect(): void;
}

/** Parts of the limit from which new streams are refused, and from which streams are ended. */
export const memoryParts = { refuse: 0.85, end: 0.92 };

/**
 * Between two looks; and the longest without a collection while streams are refused: what has become free is
 * known then. Milliseconds.
 */
const times = { look: 250, collect: 30_000 };

/** What a guard of the memory is made of. */
export interface MemoryOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly heap: Heap;
  /**
   * Refuses streams of whoever has many kinds of nodes, or, where it `isUrgent`, else the stream that holds
   * most, with these words; false where none holds much.
   */
  shed(why: string, isUrgent: boolean): boolean;
  readonly metrics: Pick<Metrics, 'shedding'>;
  /** Is told that new proxies are to go elsewhere. */
  readonly readiness: Pick<Readiness, 'turnAway'>;
}

/** Sheds load before the heap's limit ends the process, and all streams with it. */
export interface MemoryGuard {
  /** A stream begins. Throws MeshError `exhausted` while there is no room. */
  admit(): void;
  close(): void;
}

/**
 * Watches what is left after each collection of the whole heap: garbage is no load. From 85 % of the limit on
 * new streams are refused, and those of one kind of node end for each collection where an address has many
 * kinds; from 92 % on the one that holds most, until there is room. Proxies keep what they have.
 */
export function guardMemory(options: MemoryOptions): MemoryGuard {
  const { clock, logger, heap, shed, metrics, readiness } = options;
  let pressure: string | undefined;
  let seen = 0;
  let seenAt = clock.now();
  let timer: Timer;

  function look(): void {
    const { bytes, collections } = heap.used();
    if (collections !== seen) {
      seen = collections;
      seenAt = clock.now();
      judge(bytes);
    } else if (pressure !== undefined && clock.now() - seenAt >= times.collect) heap.collect();
    timer = clock.after(times.look, look);
  }

  function judge(bytes: number): void {
    const part = bytes / heap.limitBytes;
    const isFull = part >= memoryParts.refuse;
    const words = `memory is nearly full: ${mib(bytes)} of ${mib(heap.limitBytes)} MiB are in use`;
    if (isFull !== (pressure !== undefined)) {
      pressure = isFull ? words : undefined;
      readiness.turnAway('memory', pressure);
      metrics.shedding.set(isFull ? 1 : 0);
      if (isFull) logger.warn(`${words}; new xDS streams are refused`);
      else logger.info('there is memory again: new xDS streams are accepted', { usedMiB: mib(bytes) });
    }
    if (!isFull) return;
    const isUrgent = part >= memoryParts.end;
    const found = shed(words, isUrgent);
    if (isUrgent && !found)
      logger.error(`${words}, and not by streams: give the process a larger --max-old-space-size`);
  }

  timer = clock.after(times.look, look);
  return {
    admit() {
      if (pressure !== undefined)
        throw new MeshError('exhausted', `${pressure}; ask another control plane, or try again later`);
    },
    close: () => timer.cancel(),
  };
}

function mib(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}
