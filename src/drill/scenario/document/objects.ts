import { checkAgreement } from '../../../agreement/agreement.ts';
import type { PathPart } from '../../../model/values/field-path.ts';
import { readObjects } from '../../../registry/files/read-objects.ts';
import type { Fault } from '../../../registry/parse/fault.ts';
import { type RegistryObject, registryObjects } from '../../world/registry-objects.ts';
import { planTopology, type WorldPlan } from '../../world/topology.ts';
import type { ScenarioSpec } from './document.ts';

type World = ScenarioSpec['world'];

/**
 * What is wrong or probably not meant in what a scenario adds to its registries (`objects`, `traffic`,
 * `drGroup`, `annotations`), by all that a registry's reader and `isthmus validate` know. The world must have
 * passed its own checks. `wallMs`: milliseconds since the Unix epoch.
 */
export function objectFaults(world: World, wallMs: number): Fault[] {
  const topology = planTopology({ id: '000000', slot: 0, world: world as WorldPlan });
  const [first] = topology.idcs;
  if (first === undefined) return [];
  // Instances of all IDCs: what only another has is there, too.
  const all = registryObjects(topology, {
    ...first,
    instances: topology.idcs.flatMap((idc) => idc.instances),
  });
  const found: Fault[] = vainFaults(world);
  const sources = new Map<string, RegistryObject>();
  const tell = (origin: string, fault: Fault) => {
    const source = sources.get(origin);
    const path = source && placeOf(source, fault.path, world);
    if (path !== undefined) found.push({ ...fault, path: ['spec', 'world', ...path] });
  };
  const written = all.map((source) => {
    const { name, position, object: raw } = source;
    const origin = position === undefined ? name : `world.objects[${position}]`;
    sources.set(origin, source);
    return { origin, raw };
  });
  const isInstance = ({ origin }: { readonly origin: string }) => origin.startsWith('workloadentry-');
  // Each IDC has instances of the same names: none stands beside another.
  const read = [written.filter((one) => !isInstance(one)), ...written.filter(isInstance).map((one) => [one])];
  const parts = read.map(readObjects);
  for (const { origin, fault } of parts.flatMap(({ faults }) => faults)) tell(origin, fault);
  const looked = { objects: parts.flatMap(({ objects }) => objects), wallMs };
  for (const { code, object, path, message, severity } of checkAgreement(looked)) {
    // Limits that nobody can lift are no fault of a scenario.
    if (severity !== 'note') tell(object.meta.origin, { code, severity: 'warning', path, message });
  }
  return found;
}

/**
 * Where the scenario says what stands at a path of an object, below `world`; undefined: the drill says it.
 */
function placeOf(
  { name, group: at, position }: RegistryObject,
  path: readonly PathPart[],
  world: World,
): readonly PathPart[] | undefined {
  if (position !== undefined) return ['objects', position, ...path];
  const [, field = '', key = ''] = path;
  const group = at === undefined ? undefined : world.groups[at];
  if (name.startsWith('serviceentry-'))
    return field === 'annotations' && Object.hasOwn(group?.annotations ?? {}, key)
      ? ['groups', at ?? 0, 'annotations', ...path.slice(2)]
      : undefined;
  if (!name.startsWith('drgroup-')) return undefined;
  if (field === 'traffic')
    return Object.hasOwn(world.traffic ?? {}, key) ? ['traffic', ...path.slice(2)] : undefined;
  if (Object.hasOwn(group?.drGroup ?? {}, field)) return ['groups', at ?? 0, 'drGroup', ...path.slice(1)];
  return Object.hasOwn(world.drGroup ?? {}, field) ? ['drGroup', ...path.slice(1)] : undefined;
}

/** Fields of a DrGroup's spec that the drill writes itself. */
function vainFaults({ drGroup, groups, traffic, crossing = true }: World): Fault[] {
  const fault = (message: string, ...path: PathPart[]): Fault[] => [
    { severity: 'error', path: ['spec', 'world', ...path], message },
  ];
  const ofTraffic = (spec: Readonly<Record<string, unknown>> | undefined, ...path: PathPart[]) =>
    spec && Object.hasOwn(spec, 'traffic')
      ? fault(
          'is not read here: give `world.traffic`, for all Groups, or `annotations` of the Group.',
          ...path,
          'traffic',
        )
      : [];
  if (!crossing) {
    const message = 'has no effect: with `crossing: false` there is no DrGroup.';
    const given = Object.entries({ traffic, drGroup }).filter(([, value]) => value !== undefined);
    return given.flatMap(([field]) =>
      fault(message, field).map((one) => ({ ...one, severity: 'warning' as const })),
    );
  }
  return [
    ...ofTraffic(drGroup, 'drGroup'),
    ...groups.flatMap((group, i) => ofTraffic(group.drGroup, 'groups', i, 'drGroup')),
  ];
}
