import type { NodeScope } from '../../model/node.ts';
import { durationText } from '../../model/values/duration.ts';
import type { ClassPush, HostPush, NamesByType } from '../../plane/reading/push-preview.ts';
import type { FolderDiff } from './compare-folder.ts';

/** Most lines of each list, and most names in a line. */
const limits = { table: { lines: 20, names: 3 }, wide: { lines: 1_000, names: 1_000 } } as const;

type Width = keyof typeof limits;

/** What would change and be pushed, for people. */
export function diffText(diff: FolderDiff, width: Width): string {
  const { objects, same, held } = diff;
  if (same) return `Nothing would change: ${counted(objects.given, 'object')}, all as in force.\n`;
  const lines = [
    objectsLine(diff),
    ...shown(
      [
        ...objects.added.map((name) => `  + ${name}`),
        ...objects.changed.map((name) => `  ~ ${name}`),
        ...objects.removed.map((name) => `  - ${name}${keptText(diff, name)}`),
      ],
      width,
    ),
    ...(held > 0
      ? [
          `! It deletes ${held} of ${objects.inForce} objects at once: the control plane would hold that as a probable loss, until it is confirmed (docs/files-source.md).`,
        ]
      : []),
    ...delayLine(diff),
    ...(diff.hosts.length > 0
      ? [
          'Hosts:',
          ...shown(
            diff.hosts.map((host) => hostLine(host, width)),
            width,
          ),
        ]
      : []),
    ...pushLines(diff, width),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** After the name of a removed object that is kept for the grace. */
function keptText({ delayed }: FolderDiff, name: string): string {
  const lost = delayed.objects.find((one) => one.object === name)?.lost;
  return lost === undefined ? '' : ` (kept for ${graceText(delayed)}: ${lost})`;
}

function delayLine({ delayed }: FolderDiff): string[] {
  const count = delayed.objects.length;
  if (count === 0) return [];
  const [what, they, them] = count === 1 ? ['removal', 'takes', 'it'] : ['removals', 'take', 'them'];
  return [
    `! ${count} ${what} ${they} effect ${graceText(delayed)} later than the rest, as nothing stands in for ${them} (--deletion-grace): what follows is the state after that.`,
  ];
}

function graceText({ forMs }: FolderDiff['delayed']): string {
  return forMs === undefined ? 'the deletion grace' : durationText(forMs);
}

function objectsLine({ idc, objects: { inForce, added, changed, removed } }: FolderDiff): string {
  const counts = [
    ...(added.length > 0 ? [`${added.length} added`] : []),
    ...(changed.length > 0 ? [`${changed.length} changed`] : []),
    ...(removed.length > 0 ? [`${removed.length} removed`] : []),
  ];
  const words = counts.length > 0 ? counts.join(', ') : 'none differs';
  return `Objects: ${words} (${inForce} in the folder of the control plane of ${idc}).`;
}

function hostLine({ host, change, instancesAdded, instancesRemoved }: HostPush, width: Width): string {
  if (change === 'removed') return `  ${host}: removed`;
  const instances = [
    ...(instancesAdded.length > 0
      ? [`adds ${counted(instancesAdded.length, 'instance')} (${named(instancesAdded, width)})`]
      : []),
    ...(instancesRemoved.length > 0
      ? [`removes ${counted(instancesRemoved.length, 'instance')} (${named(instancesRemoved, width)})`]
      : []),
  ];
  const words = instances.length > 0 ? instances.join(', ') : 'instances stay';
  return `  ${host}: ${change === 'added' ? 'new, ' : ''}${change === 'added' && instances.length === 0 ? 'without instances' : words}`;
}

function pushLines({ proxies, classes }: FolderDiff, width: Width): string[] {
  if (proxies === 0) return ['No proxy is connected: nothing would be pushed now.'];
  const nodes = classes.reduce((sum, one) => sum + one.nodes, 0);
  if (nodes === 0)
    return [`Nothing would be pushed to the ${counted(proxies, 'proxy', 'proxies')} connected.`];
  return [
    `Pushed to ${nodes} of ${counted(proxies, 'proxy', 'proxies')}:`,
    ...shown(
      alike(classes).map((group) => classLine(group, width)),
      width,
    ),
  ];
}

/** Classes that would be sent the same, together. */
function alike(classes: readonly ClassPush[]): readonly (readonly ClassPush[])[] {
  const key = ({ scope, added, changed, removed }: ClassPush) =>
    JSON.stringify([scope.role, added, changed, removed]);
  return [...Map.groupBy(classes, key).values()];
}

const roles: Readonly<Record<NodeScope['role'], readonly [one: string, many: string]>> = {
  sidecar: ['sidecar', 'sidecars'],
  ingress: ['ingress', 'ingresses'],
  egress: ['egress', 'egresses'],
  grpc: ['gRPC client', 'gRPC clients'],
};

function classLine(group: readonly ClassPush[], width: Width): string {
  const [first] = group as [ClassPush];
  const nodes = group.reduce((sum, one) => sum + one.nodes, 0);
  const changes = [
    ...(['added', 'changed', 'removed'] as const).flatMap((kind) => {
      const words = resourcesText(first[kind], width);
      return words === '' ? [] : [`${verbs[kind]} ${words}`];
    }),
  ];
  const who = nodes === 1 ? first.first : `${first.first}, …`;
  const classes = group.length > 1 ? ` in ${group.length} classes` : '';
  return `  ${counted(nodes, ...roles[first.scope.role])}${classes} (${who}): ${changes.join('; ')}`;
}

const verbs = { added: 'adds', changed: 'changes', removed: 'removes' } as const;

/** What people call the resources of a type: one, and several. */
const nouns: Readonly<Record<string, readonly [one: string, many: string]>> = {
  CDS: ['cluster', 'clusters'],
  EDS: ['endpoint list', 'endpoint lists'],
  LDS: ['listener', 'listeners'],
  SRDS: ['route scope', 'route scopes'],
  RDS: ['route table', 'route tables'],
  ECDS: ['filter', 'filters'],
  RTDS: ['runtime layer', 'runtime layers'],
};

function resourcesText(names: NamesByType, width: Width): string {
  return Object.entries(names)
    .map(([type, list]) => {
      const [one, many] = nouns[type] ?? [`${type} resource`, `${type} resources`];
      return `${counted(list.length, one, many)}${width === 'wide' ? ` (${named(list, width)})` : ''}`;
    })
    .join(', ');
}

function shown(lines: readonly string[], width: Width): readonly string[] {
  const { lines: most } = limits[width];
  if (lines.length <= most) return lines;
  const more = width === 'table' ? '-o wide or json' : '-o json';
  return [...lines.slice(0, most), `  and ${lines.length - most} more: ${more}`];
}

function named(names: readonly string[], width: Width): string {
  const { names: most } = limits[width];
  return names.length <= most ? names.join(', ') : `${names.slice(0, most).join(', ')}, …`;
}

function counted(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}
