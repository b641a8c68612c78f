import { type MeshObject, refKey, refOf } from '../../model/object.ts';
import type { SoleObjects } from './sole-objects.ts';

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
  /** How long the deletion of a sole object, as the last instance of a host, is delayed; 0: not at all. */
  readonly soleMs: number;
}

/** Stated in docs/files-source.md. */
export const lossRule: LossRule = {
  settleMs: 50,
  settleMsMax: 1000,
  objectsMin: 10,
  shareMax: 0.5,
  windowMs: 10_000,
  heldMsMax: 3_600_000,
  soleMs: 10_000,
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
  /** Whether another object that was found waits for what the missing object of a key has, such as a host. */
  isReplaced(key: string): boolean;
  /** Finds the sole objects among the missing ones. Called only when some are about to be deleted. */
  sole(): SoleObjects;
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
  /** Missing objects that stay in force for some seconds, each with what is lost with it. */
  readonly delayed: SoleObjects;
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

/** A delayed deletion: what is lost with the object, and when it is deleted. */
interface Delay {
  readonly lost: string;
  readonly until: number;
}

/** Creates a guard that follows `rule`. */
export function createLossGuard(rule: LossRule): LossGuard {
  const nothing: ReadonlySet<string> = new Set();
  // Missing objects but for the delayed ones, as last seen.
  let known: ReadonlySet<string> = nothing;
  let first = 0;
  let changed = 0;
  let held = false;
  let heldMost = 0;
  let heldSince = 0;
  let confirmed = false;
  // Objects deleted within the window, with the time.
  const recent = new Map<string, number>();
  const delays = new Map<string, Delay>();

  function note(missing: ReadonlySet<string>, now: number): void {
    for (const key of delays.keys()) if (!missing.has(key)) delays.delete(key);
    const fresh = delays.size === 0 ? missing : new Set([...missing].filter((key) => !delays.has(key)));
    if (fresh.size === known.size && [...fresh].every((key) => known.has(key))) return;
    if (known.size === 0) first = now;
    changed = now;
    known = new Set(fresh);
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

  function verdict(remove: ReadonlySet<string>, checkAgainMs?: number): LossVerdict {
    const delayed = new Map([...delays].map(([key, { lost }]) => [key, lost]));
    return { remove, held, delayed, ...(checkAgainMs === undefined ? {} : { checkAgainMs }), since: first };
  }

  function removeAll(missing: ReadonlySet<string>): LossVerdict {
    held = false;
    recent.clear();
    delays.clear();
    return verdict(new Set(missing));
  }

  function hold(state: LossState): LossVerdict {
    const { now, missing } = state;
    heldMost = held ? Math.max(heldMost, missing.size) : missing.size;
    if (!held) heldSince = now;
    held = true;
    delays.clear();
    // There was time to notice it; but a mesh without endpoints is never released by time.
    if (isTotal(state)) return verdict(nothing);
    const leftMs = heldSince + rule.heldMsMax - now;
    return leftMs > 0 ? verdict(nothing, leftMs) : removeAll(missing);
  }

  /** Deletes what is missing, except for sole objects, which are deleted when their delay is over. */
  function removeInTime(state: LossState): LossVerdict {
    const { now } = state;
    const sole = known.size > 0 && rule.soleMs > 0 ? state.sole() : undefined;
    const remove = new Set<string>();
    for (const key of known) {
      const lost = sole?.get(key);
      if (lost === undefined || state.isReplaced(key)) remove.add(key);
      else delays.set(key, { lost, until: now + rule.soleMs });
    }
    // A delayed deletion begins now: its delay is not part of the time that proxies take.
    if (remove.size === 0) first = now;
    known = nothing;
    for (const [key, { until }] of delays) {
      if (until > now && !state.isReplaced(key)) continue;
      delays.delete(key);
      remove.add(key);
    }
    for (const key of remove) recent.set(key, now);
    if (delays.size === 0) return verdict(remove);
    return verdict(remove, Math.min(...[...delays.values()].map(({ until }) => until)) - now);
  }

  return {
    decide(state) {
      const { now, missing } = state;
      note(missing, now);
      if (missing.size === 0) {
        held = false;
        confirmed = false;
        return { ...verdict(nothing), since: now };
      }
      if (confirmed) {
        confirmed = false;
        return removeAll(missing);
      }
      const quietMs = now - changed;
      const isSettling = !held && known.size > 0;
      if (isSettling && quietMs < rule.settleMs && now - first < rule.settleMsMax)
        return verdict(nothing, rule.settleMs - quietMs);
      if (isLoss(state)) return hold(state);
      // The rest of a loss is deleted only when most has returned, and the rest has had time to: files return
      // one after the other, and one file in an emptied folder does not mean that it is complete.
      if (held && missing.size > heldMost / 2) return verdict(nothing);
      if (held && quietMs < rule.windowMs) return verdict(nothing, rule.windowMs - quietMs);
      held = false;
      return removeInTime(state);
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
