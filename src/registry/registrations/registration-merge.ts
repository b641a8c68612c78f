import type { LeaseState } from './lease-clock.ts';
import type { Registration } from './registration.ts';

/** What a merge knows beside the two records. */
export interface MergeContext {
  /** The id of this control plane, and of the one that told the record. */
  readonly self: string;
  readonly from: string;
  /** Of its lease at the one that told the record. */
  readonly theirLease: LeaseState;
  /** Whether its lease runs here, or at a third control plane. */
  readonly runsElsewhere: boolean;
  /** Whether no proxy of this control plane has it. */
  readonly isFree: boolean;
}

/** Whether a life has ended for good: it may not come back under its generation. */
export function hasDeregistered({ state, expired }: Registration): boolean {
  return state === 'gone' || (state === 'leaving' && !expired);
}

/**
 * What stands after another control plane told what stands there; undefined: nothing. The same object as
 * `ours` when nothing changed. Pure, and in whatever order records come, replicas end with the same.
 *
 * A higher generation counts. Within one life a deregistration counts, then the record that was changed more
 * often. A life that another control plane let go because its lease ran out goes here too, unless its lease
 * runs somewhere. One that is not here is taken over, unless this control plane has had it and let it go, and
 * its lease runs nowhere: nothing comes back merely because somebody has not heard that it went.
 */
export function merge(
  ours: Registration | undefined,
  told: Registration,
  context: MergeContext,
): Registration | undefined {
  const theirs = { ...told, knownTo: union(told.knownTo, [context.from]) };
  if (ours !== undefined && ours.generation > theirs.generation) return ours;
  if (ours === undefined || ours.generation < theirs.generation) return takeOver(ours, theirs, context);
  if (hasDeregistered(ours)) return ours;
  if (hasDeregistered(theirs)) {
    const isRid = ours.state === 'draining' && context.isFree;
    return { ...ours, state: isRid ? 'gone' : 'leaving', expired: false };
  }
  const knownTo = union(ours.knownTo, theirs.knownTo);
  if (theirs.state === 'leaving') {
    if (ours.state === 'leaving' || context.runsElsewhere) return known(ours, knownTo);
    return { ...ours, knownTo, state: 'leaving', expired: true };
  }
  if (ours.state === 'leaving') return context.theirLease === 'running' ? { ...theirs, knownTo } : ours;
  return isNewer(theirs, ours) ? { ...theirs, knownTo } : known(ours, knownTo);
}

/** What stands after another control plane told that it has nothing of that name (any more). */
export function mergeAbsence(
  ours: Registration,
  { from, runsElsewhere }: Pick<MergeContext, 'from' | 'runsElsewhere'>,
): Registration {
  const isLive = ours.state === 'ready' || ours.state === 'draining';
  // It had it and let it go; what it never had is its to take over.
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
  // A proxy may still have the older life that stands here.
  const state = ours === undefined || ours.state === 'gone' ? 'gone' : 'leaving';
  if (hasDeregistered(theirs)) return { ...theirs, state, expired: false };
  return ours === undefined || ours.state === 'gone' ? ours : { ...theirs, state: 'leaving' };
}

/** Of two records of one life; of two that were changed equally often, one that all agree on. */
function isNewer(theirs: Registration, ours: Registration): boolean {
  if (theirs.edit !== ours.edit) return theirs.edit > ours.edit;
  return said(theirs) > said(ours);
}

function said({ state, ttlMs, spec }: Registration): string {
  return JSON.stringify([state, ttlMs, spec]);
}

function known(ours: Registration, knownTo: readonly string[]): Registration {
  return knownTo.length === ours.knownTo.length ? ours : { ...ours, knownTo };
}

function union(one: readonly string[], other: readonly string[]): readonly string[] {
  return [...new Set([...one, ...other])].sort();
}
