import { counted } from '../../base/text/counted.ts';
import { printable } from '../../base/text/safe-excerpt.ts';
import { textTable } from '../../base/text/text-table.ts';
import type { Answer } from '../../contract/contract.ts';
import { durationText } from '../../model/values/duration.ts';

/** What one control plane answers. */
export type TopAnswer = Answer<'getTop'>['body'];

type Host = TopAnswer['hosts'][number];
type Proxy = TopAnswer['proxies'][number];

/** What hosts are sorted by. */
export const topOrders = ['requests', 'failures', 'p50', 'p99', 'in-flight', 'host'] as const;

/** One of these. */
export type TopOrder = (typeof topOrders)[number];

interface TopView {
  readonly width: 'table' | 'wide';
  readonly order: TopOrder;
  /** Most hosts, and most proxies. */
  readonly limit: number;
}

/** Longer lists are for -o json. */
const silentMax = 5;

/** Hosts and proxies of an IDC by load. */
export function topText(answer: TopAnswer, { width, order, limit }: TopView): string {
  const { idc, hosts, idle, proxies, connected, silent, intervalMs } = answer;
  // An older control plane does not say.
  const { arrived = [], unknownHosts = [] }: Partial<TopAnswer> = answer;
  const seconds = intervalMs / 1_000;
  const sorted = sortedHosts(hosts, order);
  const head = `${idc}, in ${durationText(intervalMs)}: ${counted(hosts.length, 'host')} busy, ${idle} idle; by ${proxies.length} of ${connected} connected proxies.`;
  const blocks = [
    [head, ...arrivedText(arrived, seconds), ...unknownText(unknownHosts)],
    hosts.length === 0
      ? []
      : [
          ...textTable([
            hostHeader(width),
            ...sorted.slice(0, limit).map((one) => hostRow(one, seconds, width)),
          ]),
          ...moreText(hosts.length - limit),
        ],
    proxies.length === 0
      ? []
      : [
          ...textTable([
            ['PROXY', 'ROLE', 'REQ/S', 'FAILED', 'IN FLIGHT'],
            ...proxies.slice(0, limit).map((one) => proxyRow(one, seconds)),
          ]),
          ...moreText(proxies.length - limit),
        ],
    [
      ...silent.slice(0, silentMax).map(({ node, role, why }) => `! ${node} (${role}) is not read: ${why}`),
      ...moreText(silent.length - silentMax),
    ],
  ];
  const shown = blocks.filter((lines) => lines.length > 0);
  return `${shown.map((lines) => lines.map(printable).join('\n')).join('\n\n')}\n`;
}

/**
 * Hosts in an order: the largest first, names from A to Z; equal ones stay as they are. By requests they are
 * answered in order, those that only fail first.
 */
export function sortedHosts(hosts: readonly Host[], order: TopOrder): readonly Host[] {
  const by: Readonly<Record<Exclude<TopOrder, 'host' | 'requests'>, (host: Host) => number>> = {
    failures: ({ failed }) => failed,
    p50: ({ p50Ms = -1 }) => p50Ms,
    p99: ({ p99Ms = -1 }) => p99Ms,
    'in-flight': ({ inFlight }) => inFlight,
  };
  if (order === 'requests') return hosts;
  if (order === 'host') return hosts.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  return hosts.toSorted((a, b) => by[order](b) - by[order](a));
}

function nameOf({ host, port }: Host): string {
  return `${host}:${port}`;
}

function hostHeader(width: TopView['width']): string[] {
  const counts = width === 'wide' ? ['REQUESTS', 'FAILURES'] : [];
  return ['HOST', 'REQ/S', 'FAILED', 'P50', 'P99', 'IN FLIGHT', ...counts, 'SERVED BY'];
}

function hostRow(host: Host, seconds: number, width: TopView['width']): string[] {
  const { requests, failed, p50Ms, p99Ms, inFlight, idcs } = host;
  const sent = idcs.reduce((sum, one) => sum + one.requests, 0);
  return [
    ...[nameOf(host), rate(requests, seconds), share(failed, requests), time(p50Ms), time(p99Ms)],
    String(inFlight),
    ...(width === 'wide' ? [String(requests), String(failed)] : []),
    idcs.map((one) => `${one.idc} ${share(one.requests, sent)}`).join(', ') || '-',
  ];
}

function proxyRow({ node, role, requests, failed, inFlight }: Proxy, seconds: number): string[] {
  return [node, role, rate(requests, seconds), share(failed, requests), String(inFlight)];
}

function rate(requests: number, seconds: number): string {
  const perSecond = seconds === 0 ? 0 : requests / seconds;
  return perSecond >= 100
    ? Math.round(perSecond).toLocaleString('en')
    : (Math.round(perSecond * 10) / 10).toString();
}

/** Never more than all: an older control plane counts tries, and failures that were none. */
function share(part: number, all: number): string {
  if (all === 0 && part === 0) return '-';
  return `${Math.round(Math.min(1, part / all) * 1_000) / 10} %`;
}

/** Requests of other IDCs, which count there: here they are load without a host. */
function arrivedText(arrived: TopAnswer['arrived'], seconds: number): string[] {
  if (arrived.length === 0) return [];
  const from = arrived.map(({ idc, requests }) => `${rate(requests, seconds)} from ${idc}`);
  return [`Requests a second from other IDCs, at ingress gateways: ${from.join(', ')}.`];
}

/** Requests for hosts that nobody declares, with the first of the proxies that got them. */
function unknownText(unknown: TopAnswer['unknownHosts']): string[] {
  if (unknown.length === 0) return [];
  const all = unknown.reduce((sum, one) => sum + one.requests, 0);
  const at = unknown.slice(0, silentMax).map(({ node, requests }) => `${node} ${requests}`);
  const more = unknown.length > silentMax ? ` and ${unknown.length - silentMax} more` : '';
  return [
    `! ${counted(all, 'request')} for hosts that nobody here declares, answered with 404: ${at.join(', ')}${more}. Access logs name the hosts (outcome unknown-host).`,
  ];
}

/** The upper bound of a histogram's bucket. */
function time(ms: number | undefined): string {
  return ms === undefined ? '-' : `≤ ${durationText(ms)}`;
}

function moreText(more: number): string[] {
  return more > 0 ? [`and ${more} more: --limit, or -o json`] : [];
}
