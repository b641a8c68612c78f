import { compareText } from '../base/text/compare-text.ts';
import { type MeshObject, refKey, refOf } from '../model/object.ts';
import type { DestinationRule } from '../model/service.ts';
import { meaningsOf } from '../model/values/hostname.ts';
import { namedIdcs, unknownIdcs } from './admission.ts';
import type { Lint } from './lint.ts';
import type { Mesh } from './mesh.ts';

/** Objects of which the first by name counts: DrGroups that name one host, rules of a namespace for one. */
export function lintConflicts({ groups, rules }: Pick<Mesh, 'groups' | 'rules'>): Lint[] {
  return [
    ...contested(groups, ({ spec }) => spec.hosts).map(([host, object, winner]): Lint => {
      const message = `DrGroup ${winner.meta.name} (${winner.meta.origin}) claims ${host} too and comes first by name: let only one of them claim it`;
      return {
        code: 'DrGroupConflict',
        object,
        path: ['spec', 'hosts', object.spec.hosts.indexOf(host)],
        message,
      };
    }),
    ...shadowed(rules),
  ];
}

/** Objects that name an IDC which no Idc defines. A source that knows all Idcs does not let them in force. */
export function lintIdcs({
  groups,
  evacuations,
  idcs,
}: Pick<Mesh, 'groups' | 'evacuations' | 'idcs'>): Lint[] {
  const known = new Set(idcs.map(({ meta }) => meta.name));
  return [...groups, ...evacuations].flatMap((object) =>
    unknownIdcs(namedIdcs(object), known).map(
      ({ path, message }): Lint => ({ code: 'UnknownIdc', object, path, message, lacks: ['Idc'] }),
    ),
  );
}

function shadowed(rules: readonly DestinationRule[]): Lint[] {
  const inNamespace = ({ meta, spec }: DestinationRule) =>
    meaningsOf(spec.host, meta.namespace).map((pattern) => `${meta.namespace} ${pattern}`);
  // Two short names meet as such and in full.
  const found = new Map<string, Lint>();
  for (const [, object, winner] of contested(rules, inNamespace)) {
    const message = `DestinationRule ${winner.meta.name} (${winner.meta.origin}) is for ${object.spec.host} too and comes first by name: merge the two`;
    found.set(refKey(refOf(object)), { code: 'RuleConflict', object, path: ['spec', 'host'], message });
  }
  return [...found.values()];
}

/** Names that several objects have: each with one that has it in vain, and the one that counts. */
function contested<O extends MeshObject>(
  objects: readonly O[],
  namesOf: (object: O) => readonly string[],
): [name: string, loser: O, winner: O][] {
  const byName = new Map<string, Set<O>>();
  for (const object of objects)
    for (const name of namesOf(object)) byName.set(name, (byName.get(name) ?? new Set()).add(object));
  return [...byName].flatMap(([name, owners]) => {
    if (owners.size < 2) return [];
    const [winner, ...losers] = [...owners].sort((a, b) => compareText(a.meta.name, b.meta.name));
    return winner === undefined ? [] : losers.map((loser): [string, O, O] => [name, loser, winner]);
  });
}
