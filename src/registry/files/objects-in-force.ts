import { isDeepStrictEqual } from 'node:util';
import {
  type NamedIdc,
  namedIdcs,
  nameObjections,
  namesOf,
  resolveNames,
  skippedSteps,
  type TakenNames,
  unknownIdcs,
} from '../../agreement/admission.ts';
import type { MeshObject, Ref } from '../../model/object.ts';
import type { Fault } from '../parse/fault.ts';
import { type Claim, createClaims } from './claims.ts';
import type { ObjectEntry } from './documents.ts';

/** An error that shows only beside other objects. */
export interface CrossFault {
  readonly file: string;
  readonly entry: ObjectEntry;
  readonly fault: Fault;
}

/** The changes of a settlement. */
interface AppliedClaims {
  readonly deletes: readonly Ref[];
  readonly upserts: readonly MeshObject[];
}

/** All objects of a source by name: which are in force, and why others are not. */
export interface ObjectsInForce {
  /** Replaces a file's entries; takes effect with `applyClaims`. */
  setFile(file: string, entries: readonly ObjectEntry[]): void;
  /** Keys of objects in force that no file has any more. */
  readonly missing: ReadonlySet<string>;
  /** The same with the objects. */
  missingObjects(): ReadonlyMap<string, MeshObject>;
  /** The number of objects in force. */
  readonly size: number;
  /** The number of objects in files, including invalid ones. */
  readonly foundCount: number;
  /** Whether a file holds the object of a key. */
  isFound(key: string): boolean;
  /** Whether an object in a file waits for a host of this one, which is missing. */
  isReplaced(key: string): boolean;
  /** Deletes `deleted`, a part of `missing`, and brings accepted versions into force. */
  applyClaims(deleted: Iterable<string>): AppliedClaims;
  /**
   * What keeps objects from being in force, by file and position. Conflicts with objects in `leaving` do not
   * count: they are about to be deleted.
   */
  faults(leaving?: ReadonlySet<string>): readonly CrossFault[];
  /** The objects in force. */
  objects(): Iterable<MeshObject>;
}

interface ObjectInForce {
  readonly object: MeshObject;
  readonly file: string;
}

/** Why the newest version of an object is not in force. */
type Rejection = { readonly faults: readonly Fault[] } | { readonly taken: TakenNames };

/**
 * Creates an empty catalog. If two objects want one name or host, the one in force keeps it, else the first
 * gets it, by file name, then by position in the file. A rejected object keeps its last good version, and is
 * tried again when anything else changes.
 */
