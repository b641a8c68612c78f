import { counted } from '../../base/text/counted.ts';
import { printable } from '../../base/text/safe-excerpt.ts';
import { textTable } from '../../base/text/text-table.ts';
import type { WhoAnswer } from '../../client/who-client.ts';
import { hostReasonWords } from '../../contract/host-reasons.ts';
import { durationText } from '../../model/values/duration.ts';
import { drainedText } from '../drain/drain-text.ts';

type Group = WhoAnswer['groups'][number];
type Host = Group['instances'][number];
/** `-`: not known. */
type Row = Omit<Host, 'requests' | 'active'> & Readonly<Record<'requests' | 'active', number | '-'>>;

/** Width of the table; 'wide': names, zones and counts too. */
type WhoWidth = 'table' | 'wide';

/** Longer lists are for -o json. */
const silentMax = 5;

/** Who serves a host, as one IDC sees it. */
export function whoText(who: WhoAnswer, width: WhoWidth): string {
  const blocks = who.groups.map((group) => [
    ...sentences(who, group),
    ...textTable([header(width), ...rows(who.idc, group, width)]),
  ]);
  return `${[...blocks, readText(who)]
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.map(printable).join('\n'))
    .join('\n\n')}\n`;
}

/** What is to be known first, in words. */
function sentences(who: WhoAnswer, group: Group): string[] {
  const { requests, awayShare = 0, next } = group;
  const several = new Set(who.groups.map(({ namespace }) => namespace)).size > 1;
  const name = `${who.host}:${group.port}${several ? ` of namespace ${group.namespace}` : ''}`;
  const sent =
    requests === 0
      ? 'no requests'
      : `${counted(requests, 'request')}, ${percent(awayShare)} of them to other IDCs`;
  return [
    `${name}, as ${who.idc} sees it: ${servedText(who, group)}.`,
    takeoverText(group),
    ...lostText(who, group),
    `In the last ${durationText(who.intervalMs)}: ${sent}.`,
    next.some((one) => one.requests === undefined)
      ? 'To which IDC is not known: egress gateways count them with those of other Groups.'
      : '',
    ...heldText(who.idc, group),
    // Absent: of an earlier version.
    ...(group.drained ?? []).map((one) => drainedText(one, Date.parse(who.at))),
  ].filter((line) => line !== '');
}

function servedText({ idc, exits }: WhoAnswer, { served, by, instances, next }: Group): string {
  const usable = instances.filter(({ usableAt }) => usableAt > 0).length;
  const own = `${usable} of ${instances.length} instances here can serve`;
  switch (served) {
    case 'here':
      return `served by ${idc}, ${own}`;
    case 'away':
      return `served by ${by}, ${instances.length === 0 ? 'no instance is here' : own}`;
    case 'nobody': {
      // Absent: of an earlier version.
      const cutOff = exits?.isCutOff && next.length > 0 ? `, and no egress gateway of ${idc} answers` : '';
      return `NOBODY serves it, ${instances.length === 0 ? 'no instance is here' : own}${cutOff}`;
    }
    case 'unknown':
      return 'unknown, as no proxy that could tell was read';
  }
}

function takeoverText({ takesOver, next, served }: Group): string {
  if (served === 'nobody') return '';
  if (takesOver !== undefined) return `Next: ${takesOver} takes over.`;
  return next.length === 0 ? 'Next: nobody, it does not leave the IDC.' : 'Next: nobody else can serve it.';
}

/** Egress gateways that take no request, where requests may leave. */
function lostText({ exits }: WhoAnswer, { next }: Group): string[] {
  const lost = next.length === 0 ? [] : (exits?.lost ?? []);
  return lost.map(({ name, addresses, why }) => `! ${name} at ${addresses[0]} takes no request: ${why}.`);
}

/** What keeps requests away from their usual way. */
function heldText(idc: string, group: Group): string[] {
  const { keepsPercent, evacuations, returningPercent, spillLimit } = group;
  const keeps = keepsPercent === undefined ? '' : ` ${idc} keeps ${keepsPercent} % of its requests.`;
  return [
    evacuations.length === 0 ? '' : `Evacuated by ${evacuations.join(', ')}.${keeps}`,
    returningPercent === undefined ? '' : `Returning gradually, held at ${returningPercent} %.`,
    spillLimit === undefined
      ? ''
      : `Each ingress gateway takes up to ${counted(spillLimit, 'concurrent request')} from other IDCs.`,
  ].filter((line) => line !== '');
}

function header(width: WhoWidth): string[] {
  const columns = ['TO', 'IDC', 'PRIORITY', 'HEALTH', 'SHARE', 'WHY'];
  return width === 'wide'
    ? [...columns.slice(0, 5), 'REQUESTS', 'IN FLIGHT', 'USABLE AT', 'WEIGHT', 'ZONE', 'ENTRY', 'WHY']
    : columns;
}

function rows(idc: string, group: Group, width: WhoWidth): string[][] {
  const row = (host: Row, of: string, priority: number): string[] => {
    const { address, health, share, requests, active, usableAt, knownTo, weight, zone, name } = host;
    const first = [address, of, String(priority), health, share === undefined ? '-' : percent(share)];
    const counts = [String(requests), String(active), `${usableAt} of ${knownTo}`, String(weight)];
    const wide = width === 'wide' ? [...counts, zone ?? '-', name ?? '-'] : [];
    return [...first, ...wide, whyText(host) || '-'];
  };
  const below = Math.max(0, ...group.instances.map(({ priority }) => priority));
  return [
    ...group.instances.map((host) => row(host, idc, host.priority)),
    ...group.next.flatMap((one) =>
      one.gateways.length === 0
        ? [
            [
              `ingress of ${one.idc}`,
              one.idc,
              String(one.priority + below),
              one.usable === 'no' ? 'none' : 'unknown',
              '-',
            ],
          ]
        : one.gateways.map((host) => row(ownCounts(host, one), one.idc, one.priority + below)),
    ),
  ];
}

/** A gateway of an IDC, without what egress gateways count for other Groups. */
function ownCounts(host: Host, { isShared, requests, share, gateways }: Group['next'][number]): Row {
  if (isShared === undefined) return host;
  // All of the IDC's requests are those of its only gateway.
  const isOnly = gateways.length === 1 && requests !== undefined;
  const { share: _, ...rest } = host;
  return {
    ...rest,
    requests: isOnly ? requests : '-',
    active: '-',
    ...(isOnly && share !== undefined ? { share } : {}),
  };
}

/** The reasons, each with the proxies that say so, unless all do. */
function whyText({ why, knownTo }: Row): string {
  return why
    .map(({ reason, at }) =>
      at.length === knownTo ? hostReasonWords[reason] : `${hostReasonWords[reason]} at ${at.join(', ')}`,
    )
    .join('; ');
}

/** How many proxies were read, and which were not. */
function readText({ proxies: { connected, asked, read, silent } }: WhoAnswer): string[] {
  const of = connected === asked ? String(connected) : `${connected}, of which ${asked} were asked`;
  const more = silent.length > silentMax ? [`  and ${silent.length - silentMax} more: -o json`] : [];
  return [
    `By ${read} of ${of} connected proxies that have it.`,
    ...silent.slice(0, silentMax).map(({ node, role, why }) => `! ${node} (${role}) is not read: ${why}`),
    ...more,
  ];
}

function percent(share: number): string {
  return `${Math.round(share * 1_000) / 10} %`;
}
