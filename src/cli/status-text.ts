import { counted } from '../base/text/counted.ts';
import { printable } from '../base/text/safe-excerpt.ts';
import { textTable } from '../base/text/text-table.ts';
import type { Answer } from '../contract/contract.ts';
import type { ShownFinding } from '../contract/status.ts';
import type { SlowPush } from '../delivery/push-record.ts';
import { durationText } from '../model/values/duration.ts';
import { remainderOf, remedyOf } from '../plane/describe-nacks.ts';
import { describePeer } from '../registry/registrations/describe-peers.ts';
import { pushOrder } from '../xds/resource-types.ts';
import { drainedText } from './drain/drain-text.ts';
import { servedText } from './served-text.ts';
import { missingTogether, type Overview, type OverviewReply } from './status-verdict.ts';

type StatusBody = Answer<'getStatus'>['body'];
type ControlPlaneStatus = Exclude<StatusBody, readonly unknown[]>;
type NodeStatus = Extract<StatusBody, readonly unknown[]>[number];
type ProxyStatus = ControlPlaneStatus['proxies'][number];
type TypeReport = ProxyStatus['types'][string];

// Longer lists are for -o json.
const problemsMax = 10;
const slowMax = 5;
const goneMax = 10;
const comingHomeMax = 5;
const drainedMax = 10;
const differencesMax = 100;

/** Width of the table of proxies; 'wide': versions too, and since when it is connected. */
type Width = 'table' | 'wide';

/** Control planes with their proxies, and problems between them. */
export function overviewsText(
  replies: readonly OverviewReply[],
  heardAt: (admin: string) => number,
  width: Width,
): string {
  const texts = replies.map((one) =>
    'reply' in one
      ? overviewText(one.reply, one.admin, heardAt(one.admin), width)
      : `! ${one.error.message}\n`,
  );
  const together = missingTogether(replies).map(({ where, message }) => `! ${where}: ${message}`);
  return [...texts, paragraphs([doubleText(replies), together])].filter((text) => text !== '').join('\n');
}

/** Proxies connected to several control planes: an Envoy has one. */
function doubleText(replies: readonly OverviewReply[]): string[] {
  const at = new Map<string, string[]>();
  for (const one of replies)
    for (const id of 'reply' in one ? new Set(one.reply.status.proxies.map((proxy) => proxy.id)) : [])
      at.set(id, [...(at.get(id) ?? []), one.admin]);
  return [...at]
    .filter(([, names]) => names.length > 1)
    .map(
      ([id, names]) =>
        `! ${id} is connected to ${names.join(' and ')}: an Envoy is connected to one. Two have that node id, give each its own (isthmus bootstrap --id); or it is just moving from one to the other.`,
    );
}

/** A control plane and its proxies, problems first. */
function overviewText(
  { status, problems, served }: Overview,
  admin: string,
  nowWallMs: number,
  width: Width,
): string {
  const behind = status.proxies.filter((proxy) => !isInSync(proxy));
  return paragraphs([
    [...head(status, admin), ...counts(status, behind.length), portText(status)],
    servedText(served),
    [...evacuationText(status), ...drainedLines(status, nowWallMs), ...comingHomeText(status)],
    proxyTable([...behind, ...status.proxies.filter(isInSync)], nowWallMs, width),
    behind.flatMap(nackText),
    legend(behind),
    goneText(status, nowWallMs),
    slowText(status.slowPushes),
    problemsText(oneEach([...status.problems, ...problems]).filter((one) => !isToldAbove(one, behind))),
  ]);
}

/** Blocks of lines, separated and printable; empty ones are left out. */
function paragraphs(blocks: readonly (readonly string[])[]): string {
  return blocks
    .map((lines) => lines.filter((line) => line !== ''))
    .filter((lines) => lines.length > 0)
    .map((lines) => `${lines.map(printable).join('\n')}\n`)
    .join('\n');
}