export function createObjectsInForce(): ObjectsInForce {
  const claims = createClaims((key) => inForce.get(key)?.file);
  const inForce = new Map<string, ObjectInForce>();
  const owners = new Map<string, string>();
  const missing = new Set<string>();
  const rejected = new Map<string, Rejection>();
  const idcs = new Set<string>();

  function admit(claim: Claim, object: MeshObject, upserts: MeshObject[]): void {
    const { key } = claim.entry;
    const old = inForce.get(key)?.object;
    if (old !== undefined) release(key, old);
    for (const name of namesOf(object)) owners.set(name, key);
    if (object.kind === 'Idc') idcs.add(object.meta.name);
    inForce.set(key, { object, file: claim.file });
    if (old === undefined || !sameObject(old, object)) upserts.push(object);
  }

  function release(key: string, object: MeshObject): void {
    for (const name of namesOf(object)) if (owners.get(name) === key) owners.delete(name);
  }

  function remove(key: string): Ref[] {
    const old = missing.delete(key) ? inForce.get(key)?.object : undefined;
    if (old === undefined) return [];
    release(key, old);
    inForce.delete(key);
    if (old.kind === 'Idc') idcs.delete(old.meta.name);
    return [{ kind: old.kind, namespace: old.meta.namespace, name: old.meta.name }];
  }

  /** The claims that may change what is in force; those that name IDCs wait until all Idcs are known. */
  function admitAll(batch: readonly Claim[], upserts: MeshObject[]): void {
    const candidates = new Map<string, MeshObject>();
    for (const { entry } of batch) {
      rejected.delete(entry.key);
      if (entry.object === undefined) continue;
      const old = inForce.get(entry.key)?.object;
      const faults = [
        ...idcFaults(namedIdcs(entry.object), idcs),
        ...(old === undefined ? [] : stepFaults(old, entry.object)),
      ];
      if (faults.length > 0) rejected.set(entry.key, { faults });
      else candidates.set(entry.key, entry.object);
    }
    for (const [key, taken] of resolveNames(candidates, owners, (key) => inForce.has(key))) {
      candidates.delete(key);
      rejected.set(key, { taken });
    }
    for (const claim of batch) {
      const object = candidates.get(claim.entry.key);
      if (object !== undefined) admit(claim, object, upserts);
    }
  }

  return {
    missing,
    missingObjects: () =>
      new Map([...missing].map((key) => [key, (inForce.get(key) as ObjectInForce).object])),
    get size() {
      return inForce.size;
    },
    get foundCount() {
      return claims.count;
    },
    isFound: (key) => claims.has(key),
    isReplaced: (key) =>
      [...rejected.values()].some((one) => 'taken' in one && [...one.taken.values()].includes(key)),
    setFile(file, entries) {
      for (const key of claims.setFile(file, entries)) {
        if (claims.has(key)) missing.delete(key);
        else {
          rejected.delete(key);
          if (inForce.has(key)) missing.add(key);
        }
      }
    },
    applyClaims(deleted) {
      const deletes = [...deleted].flatMap(remove);
      const upserts: MeshObject[] = [];
      const touched = claims.takeTouched();
      if (deletes.length === 0 && touched.size === 0) return { deletes, upserts };
      for (const key of rejected.keys()) touched.add(key);
      const idcBatch = claims.winners([...touched].filter(isIdcKey));
      admitAll(idcBatch, upserts);
      // A new or deleted Idc affects unchanged objects that name it.
      const idcsTouched = idcBatch.length > 0 || deletes.some(({ kind }) => kind === 'Idc');
      if (idcsTouched) for (const key of claims.namingIdcs()) touched.add(key);
      const batch = claims.winners([...touched].filter((key) => !isIdcKey(key)));
      admitAll(batch, upserts);
      return { deletes, upserts };
    },
    faults(leaving) {
      const list: { claim: Claim; fault: Fault }[] = [];
      for (const [key, reason] of rejected) {
        const claim = claims.winner(key);
        const object = claim?.entry.object;
        if (claim === undefined || object === undefined) continue;
        const taken = 'taken' in reason ? [...reason.taken].filter(([, owner]) => !leaving?.has(owner)) : [];
        const faults = 'taken' in reason ? hostFaults(object, new Map(taken)) : reason.faults;
        for (const fault of faults) list.push({ claim, fault });
      }
      // All errors in one run: an object's own error must not hide that it names an unknown IDC.
      for (const key of claims.namingIdcs()) {
        const claim = claims.winner(key);
        if (claim?.entry.idcs === undefined) continue;
        for (const fault of idcFaults(claim.entry.idcs, idcs)) list.push({ claim, fault });
      }
      for (const [first, ...others] of claims.duplicates()) {
        if (first !== undefined) for (const claim of others) list.push({ claim, fault: duplicate(first) });
      }
      return list
        .sort((a, b) => claims.compare(a.claim, b.claim))
        .map(({ claim, fault }) => ({ file: claim.file, entry: claim.entry, fault }));
    },
    *objects() {
      for (const { object } of inForce.values()) yield object;
    },
  };

  function hostFaults(object: MeshObject, taken: TakenNames): Fault[] {
    return nameObjections(object, taken, describe).map((one) => ({
      ...{ code: 'DrGroupConflict', severity: 'error' },
      ...one,
    }));
  }

  function describe(key: string): string {
    const object = inForce.get(key)?.object ?? claims.winner(key)?.entry.object;
    return object === undefined ? key : `${objectLabel(object)} (${object.meta.origin})`;
  }
}

/** An object as messages name it. */
function objectLabel({ kind, meta }: MeshObject): string {
  return refLabel({ kind, namespace: meta.namespace, name: meta.name });
}

/** The same, for an object known by name only. */
export function refLabel({ kind, namespace, name }: Ref): string {
  return `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`;
}

function isIdcKey(key: string): boolean {
  return key.startsWith('Idc/');
}

function idcFaults(named: readonly NamedIdc[], idcs: ReadonlySet<string>): Fault[] {
  return unknownIdcs(named, idcs).map((one) => ({
    ...{ code: 'UnknownIdc', severity: 'error', lacks: 'Idc' },
    ...one,
  }));
}

function stepFaults(old: MeshObject, next: MeshObject): Fault[] {
  return skippedSteps(old, next).map((one) => ({ ...{ code: 'TlsStepSkipped', severity: 'error' }, ...one }));
}

function duplicate(first: Claim): Fault {
  const message = `${refLabel(first.entry.ref)} is in ${first.entry.origin} too, and that one applies: rename or remove one.`;
  return { code: 'DuplicateName', severity: 'error', path: ['metadata', 'name'], message };
}

/** Whether two versions of an object are equal except for their location. */
function sameObject(a: MeshObject, b: MeshObject): boolean {
  return (
    a.meta.createdMs === b.meta.createdMs &&
    isDeepStrictEqual(a.spec, b.spec) &&
    isDeepStrictEqual(a.meta.labels, b.meta.labels) &&
    isDeepStrictEqual(a.meta.annotations, b.meta.annotations)
  );
}
