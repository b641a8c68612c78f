import { textTable } from '../../base/text/text-table.ts';
import type { AskedEnvoy, GroupLoad } from './group-load.ts';

/** What was read, and for how long. */
export interface CapacityRun {
  readonly seconds: number;
  readonly looks: number;
  readonly envoys: readonly AskedEnvoy[];
  /** Number of missing answers, by the id of the Envoy. */
  readonly missed: ReadonlyMap<string, number>;
}

/** Shorter times, in seconds, are unreliable. */
const secondsMin = 60;

/** Most idle Groups named, and hosts with a suggested declaration. */
const shownMax = 10;

const header = [
  'IDC',
  'GROUP',
  'INSTANCES',
  'WELL',
  'REQUESTS',
  'IN FLIGHT, MEAN',
  'MOST',
  'FOR EACH INSTANCE',
];

/** Groups with a figure that can be declared. */
export function suggestedCapacities(seen: readonly GroupLoad[]): readonly GroupLoad[] {
  return seen.filter(
    ({ concurrentPerInstance: each, doubts }) =>
      each !== undefined && !doubts.includes('idle') && !doubts.includes('few'),
  );
}

/**
 * The result for people: figures, their reliability, and declarations; `wide`: with idle Groups and rates.
 */
export function loadText(
  seen: readonly GroupLoad[],
  looked: CapacityRun,
  width: 'table' | 'wide' = 'table',
): string {
  if (seen.length === 0)
    return 'None of these Envoys sends requests to instances of a Group: give --envoy of sidecars and ingress gateways.\n';
  const isIdle = ({ doubts }: GroupLoad) => doubts.includes('idle');
  const busy = seen.filter((one) => !isIdle(one));
  const parts = [
    ...(width === 'wide' ? [wideTable(seen, looked)] : busy.length === 0 ? [] : [tableOf(busy)]),
    ...(width === 'wide' ? [] : idleWords(seen.filter(isIdle))),
    whereSeen(looked),
    ...doubtsOf(looked),
    adviceOf(seen),
  ];
  return `${parts.join('\n\n')}\n`;
}

function tableOf(seen: readonly GroupLoad[]): string {
  const rows = [
    header,
    ...seen.map((one) => [
      ...[one.idc, one.group, String(one.instances), String(one.well), String(one.requests)],
      ...[one.mean.toFixed(1), String(one.most)],
      `${one.concurrentPerInstance ?? '-'}${wordsOf(one)}`,
    ]),
  ];
  return textTable(rows).join('\n');
}

/** All Groups, idle ones included. */
function wideTable(seen: readonly GroupLoad[], { seconds }: CapacityRun): string {
  const rows = [
    [...header, 'REQUESTS/S', 'DOUBTS'],
    ...seen.map((one) => [
      ...[one.idc, one.group, String(one.instances), String(one.well), String(one.requests)],
      ...[one.mean.toFixed(1), String(one.most), String(one.concurrentPerInstance ?? '-')],
      ...[(one.requests / Math.max(1, seconds)).toFixed(1), one.doubts.join(', ') || '-'],
    ]),
  ];
  return textTable(rows).join('\n');
}

function wordsOf({ doubts, well, instances }: GroupLoad): string {
  const words = [
    ...(doubts.includes('few') ? ['too few requests'] : []),
    ...(doubts.includes('sick') ? [`${instances - well} of ${instances} not healthy`] : []),
  ];
  return words.length === 0 ? '' : `  (${words.join('; ')})`;
}

/** Groups without significant requests: possibly thousands. */
function idleWords(idle: readonly GroupLoad[]): string[] {
  if (idle.length === 0) return [];
  const named = idle.slice(0, shownMax).map(({ idc, group }) => `${group} (${idc})`);
  const more = idle.length > shownMax ? ` and ${idle.length - shownMax} more` : '';
  return [`Idle, with fewer concurrent requests than instances: ${named.join(', ')}${more}.`];
}

function whereSeen({ seconds, looks, envoys }: CapacityRun): string {
  const named = envoys.map(({ id, role, idc }) => `${id} (${role}, ${idc})`).join(', ');
  const count = envoys.length === 1 ? 'one Envoy' : `${envoys.length} Envoys`;
  return `Seen in ${seconds} s, by ${looks} readings of ${count}: ${named}.
Requests of other Envoys are not included: name every sidecar and ingress gateway of the IDC that sends to these instances.`;
}

function doubtsOf({ seconds, missed }: CapacityRun): string[] {
  const doubts = [
    ...(seconds < secondsMin
      ? [`${seconds} s are short: measure for longer when the IDC is busiest, such as --for 10m.`]
      : []),
    ...[...missed].map(
      ([id, count]) => `${id} did not answer ${count} times: its requests at these times are missing.`,
    ),
  ];
  return doubts.length === 0 ? [] : [`Not reliable:\n${doubts.map((one) => `- ${one}`).join('\n')}`];
}

function adviceOf(seen: readonly GroupLoad[]): string {
  const all = suggestedCapacities(seen);
  const [first] = all;
  if (first === undefined) return 'Nothing can be declared from this: measure again when it is busy.';
  const byHost = Map.groupBy(all, ({ group }) => group.slice(0, group.lastIndexOf(':')));
  const most = (list: readonly GroupLoad[]) =>
    Math.max(...list.map(({ concurrentPerInstance: each = 1 }) => each));
  const shown = [...byHost].slice(0, shownMax).map(([host, list]) => {
    return `  # ServiceEntry of ${host}\n  metadata: {annotations: {isthmus.dev/concurrent-per-instance: '${most(list)}'}}`;
  });
  const more =
    byHost.size > shownMax ? `\n\nand ${byHost.size - shownMax} more in the same way, from the table.` : '';
  return `An instance has served this many, and may serve more: if its number of workers or threads is known, give that. To declare it, paste

${shown.join('\n')}${more}

or, for the hosts of a DrGroup in ${first.idc} alone,

  spec: {capacity: {idcs: {${first.idc}: {concurrentPerInstance: ${most(all.filter(({ idc }) => idc === first.idc))}}}}}

It limits requests from other IDCs, and never those of its own users.`;
}