function head(
  { idc, ready, waitingFor, reasons, sources, peers }: ControlPlaneStatus,
  admin: string,
): string[] {
  const waits = `no proxy is answered. It waits for: ${waitingFor.join(', ')}`;
  const first = ready
    ? `Control plane of ${idc} at ${admin}: ready.`
    : `Control plane of ${idc} at ${admin}: NOT READY, ${waitingFor.length > 0 ? waits : 'new proxies are refused'}.`;
  return [
    first,
    ...reasons.map((why) => `! ${why}`),
    ...sources.flatMap(({ name, reason, writtenAt, knownGoodAt }) => {
      if (reason === undefined) return [];
      const state = knownGoodAt === undefined ? '' : ` (last good state: written ${iso(writtenAt ?? 0)})`;
      return [`! source ${name}: ${reason}${state}`];
    }),
    ...peers.map((peer) => {
      const words = describePeer(peer);
      const alone =
        peer.keptThereAlone === 0
          ? ''
          : `; ${counted(peer.keptThereAlone, 'instance registers', 'instances register')} there only`;
      if (words !== undefined) return `! control plane ${peer.name}: ${words}`;
      return peer.state === 'self'
        ? ''
        : `In sync with the control plane at ${peer.name}, which has proxies of its own (--admin ${peer.name})${alone}.`;
    }),
  ];
}

function counts({ proxies, gone, eventToAck }: ControlPlaneStatus, behind: number): string[] {
  const sync = behind === 0 ? 'all in sync' : `${proxies.length - behind} in sync, ${behind} NOT`;
  const away = gone.length === 0 ? '' : `; ${gone.length} gone`;
  const { count, p50Ms, p99Ms, maxMs } = eventToAck;
  const acks = `${counted(count, 'event')} ACKed`;
  return [
    proxies.length === 0 ? `No proxy is connected${away}.` : `${proxies.length} connected: ${sync}${away}.`,
    count === 0
      ? ''
      : `Event → ACK: p50 ${durationText(p50Ms)}, p99 ${durationText(p99Ms)}, max ${durationText(maxMs)} (${acks}).`,
  ];
}

/** Levels of the xDS port. */
function portText({ port }: ControlPlaneStatus): string {
  // Of an earlier version.
  if (port === undefined) return '';
  const { connections, connectionsMax, waiting, streams, streamsMax, turnedAway } = port;
  const of = (count: number, most: number, what: string) =>
    `${count.toLocaleString('en')} of ${most.toLocaleString('en')} ${what}`;
  const waits = waiting === 0 ? '' : `, ${waiting} wait for admission`;
  const away = Object.entries(turnedAway).filter(([, count]) => count > 0);
  const words = away.map(([limit, count]) => `${count} by the limit of ${limit}`).join(', ');
  return `xDS port: ${of(connections, connectionsMax, 'connections')}${waits}, ${of(streams, streamsMax, 'streams')}${words === '' ? '' : `; refused: ${words}`}.`;
}

/** Current and future evacuations. */
function evacuationText({ evacuations }: ControlPlaneStatus): string[] {
  return evacuations
    .filter(({ endsInMs }) => endsInMs > 0)
    .map(({ name, idc, percentNow, percent, groups, selector, startsInMs = 0, endsInMs, reason }) => {
      const whose =
        groups.length === 0 && selector === undefined ? 'all Groups' : whoseText(groups, selector);
      const share =
        percentNow > 0
          ? `${percentNow} % of ${whose} leave ${idc}`
          : `${percent} % of ${whose} will leave ${idc}`;
      const goal = percentNow > 0 && percentNow < percent ? `, ${percent} % in the end` : '';
      const when = startsInMs > 0 ? `, in ${durationText(startsInMs)}` : '';
      return `Evacuation ${name}: ${share}${goal}${when}; ends in ${durationText(endsInMs)}${reason ? ` (${reason})` : ''}.`;
    });
}

/** Drained instances, the last one first. Absent: of an earlier version. */
function drainedLines({ drained = [] }: Partial<ControlPlaneStatus>, nowWallMs: number): string[] {
  const sorted = drained.toSorted((a, b) => Date.parse(b.since) - Date.parse(a.since));
  const more =
    drained.length > drainedMax ? [`and ${drained.length - drainedMax} more drained: -o json`] : [];
  return [...sorted.slice(0, drainedMax).map((one) => drainedText(one, nowWallMs)), ...more];
}

function comingHomeText({ comingHome }: ControlPlaneStatus): string[] {
  if (comingHome.length === 0) return [];
  const shown = comingHome.slice(0, comingHomeMax).map(({ group, percent }) => `${group} ${percent} %`);
  const more = comingHome.length - shown.length;
  return [`Returning gradually: ${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}.`];
}

function whoseText(groups: readonly string[], selector: Readonly<Record<string, string>> = {}): string {
  const labels = Object.entries(selector).map(([key, value]) => `${key}=${value}`);
  const all = [...groups, ...labels];
  return `${all.slice(0, 3).join(', ')}${all.length > 3 ? ', …' : ''}`;
}

