import { type MeshObject, refKey, refOf } from '../../model/object.ts';

/** When missing objects are deleted, and when their deletion is held. Times in milliseconds. */
export interface LossRule {
  /** Quiet time before a deletion: a rename makes a file disappear for a moment. */
  readonly settleMs: number;
  /** Longest delay of a deletion for that. */
  readonly settleMsMax: number;
  /** Losing fewer objects is never held, unless nothing is left. */
  readonly objectsMin: number;
  /** Losing a larger share is held; 0.5 is half. */
  readonly shareMax: number;
  /**
   * Deletions within this time count as one; what is left of a loss that was repaired is deleted after it.
   */
  readonly windowMs: number;
  /** A held loss is released after this, unless nothing, or no instance, is left. */
  readonly heldMsMax: number;
}

/** Stated in docs/files-source.md. */
export const lossRule: LossRule = {
  settleMs: 50,
  settleMsMax: 1000,
  objectsMin: 10,
  shareMax: 0.5,
  windowMs: 10_000,
  heldMsMax: 3_600_000,
};

/** The input of a guard. */
export interface LossState {
  readonly now: number;
  /** Keys of objects in force that no file has. */
  readonly missing: ReadonlySet<string>;
  /** The number of objects in force, missing ones included. */
  readonly inForce: number;
  /** The number of objects that files hold. */
  readonly found: number;
  /** Whether files hold the object of a key. */
  isFound(key: string): boolean;
  /** Whether more than one WorkloadEntry is missing, and no other is in force: a mesh without endpoints. */
  readonly allInstances: boolean;
  /** Whether the folder has been replaced since its objects were last read: unmounted, or mounted over. */
  readonly replaced: boolean;
  /** Whether the folder can be read: while it cannot, a missing object may still exist. */
  readonly readable: boolean;
}

/** A guard's decision. */
export interface LossVerdict {
  /** Keys to delete now. */
  readonly remove: ReadonlySet<string>;
  /** Whether missing objects stay in force until they return, or the operator confirms. */
  readonly held: boolean;
  /** When to decide again without a change: milliseconds from now. */
  readonly checkAgainMs?: number;
  /** When the deleted objects were first found missing. */
  readonly since: number;
}

/** Prevents that a source which loses its objects becomes a mesh without endpoints. */
interface LossGuard {
  decide(state: LossState): LossVerdict;
  /** The operator confirms that what is missing now is meant to be deleted: the next decision releases it. */
  confirm(): void;
}

/** Creates a guard that follows `rule`. */
export function createLossGuard(rule: LossRule): LossGuard {
  const nothing: ReadonlySet<string> = new Set();
  let known: ReadonlySet<string> = nothing;
  let first = 0;
  let changed = 0;
  let held = false;
  let heldMost = 0;
  let heldSince = 0;
  let confirmed = false;
  // Objects deleted within the window, with the time.
  const recent = new Map<string, number>();

  function note(missing: ReadonlySet<string>, now: number): void {
    if (missing.size === known.size && [...missing].every((key) => known.has(key))) return;
    if (known.size === 0) first = now;
    changed = now;
    known = new Set(missing);
  }

  /** How many objects were deleted within the window, and have neither come back nor gone missing again. */
  function goneLately({ now, missing, isFound }: LossState): number {
    for (const [key, at] of recent)
      if (now - at >= rule.windowMs || missing.has(key) || isFound(key)) recent.delete(key);
    return recent.size;
  }

  /** Whether the missing objects are a loss, rather than single deletions. */
  function isLoss(state: LossState): boolean {
    const { missing, inForce, found, replaced, readable } = state;
    if (!readable || state.allInstances) return true;
    if (found === 0 && (missing.size > 1 || replaced)) return true;
    const lately = goneLately(state);
    const lost = missing.size + lately;
    return lost >= rule.objectsMin && lost > (inForce + lately) * rule.shareMax;
  }

  /** Whether it is unknown what is left, or nothing that serves is. */
  function isTotal(state: LossState): boolean {
    return !state.readable || state.allInstances || state.found === 0;
  }

  return {
    decide(state) {
      const { now, missing } = state;
      note(missing, now);
      if (missing.size === 0) {
        held = false;
        confirmed = false;
        return { remove: nothing, held, since: now };
      }
      if (confirmed) {
        confirmed = false;
        held = false;
        recent.clear();
        return { remove: new Set(missing), held, since: first };
      }
      const quietMs = now - changed;
      if (!held && quietMs < rule.settleMs && now - first < rule.settleMsMax) {
        return { remove: nothing, held, checkAgainMs: rule.settleMs - quietMs, since: first };
      }
      if (isLoss(state)) {
        heldMost = held ? Math.max(heldMost, missing.size) : missing.size;
        if (!held) heldSince = now;
        held = true;
        // There was time to notice it; but a mesh without endpoints is never released by time.
        if (isTotal(state)) return { remove: nothing, held, since: first };
        const leftMs = heldSince + rule.heldMsMax - now;
        if (leftMs > 0) return { remove: nothing, held, checkAgainMs: leftMs, since: first };
        held = false;
        recent.clear();
        return { remove: new Set(missing), held, since: first };
      }
      // The rest of a loss is deleted only when most has returned, and the rest has had time to: files return
      // one after the other, and one file in an emptied folder does not mean that it is complete.
      if (held && missing.size > heldMost / 2) return { remove: nothing, held, since: first };
      if (held && quietMs < rule.windowMs) {
        return { remove: nothing, held, checkAgainMs: rule.windowMs - quietMs, since: first };
      }
      held = false;
      for (const key of missing) recent.set(key, now);
      return { remove: new Set(missing), held, since: first };
    },
    confirm() {
      confirmed = true;
    },
  };
}

/** `LossState.allInstances`, of keys that are missing among the objects in force. */
export function losesAllInstances(missing: ReadonlySet<string>, inForce: Iterable<MeshObject>): boolean {
  if (missing.size < 2) return false;
  let lost = 0;
  for (const object of inForce) {
    if (object.kind !== 'WorkloadEntry') continue;
    if (!missing.has(refKey(refOf(object)))) return false;
    lost += 1;
  }
  return lost > 1;
}
