import type { LeaseState } from './lease-clock.ts';
import type { Registration } from './registration.ts';

/** What a merge needs besides the two records. */
export interface MergeContext {
  /** The ids of this control plane, and of the sender. */
  readonly self: string;
  readonly from: string;
  /** The lease at the sender. */
  readonly theirLease: LeaseState;
  /** Whether its lease runs here, or at a third control plane. */
  readonly runsElsewhere: boolean;
  /** Whether no proxy of this control plane has it. */
  readonly isFree: boolean;
}

/** Whether a generation has deregistered: it may not register again. */
function hasDeregistered({ state, expired }: Registration): boolean {
  return state === 'gone' || (state === 'leaving' && !expired);
}

/**
 * The record after another control plane reported its own; undefined: none. Returns `ours` if nothing
 * changed. Pure, and independent of the order of records, so that replicas converge.
 *
 * A higher generation wins. Within a generation a deregistration wins, then the record with more edits. A
 * generation that another control plane removed as its lease expired is removed here too, unless its lease
 * runs somewhere. An unknown one is added, unless this control plane has had and removed it, and its lease
 * runs nowhere: nothing is restored merely because somebody has not heard of its removal.
 */
export function mergeRegistrations(
  ours: Registration | undefined,
  received: Registration,
  context: MergeContext,
): Registration | undefined {
  const theirs = { ...received, knownTo: union(received.knownTo, [context.from]) };
  if (ours !== undefined && ours.generation > theirs.generation) return ours;
  if (ours === undefined || ours.generation < theirs.generation) return takeOver(ours, theirs, context);
  if (hasDeregistered(ours)) return ours;
  if (hasDeregistered(theirs)) {
    const isRemoved = ours.state === 'draining' && context.isFree;
    return { ...ours, state: isRemoved ? 'gone' : 'leaving', expired: false };
  }
  const knownTo = union(ours.knownTo, theirs.knownTo);
  if (theirs.state === 'leaving') {
    if (ours.state === 'leaving' || context.runsElsewhere) return withKnownTo(ours, knownTo);
    return { ...ours, knownTo, state: 'leaving', expired: true };
  }
  if (ours.state === 'leaving') return context.theirLease === 'running' ? { ...theirs, knownTo } : ours;
  return isNewer(theirs, ours) ? { ...theirs, knownTo } : withKnownTo(ours, knownTo);
}

/** The record after another control plane reported that it has none of that name (any more). */
export function mergeAbsence(
  ours: Registration,
  { from, runsElsewhere }: Pick<MergeContext, 'from' | 'runsElsewhere'>,
): Registration {
  const isLive = ours.state === 'ready' || ours.state === 'draining';
  // The sender had it and removed it; one that it never had, it will add.
  if (!isLive || runsElsewhere || !ours.knownTo.includes(from)) return ours;
  return { ...ours, state: 'leaving', expired: true };
}

function takeOver(
  ours: Registration | undefined,
  theirs: Registration,
  { self, theirLease }: MergeContext,
): Registration | undefined {
  if (theirs.state === 'ready' || theirs.state === 'draining')
    return theirLease !== 'running' && theirs.knownTo.includes(self) ? ours : theirs;
  // A proxy may still have the older generation.
  const state = ours === undefined || ours.state === 'gone' ? 'gone' : 'leaving';
  if (hasDeregistered(theirs)) return { ...theirs, state, expired: false };
  return ours === undefined || ours.state === 'gone' ? ours : { ...theirs, state: 'leaving' };
}

/** Orders two records of one generation; with equal edits by a rule on which all agree. */
function isNewer(theirs: Registration, ours: Registration): boolean {
  if (theirs.edit !== ours.edit) return theirs.edit > ours.edit;
  return contentText(theirs) > contentText(ours);
}

function contentText({ state, ttlMs, spec }: Registration): string {
  return JSON.stringify([state, ttlMs, spec]);
}

function withKnownTo(ours: Registration, knownTo: readonly string[]): Registration {
  return knownTo.length === ours.knownTo.length ? ours : { ...ours, knownTo };
}

function union(one: readonly string[], other: readonly string[]): readonly string[] {
  return [...new Set([...one, ...other])].sort();
}
