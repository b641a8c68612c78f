import type { Clock, Timer } from '../../base/clock.ts';
import { type Change, type MeshObject, refKey, refOf } from '../../model/object.ts';
import { createLossGuard, type LossRule, losesAllInstances } from './loss-guard.ts';
import { findSoleObjects, type SoleObjects } from './sole-objects.ts';

/** What a holding needs. */
interface RetainedObjectsOptions {
  readonly clock: Clock;
  readonly rule: LossRule;
  /** Whether large deletions of the source are held; else only objects of a snapshot. */
  readonly guardsDeletes: boolean;
  /** Held objects are deleted now. */
  onRelease(batch: readonly Change[]): void;
}

/** A source's objects, and those kept in force although the source no longer has them. */
interface RetainedObjects {
  /** All objects in force, and those of them that the source does not have. */
  readonly inForce: ReadonlyMap<string, MeshObject>;
  readonly missing: ReadonlySet<string>;
  /** Since when missing objects are held (the clock's `now`), if they are. */
  readonly heldSince: number | undefined;
  /** Those of the missing objects that are deleted in some seconds, each with what is lost with it. */
  readonly delayed: SoleObjects;
  /** Adds objects of a snapshot, in force until the source replaces them. */
  restore(objects: readonly MeshObject[]): void;
  /** Applies changes of the source. Returns those to pass on. */
  apply(batch: readonly Change[]): Change[];
  /** Whether the source can be read: while it cannot, a missing object may still exist. */
  setReachable(reachable: boolean): void;
  /** The operator confirms that missing objects are meant to be deleted; returns how many. */
  confirm(): number;
  close(): void;
}

/** Creates an empty holding. */
export function createRetainedObjects(options: RetainedObjectsOptions): RetainedObjects {
  const { clock, rule, guardsDeletes } = options;
  const guard = createLossGuard(rule);
  const upstream = new Set<string>();
  const inForce = new Map<string, MeshObject>();
  const missing = new Set<string>();
  let reachable = true;
  let heldSince: number | undefined;
  let delayed: SoleObjects = new Map();
  let timer: Timer | undefined;

  function decide(): Change[] {
    timer?.cancel();
    if (missing.size === 0) {
      heldSince = undefined;
      delayed = guard.decide(state()).delayed;
      return [];
    }
    const verdict = guard.decide(state());
    heldSince = verdict.held ? (heldSince ?? clock.now()) : undefined;
    delayed = verdict.delayed;
    const gone = [...verdict.remove].flatMap((key) => remove(key, verdict.since));
    if (missing.size > 0 && verdict.checkAgainMs !== undefined)
      timer = clock.after(Math.max(1, verdict.checkAgainMs), () => release(decide()));
    return gone;
  }

  function release(batch: readonly Change[]): void {
    if (batch.length > 0) options.onRelease(batch);
  }

  function state() {
    return {
      ...{ now: clock.now(), missing, inForce: inForce.size, found: upstream.size, replaced: false },
      ...{ readable: reachable, isFound: isUpstream },
      allInstances: losesAllInstances(missing, inForce.values()),
      isReplaced: () => false,
      sole: () => findSoleObjects(missingObjects(), inForce.values()),
    };
  }

  function missingObjects(): Map<string, MeshObject> {
    return new Map([...missing].map((key) => [key, inForce.get(key) as MeshObject]));
  }

  function isUpstream(key: string): boolean {
    return upstream.has(key);
  }

  function remove(key: string, at: number): Change[] {
    const object = inForce.get(key);
    missing.delete(key);
    inForce.delete(key);
    return object === undefined ? [] : [{ type: 'delete', ref: refOf(object), at }];
  }

  function applyOne(change: Change): Change[] {
    if (change.type === 'synced') return [change];
    if (change.type === 'upsert') {
      const key = refKey(refOf(change.object));
      upstream.add(key);
      missing.delete(key);
      inForce.set(key, change.object);
      return [change];
    }
    const key = refKey(change.ref);
    upstream.delete(key);
    if (!inForce.has(key)) return [];
    if (!guardsDeletes) {
      inForce.delete(key);
      return [change];
    }
    missing.add(key);
    return [];
  }

  return {
    inForce,
    missing,
    get heldSince() {
      return heldSince;
    },
    get delayed() {
      return delayed;
    },
    restore(objects) {
      for (const object of objects) {
        const key = refKey(refOf(object));
        inForce.set(key, object);
        if (!upstream.has(key)) missing.add(key);
      }
      decide();
    },
    apply(batch) {
      const passed = batch.flatMap(applyOne);
      return [...passed, ...decide()];
    },
    setReachable(now) {
      reachable = now;
      release(decide());
    },
    confirm() {
      const count = reachable ? missing.size : 0;
      if (count > 0) {
        guard.confirm();
        release(decide());
      }
      return count;
    },
    close: () => timer?.cancel(),
  };
}
