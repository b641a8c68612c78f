import { isDeepStrictEqual } from 'node:util';
import { breathe } from '../../base/breathe.ts';
import type { Clock, Timer } from '../../base/clock.ts';
import { type Change, type MeshObject, type Ref, refKey, refOf } from '../../model/object.ts';
import type { Source } from '../source.ts';

/** What a comparison needs. */
export interface ReconcileOptions {
  /** By rank: where two hold an object of one name, the first one's counts. */
  readonly sources: readonly Pick<Source, 'objects'>[];
  /** Whether the index has just this of the object. */
  holds(object: MeshObject): boolean;
  /** All that the index has. */
  refs(): Iterable<Ref>;
  /** The rank of the source that told of an object; undefined when none did. */
  rankOf(key: string): number | undefined;
  readonly clock: Clock;
  /** Lets everything else go on. */
  readonly breathe?: () => Promise<void>;
}

/** What puts right what a missed event left behind, by the rank of the source. */
export type Repairs = ReadonlyMap<number, readonly Change[]>;

/** Compares what the sources hold with what the index has. */
export interface Reconciler {
  /**
   * One full comparison, in slices between which everything else goes on. Resolves to the changes that repair
   * what differed in this comparison and, in just the same way, in the one before: what is still on its way
   * differs only once. Stops early, with nothing, when the signal aborts.
   */
  compare(signal: AbortSignal): Promise<Repairs>;
  /** An event came: what it names is not judged by a comparison that is under way. */
  note(batch: readonly Change[]): void;
}

/** Where an object differs: the source's, or none where the index alone has it. */
interface Difference {
  readonly rank: number;
  readonly ref: Ref;
  readonly object: MeshObject | undefined;
}

/** Time between two comparisons, in milliseconds. */
export const reconcileMs = 30_000;

/** A slice ends after so many objects, or so many milliseconds: a push waits no longer for it. */
export const slice = { objects: 500, ms: 10 } as const;

/** Creates a reconciler. */
export function createReconciler(options: ReconcileOptions): Reconciler {
  const { sources, clock, breathe: pause = breathe } = options;
  let suspects = new Map<string, Difference>();
  /** What events named during a comparison; undefined between two. */
  let noted: Set<string> | undefined;

  /** Everything that differs, and a step for each object that was looked at. */
  function* differences(): Generator<readonly [string, Difference] | undefined> {
    const seen = new Set<string>();
    for (const [rank, source] of sources.entries())
      for (const object of source.objects()) {
        const ref = refOf(object);
        const key = refKey(ref);
        const counts = !seen.has(key);
        seen.add(key);
        yield counts && !options.holds(object) ? [key, { rank, ref, object }] : undefined;
      }
    for (const ref of options.refs()) {
      const key = refKey(ref);
      const rank = options.rankOf(key) ?? 0;
      const isLost = !seen.has(key) && sources[rank] !== undefined;
      yield isLost ? [key, { rank, ref, object: undefined }] : undefined;
    }
  }

  async function look(signal: AbortSignal): Promise<Map<string, Difference> | undefined> {
    const found = new Map<string, Difference>();
    let looked = 0;
    let since = clock.now();
    for (const difference of differences()) {
      if (difference !== undefined) found.set(...difference);
      looked += 1;
      if (looked < slice.objects && clock.now() - since < slice.ms) continue;
      await pause();
      if (signal.aborted) return undefined;
      looked = 0;
      since = clock.now();
    }
    return found;
  }

  return {
    async compare(signal) {
      noted = new Set();
      const found = await look(signal);
      const moved = noted;
      noted = undefined;
      const repairs = new Map<number, Change[]>();
      if (found === undefined) return repairs;
      const at = clock.now();
      for (const [key, { rank, ref, object }] of found) {
        if (moved.has(key)) found.delete(key);
        const before = moved.has(key) ? undefined : suspects.get(key);
        if (before === undefined || !sameContent(before.object, object)) continue;
        const change: Change = object ? { type: 'upsert', object, at } : { type: 'delete', ref, at };
        repairs.set(rank, [...(repairs.get(rank) ?? []), change]);
        found.delete(key);
      }
      suspects = found;
      return repairs;
    },
    note(batch) {
      if (noted === undefined) return;
      for (const key of keysOf(batch)) noted.add(key);
    },
  };
}

/** Compares every `everyMs` while `isDue`, and hands over what is to be repaired, until the signal aborts. */
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

/** The keys of what changes are about, for logs. */
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