function proxyTable(proxies: readonly ProxyStatus[], nowWallMs: number, width: Width): string[] {
  if (proxies.length === 0) return [];
  const shown = pushOrder
    .map(({ short }) => short)
    .filter((type) => proxies.some(({ types }) => types[type] !== undefined));
  return textTable([
    ['NODE', 'ROLE', 'IDC', width === 'wide' ? 'CONNECTED SINCE' : 'CONNECTED', ...shown, 'LAST EVENT → ACK'],
    ...proxies.map(({ id, role, idc, connectedForMs, types, lastEvent }) => [
      ...[id, role, idc, width === 'wide' ? iso(nowWallMs - connectedForMs) : durationText(connectedForMs)],
      ...shown.map((type) => `${cell(types[type])}${width === 'wide' ? shortVersion(types[type]) : ''}`),
      lastEvent === undefined
        ? '-'
        : `${durationText(lastEvent.tookMs)}, ${durationText(lastEvent.agoMs)} ago`,
    ]),
  ]);
}

/** The state, and since when if it is not SYNCED. */
function cell(type: TypeReport | undefined): string {
  if (type === undefined) return '-';
  const { state, sent, answeredAgoMs } = type;
  if (state === 'STALE') return sent === undefined ? 'STALE, waits' : `STALE ${durationText(sent.agoMs)}`;
  if (state === 'NACKED' && answeredAgoMs !== undefined) return `NACKED ${durationText(answeredAgoMs)}`;
  return state;
}

/** The start of a version; `isthmus status NODE` shows all of it. */
function shortVersion(type: TypeReport | undefined): string {
  return type?.version === undefined ? '' : ` ${type.version.slice(0, 8)}`;
}

function isInSync({ types }: ProxyStatus): boolean {
  return Object.values(types).every(({ state }) => state === 'SYNCED');
}

function nackText({ id, types }: ProxyStatus): string[] {
  return Object.entries(types).flatMap(([type, { nack, version, answeredAgoMs = 0 }]) => {
    if (nack === undefined) return [];
    const accepted = version === undefined ? '' : `; the last that it accepted is ${version}`;
    return [
      `${id} refused ${type} ${nack.version} ${durationText(answeredAgoMs)} ago and ${remainderOf(nack)}${accepted}. Envoy says:`,
      ...nack.message
        .trimEnd()
        .split('\n')
        .map((line) => `    ${line}`),
      `    ${remedyOf(nack.message)}${againText(nack.againInMs)}`,
      nack.names.length > 0
        ? `    Refused: ${nack.names.join(', ')}.`
        : `    isthmus status ${id} names the resources.`,
    ];
  });
}

/** When a refused resource is offered again. */
function againText(inMs: number | undefined): string {
  if (inMs === undefined) return '';
  return inMs === 0 ? ' It is being offered again.' : ` It is offered again in ${durationText(inMs)}.`;
}

function legend(behind: readonly ProxyStatus[]): string[] {
  const states = new Set(behind.flatMap(({ types }) => Object.values(types).map(({ state }) => state)));
  return [
    states.has('STALE') ? 'STALE: newer state was sent, or waits to be sent, and is not ACKed yet.' : '',
    states.has('NACKED')
      ? 'NACKED: refused what it was sent, and continues with what it had, if anything.'
      : '',
    states.has('NOT SENT') ? 'NOT SENT: requested, and not answered yet.' : '',
  ];
}

function goneText({ gone }: ControlPlaneStatus, nowWallMs: number): string[] {
  if (gone.length === 0) return [];
  const more = gone.length > goneMax ? [`  and ${gone.length - goneMax} more: -o json`] : [];
  const since = (goneForMs: number) => `${iso(nowWallMs - goneForMs)} (${durationText(goneForMs)})`;
  return [
    'Disconnected: their current configuration is unknown.',
    ...gone
      .slice(0, goneMax)
      .map(({ id, role, goneForMs }) => `  ${id} (${role}): unknown since ${since(goneForMs)}`),
    ...more,
  ];
}

function slowText(pushes: readonly SlowPush[]): string[] {
  if (pushes.length === 0) return [];
  return ['Slow pushes, the last first:', ...pushes.slice(0, slowMax).flatMap(slowPushText)];
}

