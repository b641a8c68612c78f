import type { MeshError } from '../../base/error.ts';
import type { Finding, Severity } from '../../model/finding.ts';
import type { FindingCode } from '../../model/finding-codes.ts';
import { type MeshObject, refKey } from '../../model/object.ts';
import type { PathPart } from '../../model/values/field-path.ts';
import type { ObjectsInForce } from '../files/objects-in-force.ts';
import { confirmWords } from '../lastgood/confirm-words.ts';
import { findingOf } from '../parse/fault.ts';
import { kindNames } from '../parse/object.ts';
import type { ReadGaps } from '../source.ts';
import type { JointRelease } from './joint/joint-release.ts';
import type { KindFollower, KindTrouble } from './kind-follower.ts';

/** What a report is made of. */
interface KubeReportInput {
  /** Where the objects are from, for messages. */
  readonly origin: string;
  readonly followers: readonly KindFollower[];
  /** All that is followed, with why it is not at present. */
  readonly followed: readonly FollowedThing[];
  readonly inForce: ObjectsInForce;
  /** Objects whose deletion is held. */
  readonly held: number;
  /** Why conditions are not written. */
  readonly unwritten: readonly MeshError[];
  /** What keeps deleted objects, among control planes. */
  readonly unreleased: JointRelease['findings'];
}

/** What is followed, and why it is not at present. */
interface FollowedThing {
  /** For messages. */
  readonly kind: string;
  readonly trouble: KindTrouble | undefined;
}

/** All current findings: of the API, of kinds, then of objects by kind and name. */
export function reportKubeFindings(input: KubeReportInput): readonly Finding[] {
  const { origin, followers, followed, inForce, held, unwritten, unreleased: kept } = input;
  const findings: Finding[] = [];
  const add = (code: FindingCode, severity: Severity, message: string) =>
    findings.push({ code, severity, where: origin, path: '', message });
  for (const message of troubleMessages(followed)) add('SourceNotCurrent', 'error', message);
  for (const { unreleased } of followers)
    if (unreleased !== undefined)
      add(
        'NotReleased',
        'error',
        `deleted instances are not released, or new ones not said to be propagated: ${unreleased.message}`,
      );
  for (const { severity, message } of kept) add('NotReleased', severity, message);
  for (const { message } of unwritten)
    add('StatusNotWritten', 'warning', `conditions of objects are not written: ${message}`);
  for (const { isAbsent, store } of followers) {
    if (isAbsent) add('KindMissing', store.orphans > 0 ? 'error' : 'warning', missingMessage(store));
    else if (store.orphans > 0) add('DeletionsHeld', 'error', orphanMessage(store));
  }
  if (held > 0) add('DeletionsHeld', 'error', heldMessage(held, inForce.size));
  const faulty = followers.flatMap(({ store }) => [...store.faulty]);
  for (const { entry, faults } of faulty)
    for (const fault of faults) findings.push(findingOf(fault, entry.origin, entry.ref));
  const incomplete = incompleteKinds(followers);
  for (const { entry, fault } of inForce.faults())
    if (fault.lacks === undefined || !incomplete.has(fault.lacks))
      findings.push(findingOf(fault, entry.origin, entry.ref));
  return findings;
}

/** Keys of objects that are not in force, for a reason that is reported of others. */
export function undecidedKeys(
  followers: readonly KindFollower[],
  inForce: ObjectsInForce,
): ReadonlySet<string> {
  const incomplete = incompleteKinds(followers);
  const undecided = inForce
    .faults()
    .filter(({ fault: { lacks } }) => lacks !== undefined && incomplete.has(lacks));
  return new Set(undecided.map(({ entry }) => refKey(entry.ref)));
}

/** What the faults leave open. */
export function readGapsOf(followers: readonly KindFollower[], inForce: ObjectsInForce): ReadGaps {
  const drafts = new Map<MeshObject, readonly (readonly PathPart[])[]>();
  for (const { store } of followers)
    for (const { entry } of store.faulty)
      if (entry.draft !== undefined) drafts.set(entry.draft.object, entry.draft.faulty);
  for (const { entry } of inForce.faults()) if (entry.object !== undefined) drafts.set(entry.object, []);
  return { incompleteKinds: incompleteKinds(followers), drafts };
}

/** Kinds of which an object may be missing for a reason that is reported itself. */
function incompleteKinds(followers: readonly KindFollower[]): ReadGaps['incompleteKinds'] {
  const isIncomplete = ({ isSettled, isAbsent, store }: KindFollower) =>
    !isSettled || isAbsent || [...store.faulty].some(({ entry }) => entry.object === undefined);
  const kinds = new Set(followers.filter(isIncomplete).map(({ store }) => store.kind.kind));
  return new Set(kindNames.filter((kind) => kinds.has(kind)));
}

/** Why kinds are not followed, each reason once: what keeps all of them is told once. */
export function troubleMessages(followed: readonly FollowedThing[]): readonly string[] {
  const byReason = new Map<string, { trouble: KindTrouble; kinds: string[] }>();
  for (const { trouble, kind } of followed) {
    if (trouble === undefined) continue;
    const known = byReason.get(trouble.error.message);
    if (known === undefined) byReason.set(trouble.error.message, { trouble, kinds: [kind] });
    else known.kinds.push(kind);
  }
  return [...byReason].map(([reason, { trouble, kinds }]) => {
    const what = kinds.length === followed.length ? 'objects' : kinds.join(', ');
    const since = new Date(trouble.sinceMs).toISOString();
    return `${reason}. Since ${since} ${what} are those that were last heard of, and stay in force. It is tried again all the time.`;
  });
}

function missingMessage({ kind, orphans }: KindFollower['store']): string {
  const what = `the API server has no ${kind.plural}.${kind.group} (${kind.versions.join(', ')}): apply ${kind.definedBy}`;
  if (orphans === 0) return `${what}, or do without ${kind.kind}s. It is looked for again all the time.`;
  return `${what}. The ${orphans} that there were stay in force: bring the definition and the objects back, or, if they are meant to be deleted, ${confirmWords}.`;
}

function orphanMessage({ kind, orphans }: KindFollower['store']): string {
  return `${orphans} ${kind.kind}s went with their CustomResourceDefinition, and are not back yet: they stay in force. Apply them again; or, if they are meant to be deleted, ${confirmWords}.`;
}

function heldMessage(held: number, inForce: number): string {
  return (
    `${held} of ${inForce} objects were deleted at once: their deletion is held, their last good versions stay in force. ` +
    `Apply them again; or, if they are meant to be deleted, ${confirmWords}.`
  );
}
