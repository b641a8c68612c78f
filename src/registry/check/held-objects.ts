import { checkAgreement } from '../../agreement/agreement.ts';
import type { Lint } from '../../agreement/lint.ts';
import type { Finding } from '../../model/finding.ts';
import { type MeshObject, type Ref, refKey, refOf } from '../../model/object.ts';
import { renderPath } from '../../model/values/field-path.ts';
import type { FileState } from '../files/file-reader.ts';
import type { ObjectsInForce } from '../files/objects-in-force.ts';
import { createLossGuard, losesAllInstances, lossRule } from '../lastgood/loss-guard.ts';
import { findSoleObjects } from '../lastgood/sole-objects.ts';
import { createPrecedence } from '../merge/precedence.ts';

/** The objects in force at a control plane by source, in order of precedence: its folder first. */
export interface HeldObjects {
  readonly sources: readonly { readonly name: string; readonly objects: readonly MeshObject[] }[];
}

/** What objects change beside those held. */
export interface Replaced {
  /** The number of objects held. */
  readonly held: number;
  readonly added: number;
  readonly changed: number;
  readonly unchanged: number;
}

/**
 * Brings the objects of files into force, beside what the folder of a control plane holds: an object in force
 * keeps its names, and one without a good new version stays. Returns what that changes, with `held` only.
 */
export function applyAgainst(
  inForce: ObjectsInForce,
  files: ReadonlyMap<string, Pick<FileState, 'entries'>>,
  held: HeldObjects | undefined,
): Replaced | undefined {
  const own = new Map((held?.sources[0]?.objects ?? []).map((object) => [refKey(refOf(object)), object]));
  // Its claims are withdrawn once it is in force, and it is never deleted: a new version has no rival.
  const entries = [...own].map(([key, object]) => ({
    ...{ key, object, ref: refOf(object), origin: object.meta.origin },
  }));
  inForce.setFile('', entries);
  inForce.applyClaims([]);
  inForce.setFile('', []);
  for (const [file, state] of files) inForce.setFile(file, state.entries);
  const { upserts } = inForce.applyClaims([]);
  if (held === undefined) return undefined;
  const read = new Set([...files.values()].flatMap(({ entries }) => entries.map(({ object }) => object)));
  const good = [...inForce.objects()].filter((object) => read.has(object)).length;
  const added = upserts.filter((object) => !own.has(refKey(refOf(object)))).length;
  return {
    held: held.sources.reduce((sum, { objects }) => sum + objects.length, 0),
    ...{ added, changed: upserts.length - added, unchanged: good - upserts.length },
  };
}

/** How all objects would be looked at together. */
interface Look {
  /** All objects that would be in force, of all sources. */
  readonly objects: readonly MeshObject[];
  /** Findings on objects that would have no effect any more: another source has one of their names. */
  readonly overruled: readonly Finding[];
  /** Whether the control plane does not find it yet. */
  isNew(lint: Lint): boolean;
}

/** Compares the objects that the folder would have in force with what is held now. */
export function lookAgainst({ sources }: HeldObjects, inFolder: readonly MeshObject[], wallMs: number): Look {
  const others = sources.slice(1);
  const now = lookAtAll(sources, wallMs);
  const then = objectsInForceOf([{ name: sources[0]?.name ?? '', objects: inFolder }, ...others]);
  const overruledNow = new Set(now.overruled.map(keyOfFinding));
  return {
    objects: then.objects,
    overruled: then.overruled.filter((finding) => !overruledNow.has(keyOfFinding(finding))),
    isNew: (lint) => !now.lints.has(keyOfLint(lint)),
  };
}

function lookAtAll(sources: HeldObjects['sources'], wallMs: number) {
  const { objects, overruled } = objectsInForceOf(sources);
  return { overruled, lints: new Set(checkAgreement({ objects, wallMs }).map(keyOfLint)) };
}

/** Of several objects of one name that of the first source; and findings on the others. */
export function objectsInForceOf(sources: HeldObjects['sources']): {
  readonly objects: readonly MeshObject[];
  readonly overruled: readonly Finding[];
} {
  const precedence = createPrecedence(sources.map(({ name }) => name));
  for (const [rank, { objects }] of sources.entries())
    precedence.admit(
      rank,
      objects.map((object) => ({ type: 'upsert', object, at: 0 })),
    );
  const isInForce = (rank: number) => (object: MeshObject) =>
    sources.length < 2 || precedence.rankOf(refKey(refOf(object))) === rank;
  return {
    objects: sources.flatMap(({ objects }, rank) => objects.filter(isInForce(rank))),
    overruled: precedence.overruled().map(({ finding }): Finding => finding),
  };
}

function keyOfLint({ code, object, path, message }: Lint): string {
  return [code, refKey(refOf(object)), renderPath(path), message].join('\n');
}

function keyOfFinding({ code, where, message }: Finding): string {
  return [code, where, message].join('\n');
}

/**
 * Which objects of a folder would stay for the deletion grace if it held `found` instead, as nothing stands
 * in for them, each with what is lost with it (docs/files-source.md). None where the deletion is held as a
 * whole.
 */
export function delayedDeletions(
  inForce: readonly MeshObject[],
  found: readonly MeshObject[],
): readonly { readonly ref: Ref; readonly lost: string }[] {
  if (heldDeletions(inForce, found) > 0) return [];
  const keys = new Set(found.map((object) => refKey(refOf(object))));
  const gone = new Map(
    inForce.flatMap((object) => {
      const key = refKey(refOf(object));
      return keys.has(key) ? [] : [[key, object] as const];
    }),
  );
  const sole = findSoleObjects(gone, [...gone.values(), ...found]);
  return [...gone].flatMap(([key, object]) => {
    const lost = sole.get(key);
    return lost === undefined ? [] : [{ ref: refOf(object), lost }];
  });
}

/**
 * How many of the objects of a folder would go if it held these instead, and their deletion would be held as
 * a probable loss (docs/files-source.md); 0: it would not be held.
 */
export function heldDeletions(inForce: readonly MeshObject[], found: readonly MeshObject[]): number {
  const keys = new Set(found.map((object) => refKey(refOf(object))));
  const missing = new Set(inForce.map((object) => refKey(refOf(object))).filter((key) => !keys.has(key)));
  const guard = createLossGuard(lossRule);
  const state = {
    ...{ missing, found: keys.size, isFound: (key: string) => keys.has(key) },
    inForce: new Set([...keys, ...inForce.map((object) => refKey(refOf(object)))]).size,
    allInstances: losesAllInstances(missing, [...inForce, ...found]),
    ...{ replaced: false, readable: true, isReplaced: () => false, sole: () => new Map() },
  };
  guard.decide({ ...state, now: 0 });
  return guard.decide({ ...state, now: lossRule.settleMsMax }).held ? missing.size : 0;
}
