import { didYouMean } from '../base/text/suggest.ts';
import { type TlsMode, tlsModes } from '../model/idc.ts';
import type { MeshObject } from '../model/object.ts';
import type { PathPart } from '../model/values/field-path.ts';

/**
 * What only one object in force may have: the hosts that a DrGroup names. ServiceEntries of one host add up.
 */
export function namesOf(object: MeshObject): readonly string[] {
  return object.kind === 'DrGroup' ? object.spec.hosts : [];
}

/** The names that a rejected object wants, each with the key of the object that has it. */
export type TakenNames = ReadonlyMap<string, string>;

/**
 * Decides which candidates, the new versions of objects by key and in order, may have the names that they
 * want. `owners` says who has a name in force, `isStanding` whether an
 * object has a version in force at all. A name stays with its owner as long as the owner wants it, else
 * the first candidate gets it; a candidate gets all of its names or is rejected. Names may be swapped within
 * one call, as candidates give up what their new version does not want.
 *
 * @returns the rejected candidates, with what they lack
 */
export function resolveNames(
  candidates: ReadonlyMap<string, MeshObject>,
  owners: ReadonlyMap<string, string>,
  isStanding: (key: string) => boolean,
): Map<string, TakenNames> {
  const rejected = new Map<string, TakenNames>();
  const active = new Map<string, readonly string[]>();
  for (const [key, object] of candidates) active.set(key, namesOf(object));
  for (let again = true; again; ) {
    again = false;
    const given = new Map<string, string>();
    for (const [key, names] of active) {
      for (const name of names) if (owners.get(name) === key) given.set(name, key);
    }
    for (const [key, names] of active) {
      const taken = new Map<string, string>();
      for (const name of names) {
        const owner = owners.get(name);
        // An owner that is no candidate keeps what it has; one that is has said so above.
        const other = given.get(name) ?? (owner !== undefined && !active.has(owner) ? owner : key);
        if (other !== key) taken.set(name, other);
      }
      if (taken.size === 0) {
        for (const name of names) given.set(name, key);
        continue;
      }
      rejected.set(key, taken);
      active.delete(key);
      // Its last good version stays, with names that others may just have been given: decide anew.
      again ||= isStanding(key);
    }
  }
  return rejected;
}

/** Why an object may not come into force beside the others. */
interface Objection {
  readonly path: readonly PathPart[];
  readonly message: string;
}

/** What `object` lacks of its names; `describe` words the object that has them. */
export function nameObjections(
  object: MeshObject,
  taken: TakenNames,
  describe: (key: string) => string,
): Objection[] {
  return [...taken].map(([host, owner]) => ({
    path: ['spec', 'hosts', namesOf(object).indexOf(host)],
    message: `${host} belongs to ${describe(owner)}: take it out of one of the two.`,
  }));
}

/** Of the IDCs that an object names, those that none of `idcs` is. */
export function unknownIdcs(named: readonly NamedIdc[], idcs: ReadonlySet<string>): Objection[] {
  return named.flatMap(({ name, path }) => {
    if (idcs.has(name)) return [];
    const message = `no Idc is named '${name}': correct the name, or add the Idc.${didYouMean(name, idcs)}`;
    return [{ path, message }];
  });
}

/** An IDC's name in an object, and where it stands. */
export interface NamedIdc {
  readonly name: string;
  readonly path: readonly PathPart[];
}

/** The IDCs that an object names. */
export function namedIdcs(object: MeshObject): readonly NamedIdc[] {
  if (object.kind === 'Evacuation') return [{ name: object.spec.idc, path: ['spec', 'idc'] }];
  if (object.kind !== 'DrGroup') return [];
  return object.spec.idcs.map(({ name }, index) => ({ name, path: ['spec', 'idcs', index, 'name'] }));
}

/**
 * Steps of TLS that a new version of an object skips: those who send and those who receive change one after
 * the other, and requests fail until both have.
 */
export function skippedSteps(old: MeshObject, next: MeshObject): readonly Objection[] {
  if (old.kind !== 'Idc' || next.kind !== 'Idc') return [];
  const { peerTls, egressTls } = next.spec;
  return [
    ...skipped(old.spec.peerTls?.mode, peerTls?.mode, ['spec', 'peerTls', ...(peerTls ? ['mode'] : [])]),
    ...skipped(old.spec.egressTls, egressTls, ['spec', 'egressTls']),
  ];
}

function skipped(
  from: TlsMode = 'off',
  to: TlsMode = 'off',
  path: readonly PathPart[] = [],
): readonly Objection[] {
  const [before, after] = [tlsModes.indexOf(from), tlsModes.indexOf(to)];
  if (Math.abs(after - before) <= 1) return [];
  const first = tlsModes[before + Math.sign(after - before)];
  const message = `goes from ${from} to ${to} at once, and requests would fail until all gateways have both: give ${first} first, and go on when all have that.`;
  return [{ path, message }];
}
