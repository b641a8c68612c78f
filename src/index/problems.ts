import { lackOf } from '../model/agreement.ts';
import { declarationFaults } from '../model/declarations.ts';
import type { ObjectFinding } from '../model/finding.ts';
import type { FindingCode } from '../model/finding-codes.ts';
import type { DrGroup } from '../model/idc.ts';
import { type Kind, type MeshObject, refKey, refOf } from '../model/object.ts';
import type { ServiceEntry } from '../model/service.ts';
import { compareText } from './order.ts';

/**
 * What the ServiceEntries that declare `host`, in the order in which they count, contradict each other in.
 */
export function hostConflicts(host: string, ranked: readonly ServiceEntry[]): ObjectFinding[] {
  return declarationFaults(host, ranked).map(({ entry, path, message }) =>
    problem('HostConflict', entry, render(path), message),
  );
}

function render(path: readonly (string | number)[]): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
    .join('')
    .slice(1);
}

/**
 * The DrGroups that claim `host` of one of its ServiceEntries, but for the first of each list, which wins.
 */
export function drGroupConflicts(host: string, claims: readonly (readonly DrGroup[])[]): ObjectFinding[] {
  const found = new Map<string, ObjectFinding>();
  for (const [group, winner] of claims.flatMap(losers)) {
    const at = group.spec.hosts.indexOf(host);
    const path = at < 0 ? 'spec.selector' : `spec.hosts[${at}]`;
    const message = `DrGroup ${winner.meta.name} (${winner.meta.origin}) claims ${host} too and comes first by name: let only one of them claim it`;
    found.set(`${group.meta.name} ${winner.meta.name}`, problem('DrGroupConflict', group, path, message));
  }
  return [...found.values()];
}

/** The DrGroups that name `host`, which no ServiceEntry declares. */
export function unknownHost(host: string, naming: readonly DrGroup[]): ObjectFinding[] {
  return naming.map((group) =>
    problem(
      'UnknownHost',
      group,
      `spec.hosts[${group.spec.hosts.indexOf(host)}]`,
      `no ServiceEntry declares ${host}: correct the name, or add the ServiceEntry`,
    ),
  );
}

/** The IDCs that a DrGroup names and nobody defines. */
export function unknownIdcs(group: DrGroup, idcs: ReadonlySet<string>): ObjectFinding[] {
  return group.spec.idcs.flatMap(({ name: idc }, i) =>
    idcs.has(idc)
      ? []
      : problem(
          'UnknownIdc',
          group,
          `spec.idcs[${i}]`,
          `no Idc is named ${idc}: correct the name, or add the Idc`,
        ),
  );
}

/**
 * Whether a problem is that something is not there of which `doubtful` says that it may be missing for a
 * fault of its own.
 */
export function isFollowUp({ code }: ObjectFinding, doubtful: ReadonlySet<Kind>): boolean {
  const kind = lacks[code];
  return kind !== undefined && doubtful.has(kind);
}

const lacks: Readonly<Partial<Record<FindingCode, Kind>>> = {
  ...lackOf,
  UnknownHost: 'ServiceEntry',
  UnknownIdc: 'Idc',
};

/** Sorts problems by object, field and message. */
export function sortProblems(list: ObjectFinding[]): readonly ObjectFinding[] {
  const key = (p: ObjectFinding) => `${refKey(p.ref)} ${p.path} ${p.message}`;
  return list.sort((a, b) => compareText(key(a), key(b)));
}

function losers<T>([winner, ...others]: readonly T[]): [T, T][] {
  return winner === undefined ? [] : others.map((loser) => [loser, winner]);
}

function problem(code: FindingCode, object: MeshObject, path: string, message: string): ObjectFinding {
  return { severity: 'warning', code, ref: refOf(object), where: object.meta.origin, path, message };
}
