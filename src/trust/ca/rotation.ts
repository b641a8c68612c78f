import type { LeafRow, RootRow } from './ca-store.ts';

/** How far the change of a root is, and who is waited for. */
export interface Rotation {
  /**
   * none: one root. spreading: the new root is trusted by those who have said so, and signs nothing yet.
   * renewing: it signs, and the old one is trusted still.
   */
  readonly phase: 'none' | 'spreading' | 'renewing';
  /** Identities that have not said to have the new bundle, or that have a certificate of the old root. */
  readonly waitingFor: readonly string[];
}

/** An Envoy reads a file within a second; a proxy that is stopped for a while gets as long. Milliseconds. */
export const settleMsDefault = 30_000;

/** What is known of an authority when it is asked how far it is. `now`: milliseconds since the Unix epoch. */
interface Known {
  readonly roots: readonly RootRow[];
  readonly leaves: readonly LeafRow[];
  readonly bundleHash: string;
  readonly now: number;
}

/** Computes how far a rotation is. Revoked and expired identities are not waited for. */
export function rotationOf({ roots, leaves, bundleHash, now }: Known): Rotation {
  const live = leaves.filter(({ revokedAt, ...leaf }) => revokedAt === null && lastsUntil(leaf) > now);
  if (roots.some(({ state }) => state === 'incoming')) {
    const without = live.filter(({ bundle }) => bundle !== bundleHash);
    return { phase: 'spreading', waitingFor: without.map(({ identity }) => identity) };
  }
  const outgoing = new Set(roots.filter(({ state }) => state === 'outgoing').map(({ id }) => id));
  if (outgoing.size === 0) return { phase: 'none', waitingFor: [] };
  const old = live.filter(
    ({ root, notAfter, usedRoot, usedUntil }) =>
      (outgoing.has(root) && notAfter > now) || (outgoing.has(usedRoot) && usedUntil > now),
  );
  return { phase: 'renewing', waitingFor: old.map(({ identity }) => identity) };
}

/** Whether the new root may sign: everybody has had the new bundle for `settleMs`. */
export function maySign(known: Known, settleMs: number): boolean {
  const { phase, waitingFor } = rotationOf(known);
  if (phase !== 'spreading' || waitingFor.length > 0) return false;
  const last = Math.max(0, ...known.leaves.map(({ bundleAt }) => bundleAt ?? 0));
  return known.now - last >= settleMs;
}

function lastsUntil({ notAfter, usedUntil }: Pick<LeafRow, 'notAfter' | 'usedUntil'>): number {
  return Math.max(notAfter, usedUntil);
}
