import { type Buckets, countOfBuckets, percentileOfBuckets, sumOfBuckets } from '../../base/buckets.ts';
import { compareText } from '../../base/text/compare-text.ts';
import type { HostLoad } from '../../contract/load/top.ts';
import { type HostTotals, onlyIdc, totalHosts } from '../hosts.ts';
import type { ProxyReading } from '../types.ts';
import { awayTries, type EdgeEntries, ownLoad, type ProxyLoad, totalOf } from './proxy-load.ts';
import type { ClusterStats } from './stats-page.ts';

/** Where requests are from, and where they go. */
interface Places {
  /** The local IDC. */
  readonly idc: string;
  readonly others: readonly string[];
  /** Readings of egress gateways: which IDC had what. */
  readonly away: readonly ProxyReading[];
  /** The cluster of other IDCs that a host's port has there, and whether other Groups share it. */
  readonly awayOf: (host: string, port: number) => { readonly cluster: string; readonly isShared: boolean };
}

/**
 * All hosts of which a proxy has ever sent a request: those that only fail first, then by requests. Requests
 * are those of the IDC's own clients, which count once, at the first proxy; health checks do not.
 */
export function hostsOf(
  loads: readonly ProxyLoad[],
  entries: EdgeEntries,
  { idc, others, away, awayOf }: Places,
): HostLoad[] {
  const names = new Map(
    loads.flatMap(({ sent }) => [...sent].map(([key, { host, port }]) => [key, { host, port }] as const)),
  );
  const hosts = [...names].map(([key, name]): HostLoad => {
    const own = loads.map((load) => ownLoad(load, key, entries));
    const exits = loads.flatMap(({ sent }) => sent.get(key)?.idcs ?? []);
    const here = totalOf(own.map(({ tries }) => tries));
    const { cluster, isShared } = awayOf(name.host, name.port);
    const gone = isShared
      ? totalOf(loads.map((load) => awayTries(load, key)))
      : totalOf(exits.map(({ tries }) => tries));
    const gateways = totalHosts(away, cluster);
    return {
      ...{ ...name, ...countsOf(own, exits) },
      ...percentilesOf(sumOfBuckets(own.map(({ times }) => times))),
      inFlight: totalOf([...own.map(({ inFlight }) => inFlight), ...exits.map(({ active }) => active)]),
      idcs: [
        ...(here > 0 ? [{ idc, requests: here }] : []),
        ...(isShared ? goneAmong(gateways, others, gone) : goneTo(gateways, others, gone)),
      ].sort((a, b) => b.requests - a.requests || compareText(a.idc, b.idc)),
    };
  });
  return hosts.sort(
    (a, b) =>
      Number(onlyFails(b)) - Number(onlyFails(a)) ||
      b.requests - a.requests ||
      compareText(a.host, b.host) ||
      a.port - b.port,
  );
}

function countsOf(
  own: readonly ReturnType<typeof ownLoad>[],
  exits: readonly ClusterStats[],
): Pick<HostLoad, 'requests' | 'failed'> {
  const answers = totalOf(own.map((one) => one.answers));
  if (answers > 0) return { requests: answers, failed: totalOf(own.map(({ failed }) => failed)) };
  // TCP: an egress gateway answers CONNECT.
  const out = exits.map((one) => (one.answers > 0 ? one.answers : one.tries));
  return {
    requests: totalOf([...own.map(({ begun }) => begun), ...out]),
    failed: totalOf([...own.map(({ givenUp }) => givenUp), ...exits.map(({ failed }) => failed)]),
  };
}

function onlyFails({ requests, failed }: HostLoad): boolean {
  return failed > 0 && failed >= requests;
}

function percentilesOf(times: Buckets): Pick<HostLoad, 'p50Ms' | 'p99Ms'> {
  if (countOfBuckets(times) === 0) return {};
  return {
    p50Ms: timesAtMost(percentileOfBuckets(times, 0.5)),
    p99Ms: timesAtMost(percentileOfBuckets(times, 0.99)),
  };
}

/**
 * The longest time, in milliseconds, that Envoy counts as at most `boundMs`: it counts by bins of two digits,
 * and all of the bin that begins at the bound, such as 100 to 110 ms.
 */
function timesAtMost(boundMs: number): number {
  if (boundMs === 0) return 0;
  const bin = 10 ** (Math.floor(Math.log10(boundMs)) - 1);
  return Number((boundMs + bin).toPrecision(3));
}

/** Requests by IDC, of gateways that were read; the IDC of the rest is not known. */
function goneTo(gateways: HostTotals, others: readonly string[], all: number): HostLoad['idcs'] {
  const known = others.map((idc) => {
    const requests = totalOf(gateways.reports(0, undefined, idc).map((one) => one.requests));
    return { idc, requests };
  });
  const rest = all - totalOf(known.map(({ requests }) => requests));
  return [...known, { idc: 'unknown', requests: rest }].filter(({ requests }) => requests > 0);
}

/**
 * The same of a Group whose requests gateways count with those of others: which IDC had them is known if one
 * IDC had them all.
 */
function goneAmong(gateways: HostTotals, others: readonly string[], all: number): HostLoad['idcs'] {
  const only = onlyIdc(gateways, others);
  return all === 0 ? [] : [{ idc: only ?? 'unknown', requests: all }];
}
