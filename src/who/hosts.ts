import { compareText } from '../base/text/compare-text.ts';
import type { HostReason, HostReport, NextIdc } from '../contract/who.ts';
import { addressKind } from '../model/values/address.ts';
import { showEndpoint } from '../model/values/listen-address.ts';
import type { ProxyReading, SeenHost } from './types.ts';

/** The hosts of one cluster at several proxies. */
export interface HostTotals {
  /** Proxies that have the cluster. */
  readonly readings: number;
  /** Sent to all hosts in the interval. */
  readonly requests: number;
  /** A host that the registry has, whether a proxy does or not. */
  expect(address: string, port: number, weight: number): void;
  /**
   * The hosts by priority and address; `all`: the requests of which each has a share. Of one IDC, if it is
   * given.
   */
  reports(all: number, nameOf?: (address: string) => string | undefined, idc?: string): readonly HostReport[];
}

interface Sighting {
  readonly node: string;
  readonly host: SeenHost;
  readonly requests: number;
}

/** Adds up what proxies say of a cluster. */
export function totalHosts(readings: readonly ProxyReading[], cluster: string): HostTotals {
  const hosts = new Map<string, Sighting[]>();
  const expected = new Map<string, number>();
  const having = readings.filter(({ after }) => after.has(cluster));
  for (const { proxy, before, after } of having)
    for (const host of after.get(cluster) ?? []) {
      const earlier = before.get(cluster)?.find(({ address }) => address === host.address)?.requests ?? 0;
      // A host that was added again counts from 0.
      const requests = host.requests < earlier ? host.requests : host.requests - earlier;
      const list = hosts.get(host.address) ?? [];
      list.push({ node: proxy.node, host, requests });
      hosts.set(host.address, list);
    }
  return {
    readings: having.length,
    requests: sum([...hosts.values()].flat().map(({ requests }) => requests)),
    expect(address, port, weight) {
      // A name is looked up by each proxy.
      if (addressKind(address) === 'dns') return;
      expected.set(showEndpoint({ address, port }), weight);
    },
    reports(all, nameOf = () => undefined, idc) {
      const seen = [...hosts]
        .filter(([, list]) => idc === undefined || list.some(({ host }) => host.idc === idc))
        .map(([address, list]) => reportOf(address, list, all, nameOf));
      const unseen = [...expected]
        .filter(([address]) => !hosts.has(address))
        .map(
          ([address, weight]): HostReport => ({ ...unseenHost, address, weight, ...named(nameOf(address)) }),
        );
      return [...seen, ...unseen].sort(
        (a, b) => a.priority - b.priority || compareText(a.address, b.address),
      );
    },
  };
}

/** Whether requests may go to any of the hosts; no host: no. */
export function judgeHosts(hosts: readonly HostReport[]): NextIdc['usable'] {
  return hosts.some(({ usableAt }) => usableAt > 0) ? 'yes' : 'no';
}

/** The one of these IDCs whose hosts were sent all requests in the interval; undefined: several, or none. */
export function onlyIdc(hosts: HostTotals, idcs: readonly string[]): string | undefined {
  const used = idcs.filter((idc) => hosts.reports(0, undefined, idc).some(({ requests }) => requests > 0));
  return used.length === 1 ? used[0] : undefined;
}

const unseenHost: Omit<HostReport, 'address' | 'weight'> = {
  ...{ priority: 0, health: 'unknown', why: [], knownTo: 0, usableAt: 0, requests: 0, active: 0 },
};

function reportOf(
  address: string,
  list: readonly Sighting[],
  all: number,
  nameOf: (address: string) => string | undefined,
): HostReport {
  const [{ host: first }] = list as [Sighting];
  const usable = list.filter(({ host }) => host.health !== 'unhealthy');
  const requests = sum(list.map((one) => one.requests));
  return {
    ...{ address, ...named(nameOf(address)), ...(first.zone === '' ? {} : { zone: first.zone }) },
    ...{ priority: Math.min(...list.map(({ host }) => host.priority)), weight: first.weight },
    ...{ health: healthAt(list, usable), why: reasonsAt(list) },
    ...{ knownTo: list.length, usableAt: usable.length, requests },
    ...(all === 0 ? {} : { share: requests / all }),
    active: sum(list.map(({ host }) => host.active)),
  };
}

function healthAt(list: readonly Sighting[], usable: readonly Sighting[]): HostReport['health'] {
  if (usable.length === 0) return 'unhealthy';
  if (usable.length < list.length) return 'mixed';
  return list.some(({ host }) => host.health === 'degraded') ? 'degraded' : 'healthy';
}

function reasonsAt(list: readonly Sighting[]): HostReport['why'] {
  const found = new Map<HostReason, string[]>();
  for (const { node, host } of list)
    for (const reason of host.why) found.set(reason, [...(found.get(reason) ?? []), node]);
  return [...found].map(([reason, at]) => ({ reason, at: at.sort() }));
}

function named(name: string | undefined): { readonly name?: string } {
  return name === undefined ? {} : { name };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
