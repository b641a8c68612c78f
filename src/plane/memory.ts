import type { Clock, Timer } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { Logger } from '../base/log.ts';
import type { EventSink } from '../events/event.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Readiness } from '../rollout/readiness.ts';

/** The heap of this process. */
export interface Heap {
  /** V8's heap limit in bytes, at which it ends the process. */
  readonly limitBytes: number;
  /** Bytes left by the last full collection, and the number of full collections. */
  used(): { readonly bytes: number; readonly collections: number };
  /** Bytes that are in it now, garbage included. It is asked often. */
  filled(): number;
  /** Collects the whole heap, at once. */
  collect(): void;
}

/** Parts of the limit from which new streams are refused, and from which streams are ended. */
const memoryParts = { refuse: 0.85, end: 0.92 };

// So full, garbage included, the heap is looked at often; and, with nothing known but that, a collection is
// not waited for.
const [closePart, fullPart] = [0.7, 0.96];

/**
 * In milliseconds: between two looks, and between two close ones; the longest without a collection while
 * streams are refused, as what has become free is known then; how long V8 has to collect by itself once the
 * heap may be full.
 */
const times = { look: 250, close: 25, collect: 30_000, wait: 500 };
// Of all time, at most, for collections that are asked for here.
const collectShare = 0.1;

/** The parts of a memory guard. */
interface MemoryOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: EventSink;
  readonly heap: Heap;
  /**
   * Refuses streams of an address with many node classes or, if `isUrgent`, else the stream that holds most,
   * with this reason; false if there is none.
   */
  shed(why: string, isUrgent: boolean): boolean;
  /** Lets requests that ask for much wait, or go on. */
  holdLarge(isHeld: boolean): void;
  readonly metrics: Pick<Metrics, 'shedding'>;
  /** Is told when new proxies should go elsewhere. */
  readonly readiness: Pick<Readiness, 'turnAway'>;
}

/** Sheds load before the process reaches its heap limit, which would end all streams. */
export interface MemoryGuard {
  /** Called for a new stream. Throws MeshError `exhausted` while memory is short. */
  admit(): void;
  close(): void;
}

/**
 * Watches how full the heap is, and judges by what a collection of the whole leaves: garbage is no load.
 * From 85 % of the limit on new streams are refused, and those of one kind of node end for each collection
 * where an address has many kinds; from 92 % on the one that holds most, until there is room. Proxies keep
 * what they have.
 *
 * Where 92 % may be in use, requests that ask for much wait until that is known. A collection that V8 does
 * not make in time is asked for.
 */
export function guardMemory(options: MemoryOptions): MemoryGuard {
  const watch = new MemoryWatch(options);
  watch.checkAgain();
  return watch;
}

class MemoryWatch implements MemoryGuard {
  readonly #options: MemoryOptions;
  readonly #endBytes: number;
  #pressure: string | undefined;
  #judgedCollections = 0;
  #collectedAt: number;
  // Since when 92 % may be in use.
  #fullSince: number | undefined;
  #isHeld = false;
  // All that could end has ended, so that requests that wait would wait for nothing.
  #isInVain = false;
  #collectAt = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;

  constructor(options: MemoryOptions) {
    this.#options = options;
    this.#endBytes = memoryParts.end * options.heap.limitBytes;
    this.#collectedAt = options.clock.now();
  }

  admit(): void {
    if (this.#pressure !== undefined)
      throw new MeshError('exhausted', `${this.#pressure}; ask another control plane, or try again later`);
  }

  checkAgain(): void {
    const { clock, heap } = this.#options;
    const filled = heap.filled();
    this.#check(filled);
    const isClose = filled >= closePart * heap.limitBytes;
    this.#timer = clock.after(isClose ? times.close : times.look, () => this.checkAgain());
  }

  close(): void {
    this.#timer?.cancel();
  }

  #check(filled: number): void {
    const { clock, heap } = this.#options;
    const now = clock.now();
    this.#judgeCollection(now);
    if (filled < this.#endBytes) this.#fullSince = undefined;
    else this.#fullSince ??= now;
    if (this.#mustCollect(filled, now)) {
      heap.collect();
      const end = clock.now();
      this.#collectAt = end + (end - now) / collectShare;
      this.#judgeCollection(end);
    }
    this.#holdLarge(this.#fullSince !== undefined && !this.#isInVain);
  }

  /** Judges a collection that was made since the last look. */
  #judgeCollection(now: number): void {
    const { bytes, collections } = this.#options.heap.used();
    if (collections === this.#judgedCollections) return;
    this.#judgedCollections = collections;
    this.#collectedAt = now;
    this.#fullSince = bytes >= this.#endBytes ? now : undefined;
    this.#judgeUse(bytes);
  }

  /** Whether what is live has to be known, and V8 does not collect by itself. */
  #mustCollect(filled: number, now: number): boolean {
    if (now < this.#collectAt) return false;
    const since = now - this.#collectedAt;
    if (this.#pressure !== undefined && since >= times.collect) return true;
    if (this.#fullSince === undefined || this.#isInVain) return false;
    const isFull = filled >= fullPart * this.#options.heap.limitBytes;
    return isFull || (now - this.#fullSince >= times.wait && since >= times.wait);
  }

  #holdLarge(isHeld: boolean): void {
    if (isHeld === this.#isHeld) return;
    this.#isHeld = isHeld;
    this.#options.holdLarge(isHeld);
  }

  #judgeUse(bytes: number): void {
    const { logger, events, heap, shed, metrics, readiness } = this.#options;
    const part = bytes / heap.limitBytes;
    const isFull = part >= memoryParts.refuse;
    const words = `memory is nearly full: ${mib(bytes)} of ${mib(heap.limitBytes)} MiB are in use`;
    if (isFull !== (this.#pressure !== undefined)) {
      this.#pressure = isFull ? words : undefined;
      readiness.turnAway('memory', this.#pressure);
      metrics.shedding.set(isFull ? 1 : 0);
      const fields = { usedMiB: mib(bytes), limitMiB: mib(heap.limitBytes) };
      events.note({ kind: 'shed', phase: isFull ? 'begin' : 'end', ...fields });
    }
    this.#isInVain = false;
    if (!isFull) return;
    const isUrgent = part >= memoryParts.end;
    const found = shed(words, isUrgent);
    if (!isUrgent || found) return;
    this.#isInVain = true;
    logger.error(`${words}, and not by streams: give the process a larger --max-old-space-size`);
  }
}

function mib(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}
