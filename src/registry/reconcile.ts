import { isDeepStrictEqual } from 'node:util';
import { type Change, type MeshObject, refKey, refOf } from '../model/object.ts';

/** What a comparison needs. */
export interface ReconcileOptions {
  /** All that the source holds now, in its own order. */
  list(): Iterable<MeshObject>;
  /** What was passed on and is in force, by key. Objects that are held although the source lacks them: see `isHeld`. */
  readonly inForce: ReadonlyMap<string, MeshObject>;
  isHeld(key: string): boolean;
  /** The clock's `now`. */
  now(): number;
}

/** Compares what a source holds with what was passed on of it. */
export interface Reconciler {
  /**
   * One full comparison, in slices between which everything else goes on. Resolves to the changes that repair what
   * differed in this comparison and, in just the same way, in the one before: what is still on its way differs only
   * once. Stops early, with nothing, when the signal aborts.
   */
  compare(signal: AbortSignal): Promise<Change[]>;
}

/** Objects looked at before it gives way: well under a millisecond where nothing differs. */
const sliceObjects = 500;

const breathe = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Creates a reconciler. */
export function createReconciler(options: ReconcileOptions): Reconciler {
  const { inForce } = options;
  // What differed last time: the source's object, or undefined where it has none.
  let suspects = new Map<string, MeshObject | undefined>();

  return {
    async compare(signal) {
      const found = new Map<string, MeshObject | undefined>();
      const held = new Set<string>();
      let looked = 0;
      const pause = async () => {
        looked += 1;
        if (looked % sliceObjects === 0) await breathe();
        return signal.aborted;
      };
      // A copy of references: the source may change while this gives way.
      for (const object of [...options.list()]) {
        const key = refKey(refOf(object));
        held.add(key);
        if (differs(object, inForce.get(key))) found.set(key, object);
        if (await pause()) return [];
      }
      for (const key of [...inForce.keys()]) {
        if (!held.has(key) && !options.isHeld(key)) found.set(key, undefined);
        if (await pause()) return [];
      }
      const at = options.now();
      const repairs: Change[] = [];
      for (const [key, object] of found) {
        const stayed = suspects.has(key) && suspects.get(key) === object;
        const known = inForce.get(key);
        // It may have been passed on while the comparison was under way.
        if (!stayed || (object === undefined ? known === undefined : !differs(object, known))) continue;
        if (object !== undefined) repairs.push({ type: 'upsert', object, at });
        else if (known !== undefined) repairs.push({ type: 'delete', ref: refOf(known), at });
        found.delete(key);
      }
      suspects = found;
      return repairs;
    },
  };
}

function differs(a: MeshObject, b: MeshObject | undefined): boolean {
  if (a === b) return false;
  if (b === undefined) return true;
  return !(
    isDeepStrictEqual(a.spec, b.spec) &&
    isDeepStrictEqual(a.meta.labels, b.meta.labels) &&
    isDeepStrictEqual(a.meta.annotations, b.meta.annotations)
  );
}
