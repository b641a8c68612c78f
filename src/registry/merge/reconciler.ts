import { isDeepStrictEqual } from 'node:util';
import type { Clock, Timer } from '../../base/clock.ts';
import { yieldToEventLoop } from '../../base/yield-to-event-loop.ts';
import { type Change, type MeshObject, type Ref, refKey, refOf } from '../../model/object.ts';
import type { Source } from '../source.ts';

/** What a comparison needs. */
interface ReconcileOptions {
  /** By rank: if two have an object of one name, the first one's applies. */
  readonly sources: readonly Pick<Source, 'objects'>[];
  /** Whether the index has exactly this object. */
  indexHas(object: MeshObject): boolean;
  /** All objects of the index. */
  refs(): Iterable<Ref>;
  /** The rank of the source of an object; undefined if none has it. */
  rankOf(key: string): number | undefined;
  readonly clock: Clock;
  /** Yields to other work. */
  readonly breathe?: () => Promise<void>;
}

/** Repairs of missed events, by the rank of the source. */
type Repairs = ReadonlyMap<number, readonly Change[]>;

/** Compares the sources with the index. */
interface Reconciler {
  /**
   * One full comparison, in slices that yield to other work. Resolves to changes that repair differences
   * found in this comparison and, identically, in the previous one: events in progress differ only once.
   * Stops early, without a result, when the signal aborts.
   */
  compare(signal: AbortSignal): Promise<Repairs>;
  /** An event came: its objects are excluded from a comparison in progress. */
  noteEvents(batch: readonly Change[]): void;
}

/** A difference: the source's object, or none if only the index has one. */
interface Difference {
  readonly rank: number;
  readonly ref: Ref;
  readonly object: MeshObject | undefined;
}

/** Time between two comparisons, in milliseconds. */
export const reconcileMs = 30_000;

/** A slice ends after this many objects or milliseconds, so that pushes are not delayed longer. */
export const comparisonSlice = { objects: 500, ms: 10 } as const;

/** Creates a reconciler. */
export function createReconciler(options: ReconcileOptions): Reconciler {
  const { sources, clock, breathe: pause = yieldToEventLoop } = options;
  let suspects = new Map<string, Difference>();
  /** Keys of events during a comparison; undefined between two. */
  let changedKeys: Set<string> | undefined;

  /** Yields differences, and a step for each object compared. */
  function* differences(): Generator<readonly [string, Difference] | undefined> {
    const seen = new Set<string>();
    for (const [rank, source] of sources.entries())
      for (const object of source.objects()) {
        const ref = refOf(object);
        const key = refKey(ref);
        const counts = !seen.has(key);
        seen.add(key);
        yield counts && !options.indexHas(object) ? [key, { rank, ref, object }] : undefined;
      }
    for (const ref of options.refs()) {
      const key = refKey(ref);
      const rank = options.rankOf(key) ?? 0;
      const isLost = !seen.has(key) && sources[rank] !== undefined;
      yield isLost ? [key, { rank, ref, object: undefined }] : undefined;
    }
  }

  async function findDifferences(signal: AbortSignal): Promise<Map<string, Difference> | undefined> {
    const found = new Map<string, Difference>();
    let looked = 0;
    let since = clock.now();
    for (const difference of differences()) {
      if (difference !== undefined) found.set(...difference);
      looked += 1;
      if (looked < comparisonSlice.objects && clock.now() - since < comparisonSlice.ms) continue;
      await pause();
      if (signal.aborted) return undefined;
      looked = 0;
      since = clock.now();
    }
    return found;
  }

  return {
    async compare(signal) {
      changedKeys = new Set();
      const found = await findDifferences(signal);
      const changedMeanwhile = changedKeys;
      changedKeys = undefined;
      const repairs = new Map<number, Change[]>();
      if (found === undefined) return repairs;
      const at = clock.now();
      for (const [key, { rank, ref, object }] of found) {
        if (changedMeanwhile.has(key)) found.delete(key);
        const before = changedMeanwhile.has(key) ? undefined : suspects.get(key);
        if (before === undefined || !sameContent(before.object, object)) continue;
        const change: Change = object ? { type: 'upsert', object, at } : { type: 'delete', ref, at };
        repairs.set(rank, [...(repairs.get(rank) ?? []), change]);
        found.delete(key);
      }
      suspects = found;
      return repairs;
    },
    noteEvents(batch) {
      if (changedKeys === undefined) return;
      for (const key of keysOf(batch)) changedKeys.add(key);
    },
  };
}

/** Compares every `everyMs` while `isDue`, and passes repairs on, until the signal aborts. */
export function reconcileOften(
  reconciler: Reconciler,
  options: {
    readonly clock: Clock;
    readonly everyMs: number;
    readonly signal: AbortSignal;
    isDue(): boolean;
    repair(repairs: Repairs): void;
  },
): void {
  const { clock, signal, everyMs } = options;
  let timer: Timer | undefined;
  const next = () => {
    if (!signal.aborted) timer = clock.after(everyMs, () => void run());
  };
  const run = async () => {
    if (options.isDue()) {
      const repairs = await reconciler.compare(signal);
      if (repairs.size > 0) options.repair(repairs);
    }
    next();
  };
  signal.addEventListener('abort', () => timer?.cancel());
  next();
}

/** The keys of changed objects, for logs. */
export function keysOf(batch: readonly Change[]): string[] {
  return batch.flatMap((change) => {
    if (change.type === 'synced') return [];
    return [refKey(change.type === 'upsert' ? refOf(change.object) : change.ref)];
  });
}

function sameContent(a: MeshObject | undefined, b: MeshObject | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  return (
    isDeepStrictEqual(a.spec, b.spec) &&
    isDeepStrictEqual(a.meta.labels, b.meta.labels) &&
    isDeepStrictEqual(a.meta.annotations, b.meta.annotations)
  );
}
