import { lackOf } from '../model/agreement.ts';
import type { DrGroup } from '../model/idc.ts';
import { type Kind, type MeshObject, refKey, refOf } from '../model/object.ts';
import type { ServiceEntry } from '../model/service.ts';
import { compareText } from './order.ts';
import type { IndexProblem, IndexProblemCode } from './view.ts';

/**
 * The ServiceEntries that declare `host` and are not meant to do so side by side: two of one namespace, of which the first
 * counts, and two that all namespaces may see.
 */
export function hostConflicts(host: string, ranked: readonly ServiceEntry[]): IndexProblem[] {
  return ranked.flatMap((entry, i): IndexProblem[] => {
    const before = ranked.slice(0, i);
    const sibling = before.find(({ meta }) => meta.namespace === entry.meta.namespace);
    const path = `spec.hosts[${entry.spec.hosts.indexOf(host)}]`;
    if (sibling !== undefined) {
      const message = `ServiceEntry ${nameOf(sibling)} declares ${host} too and comes first by name: take the host out of one of them`;
      return [problem('host-conflict', entry, path, message)];
    }
    const [first] = before;
    if (first === undefined || entry.spec.exportTo !== undefined) return [];
    const { namespace } = entry.meta;
    const message = `ServiceEntry ${nameOf(first)} declares ${host} too and comes first by namespace: gateways and callers outside of ${namespace} use that one, and from here nothing leaves the IDC. Take the host out of one of them, or set exportTo: ['.']`;
    return [problem('host-conflict', entry, path, message)];
  });
}

function nameOf({ meta }: ServiceEntry): string {
  return `${meta.namespace}/${meta.name} (${meta.origin})`;
}

/** The DrGroups that claim `host`, but for the first, which wins. */
export function drGroupConflicts(host: string, ranked: readonly DrGroup[]): IndexProblem[] {
  return losers(ranked).map(([group, winner]) => {
    const at = group.spec.hosts.indexOf(host);
    return problem(
      'dr-group-conflict',
      group,
      at < 0 ? 'spec.selector' : `spec.hosts[${at}]`,
      `DrGroup ${winner.meta.name} (${winner.meta.origin}) claims ${host} too and comes first by name: let only one of them claim it`,
    );
  });
}

/** The DrGroups that name `host`, which no ServiceEntry declares. */
export function unknownHost(host: string, naming: readonly DrGroup[]): IndexProblem[] {
  return naming.map((group) =>
    problem(
      'unknown-host',
      group,
      `spec.hosts[${group.spec.hosts.indexOf(host)}]`,
      `no ServiceEntry declares ${host}: correct the name, or add the ServiceEntry`,
    ),
  );
}

/** The IDCs that a DrGroup names and nobody defines. */
export function unknownIdcs(group: DrGroup, idcs: ReadonlySet<string>): IndexProblem[] {
  return group.spec.idcs.flatMap(({ name: idc }, i) =>
    idcs.has(idc)
      ? []
      : problem(
          'unknown-idc',
          group,
          `spec.idcs[${i}]`,
          `no Idc is named ${idc}: correct the name, or add the Idc`,
        ),
  );
}

/** Whether a problem is that something is not there of which `doubtful` says that it may be missing for a fault of its own. */
export function isFollowUp({ code }: IndexProblem, doubtful: ReadonlySet<Kind>): boolean {
  const kind = lacks[code];
  return kind !== undefined && doubtful.has(kind);
}

const lacks: Readonly<Partial<Record<IndexProblemCode, Kind>>> = {
  ...lackOf,
  'unknown-host': 'ServiceEntry',
  'unknown-idc': 'Idc',
};

/** Sorts problems by object, field and message. */
export function sortProblems(list: IndexProblem[]): readonly IndexProblem[] {
  const key = (p: IndexProblem) => `${refKey(p.ref)} ${p.path} ${p.message}`;
  return list.sort((a, b) => compareText(key(a), key(b)));
}

function losers<T>([winner, ...others]: readonly T[]): [T, T][] {
  return winner === undefined ? [] : others.map((loser) => [loser, winner]);
}

function problem(code: IndexProblemCode, object: MeshObject, path: string, message: string): IndexProblem {
  return { severity: 'warning', code, ref: refOf(object), where: object.meta.origin, path, message };
}