function slowPushText(push: SlowPush): string[] {
  const { wallMs, what, events, source, types, totalMs, late, lastNode, subscriptions } = push;
  const more = events > 1 ? ` and ${events - 1} more` : '';
  const stages = (['queue', 'plan', 'encode', 'send', 'ack'] as const).map(
    (stage) => `${stage} ${durationText(push[`${stage}Ms`])}`,
  );
  const end =
    late.length > 0
      ? `NOT ACKed after ${durationText(totalMs)} by ${late.join(', ')}`
      : `${durationText(totalMs)}, last ${lastNode}`;
  return [
    `  ${iso(wallMs)} ${what}${more} from ${source}, ${types.join(' ')} to ${subscriptions}: ${end}`,
    `    ${stages.join(', ')}`,
  ];
}

/** What `/status` and `/problems` both have, once. */
function oneEach(problems: readonly ShownFinding[]): readonly ShownFinding[] {
  const keyOf = ({ code, where, path, message }: ShownFinding) => [code, where, path, message].join('\n');
  return [...new Map(problems.map((one) => [keyOf(one), one])).values()];
}

/** Whether the lines of proxies that refuse something say it already. */
function isToldAbove({ code }: ShownFinding, behind: readonly ProxyStatus[]): boolean {
  return code === 'ResourceRefused' && behind.some((proxy) => nackText(proxy).length > 0);
}

function problemsText(problems: readonly ShownFinding[]): string[] {
  if (problems.every(({ severity }) => severity === 'note')) return [];
  // Limits that no change can lift are for -o json.
  const shown = problems.filter(({ severity }) => severity !== 'note');
  const sorted = shown.sort((a, b) => (a.severity === b.severity ? 0 : a.severity === 'error' ? -1 : 1));
  const more = shown.length > problemsMax ? [`  and ${shown.length - problemsMax} more: -o json`] : [];
  return [
    'Problems:',
    ...sorted
      .slice(0, problemsMax)
      .map(
        ({ code, severity, where, path, message }) =>
          `  ${severity} ${where}: ${path === '' ? '' : `${path}: `}${message} [${code}]`,
      ),
    ...more,
  ];
}

/** A node in full: each of its streams. */
export function nodeText(streams: readonly NodeStatus[], nowWallMs: number): string {
  return streams.map((stream) => streamText(stream, nowWallMs)).join('\n');
}

function streamText(node: NodeStatus, nowWallMs: number): string {
  const { id, role, idc, protocol, peer, connectedForMs, lastEvent, types, differences } = node;
  const rows = Object.entries(types).map(([type, report]) => [
    ...[type, cell(report), report.version ?? '-', report.sent?.version ?? '-'],
    report.answeredAgoMs === undefined ? unanswered(report) : `${durationText(report.answeredAgoMs)} ago`,
    report.names === undefined ? 'all' : String(report.names),
  ]);
  const event =
    lastEvent === undefined
      ? 'It has ACKed no event yet.'
      : `Its last event took ${durationText(lastEvent.tookMs)} to the ACK, ${durationText(lastEvent.agoMs)} ago.`;
  const parts = [
    [
      `${id}: ${role} of ${idc}, connected since ${iso(nowWallMs - connectedForMs)} (${durationText(connectedForMs)}) from ${peer} (${protocol === 'sotw' ? 'State of the World' : 'Delta'}).`,
      event,
    ],
    rows.length === 0
      ? ['It has requested nothing yet.']
      : textTable([['TYPE', 'STATE', 'ACKED', 'SENT', 'ANSWERED', 'NAMES'], ...rows]),
    nackText(node).filter((line) => !line.includes('isthmus status')),
    differencesText(differences),
  ];
  return paragraphs(parts);
}

/**
 * Why there is no answer: a proxy that is in sync when it connects, as after a restart of the control plane,
 * is sent nothing.
 */
function unanswered({ state }: TypeReport): string {
  return state === 'SYNCED' ? 'nothing was due' : 'never';
}

function differencesText(differences: NodeStatus['differences']): string[] {
  if (differences.length === 0) return ['It has accepted its whole configuration.'];
  const more =
    differences.length > differencesMax ? [`and ${differences.length - differencesMax} more: -o json`] : [];
  return [
    `${differences.length} resource${differences.length === 1 ? ' differs' : 's differ'} from its configuration:`,
    ...textTable([
      ['TYPE', 'NAME', 'ACKED', 'SENT', 'TO HAVE', 'STATE'],
      ...differences
        .slice(0, differencesMax)
        .map(({ type, name, acked, sent, now, state }) => [
          ...[type, name, acked ?? 'none', sent ?? 'none', now ?? 'none', state],
        ]),
    ]),
    ...more,
  ];
}

function iso(wallMs: number): string {
  return new Date(wallMs).toISOString().replace(/\.\d+/, '');
}
