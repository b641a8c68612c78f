/**
 * When objects that files no longer hold are deleted, and when their deletion is held. Times in milliseconds.
 */
export interface LossRule {
  /** How long nothing more may go missing before a deletion: a rename is a file that is gone for a moment. */
  readonly settleMs: number;
  /** The longest that a deletion waits for that. */
  readonly settleMsMax: number;
  /** Losing fewer objects than this is never held, unless nothing is left. */
  readonly objectsMin: number;
  /** Losing more than this share is held; 0.5 is half. */
  readonly shareMax: number;
  /** Deletions of this last while count as one; what is left of a loss that came back goes after it. */
  readonly windowMs: number;
  /** A held loss goes by itself after this, unless nothing, or no instance, is left. */
  readonly heldMsMax: number;
}

/** The rule that docs/files-source.md states. */
export const lossRule: LossRule = {
  settleMs: 50,
  settleMsMax: 1000,
  objectsMin: 10,
  shareMax: 0.5,
  windowMs: 10_000,
  heldMsMax: 3_600_000,
};

/** What a guard looks at. */
export interface LossState {
  readonly now: number;
  /** Keys of objects that are in force and that no file holds. */
  readonly missing: ReadonlySet<string>;
  /** The number of objects in force, missing ones included. */
  readonly inForce: number;
  /** The number of objects that files hold. */
  readonly found: number;
  /** Whether more than one WorkloadEntry is missing, and no other is in force: a mesh without endpoints. */
  readonly allInstances: boolean;
  /** Whether the folder is another one than when its objects were last seen: unmounted, or mounted over. */
  readonly replaced: boolean;
  /** Whether the folder can be read: while it cannot, nobody knows what is really gone. */
  readonly readable: boolean;
}

/** What a guard decides. */
export interface LossVerdict {
  /** Keys to delete now. */
  readonly remove: ReadonlySet<string>;
  /** Whether the missing objects stay in force until they come back, or the operator confirms. */
  readonly held: boolean;
  /** When to ask again, if nothing changes before: milliseconds from now. */
  readonly againMs?: number;
  /** When the deleted objects were first found missing. */
  readonly since: number;
}

/** Keeps a source that loses its objects from being read as a mesh without endpoints. */
export interface LossGuard {
  decide(state: LossState): LossVerdict;
  /** The operator says that what is missing now is meant to be: the next decision lets it go. */
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
  let recent: { at: number; count: number }[] = [];

  function note(missing: ReadonlySet<string>, now: number): void {
    if (missing.size === known.size && [...missing].every((key) => known.has(key))) return;
    if (known.size === 0) first = now;
    changed = now;
    known = new Set(missing);
  }

  /** Whether losing what is missing is more than deleting one by one. */
  function isLoss(state: LossState, lately: number): boolean {
    const { missing, inForce, found, replaced, readable } = state;
    if (!readable || state.allInstances) return true;
    if (found === 0 && (missing.size > 1 || replaced)) return true;
    const lost = missing.size + lately;
    return lost >= rule.objectsMin && lost > (inForce + lately) * rule.shareMax;
  }

  /** Whether nobody knows what is left, or nothing that serves is. */
  function isTotal(state: LossState): boolean {
    return !state.readable || state.allInstances || state.found === 0;
  }

  return {
    decide(state) {
      const { now, missing } = state;
      note(missing, now);
      recent = recent.filter(({ at }) => now - at < rule.windowMs);
      if (missing.size === 0) {
        held = false;
        confirmed = false;
        return { remove: nothing, held, since: now };
      }
      if (confirmed) {
        confirmed = false;
        held = false;
        recent = [];
        return { remove: new Set(missing), held, since: first };
      }
      const quietMs = now - changed;
      if (!held && quietMs < rule.settleMs && now - first < rule.settleMsMax) {
        return { remove: nothing, held, againMs: rule.settleMs - quietMs, since: first };
      }
      const lately = recent.reduce((sum, { count }) => sum + count, 0);
      if (isLoss(state, lately)) {
        heldMost = held ? Math.max(heldMost, missing.size) : missing.size;
        if (!held) heldSince = now;
        held = true;
        // Somebody has had the time to see it; but a mesh without endpoints is never a matter of time.
        if (isTotal(state)) return { remove: nothing, held, since: first };
        const leftMs = heldSince + rule.heldMsMax - now;
        if (leftMs > 0) return { remove: nothing, held, againMs: leftMs, since: first };
        held = false;
        recent = [];
        return { remove: new Set(missing), held, since: first };
      }
      // What is left of a loss goes only when most has come back, and the rest has had time to: files come
      // back one after the other, and a stray file in an emptied folder does not mean that it is whole again.
      if (held && missing.size > heldMost / 2) return { remove: nothing, held, since: first };
      if (held && quietMs < rule.windowMs) {
        return { remove: nothing, held, againMs: rule.windowMs - quietMs, since: first };
      }
      held = false;
      recent.push({ at: now, count: missing.size });
      return { remove: new Set(missing), held, since: first };
    },
    confirm() {
      confirmed = true;
    },
  };
}
