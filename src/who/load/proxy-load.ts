import { bucketsBetween } from '../../base/buckets.ts';
import { compareText } from '../../base/text/compare-text.ts';
import type { TopReport } from '../../contract/load/top.ts';
import type { AskedProxy } from '../types.ts';
import { type ClusterStats, hostOfCluster, noClusterStats, type ProxyStats } from './stats-page.ts';

/**
 * The cluster that requests of clients have at an ingress gateway. Others at the instances' cluster come from
 * other IDCs: requests, and health checks, which fail where no instance can serve. `none`: it has no clients.
 */
export type EdgeEntry = 'failover' | 'instances' | 'none';

/** The entry of a host's port. */
export type EdgeEntries = (host: string, port: number) => EdgeEntry;

/** What a proxy has done between two readings. */
export interface ProxyLoad {
  readonly proxy: AskedProxy;
  /** By `HOST:PORT`. */
  readonly sent: ReadonlyMap<string, HostSent>;
  /** To other IDCs, of Groups that share a cluster. */
  readonly shared: readonly ClusterStats[];
  /** Of its clients: requests answered in the interval, and in flight at the second reading. */
  readonly edge: ProxyStats['edge'];
  /** Requests that no route took. */
  readonly unknown: number;
  /** Requests from other IDCs, by IDC. */
  readonly arrived: ProxyStats['arrived'];
}

/** What a proxy has sent for a host, by the kinds of cluster that it has. */
interface HostSent {
  readonly host: string;
  readonly port: number;
  readonly instances?: ClusterStats;
  readonly failover?: ClusterStats;
  readonly idcs?: ClusterStats;
}

/** What a first proxy has done for its own clients, for one host. */
interface OwnLoad {
  /** Answers, 5xx and times, all of the same requests. */
  readonly answers: number;
  readonly failed: number;
  readonly times: ClusterStats['times'];
  /** Tries at instances of this IDC. */
  readonly tries: number;
  /** Connections of TCP, which has no answers: begun, and given up as nobody can serve. */
  readonly begun: number;
  readonly givenUp: number;
  readonly inFlight: number;
}

/** The difference of two readings; nothing, if one of them failed. */
export function loadBetween(
  proxy: AskedProxy,
  before: ProxyStats | string | undefined,
  after: ProxyStats | string | undefined,
): readonly ProxyLoad[] {
  if (typeof before !== 'object' || typeof after !== 'object') return [];
  const sent = new Map<string, HostSent>();
  for (const [name, now] of after.clusters) {
    const cluster = hostOfCluster(name);
    if (cluster === undefined) continue;
    const { kind, host, port } = cluster;
    const stats = statsBetween(before.clusters.get(name), now);
    sent.set(`${host}:${port}`, { host, port, ...sent.get(`${host}:${port}`), [kind]: stats });
  }
  const arrived = [...after.arrived].map(
    ([idc, count]) => [idc, grown(before.arrived.get(idc) ?? 0, count)] as const,
  );
  const shared = [...after.shared].map(([name, now]) => statsBetween(before.shared.get(name), now));
  const edge = { active: after.edge.active, answers: grown(before.edge.answers, after.edge.answers) };
  const unknown = grown(before.unknown, after.unknown);
  return [{ proxy, sent, shared, edge, unknown, arrived: new Map(arrived) }];
}

/** A cluster that was removed and added again, or a proxy that was restarted, counts from 0. */
function statsBetween(before: ClusterStats | undefined, after: ClusterStats): ClusterStats {
  if (before === undefined || counters.some((field) => after[field] < before[field])) return after;
  const counts = counters.map((field) => [field, after[field] - before[field]]);
  return { ...after, ...Object.fromEntries(counts), times: bucketsBetween(before.times, after.times) };
}

const counters = ['tries', 'answers', 'failed', 'untried', 'unsent', 'retries'] as const;

function grown(before: number, after: number): number {
  return after < before ? after : after - before;
}

/** What a sidecar or an ingress gateway did for its own clients, for a host; an egress gateway has none. */
export function ownLoad({ proxy, sent, edge }: ProxyLoad, key: string, entries: EdgeEntries): OwnLoad {
  const found = sent.get(key);
  if (found === undefined || proxy.role === 'egress') return noLoad;
  const { host, port, instances = noClusterStats, failover } = found;
  if (proxy.role === 'sidecar') {
    const route = failover ?? instances;
    const tries = failover === undefined ? instances.tries : ownTries(instances);
    const given = { begun: instances.tries + route.untried, givenUp: route.untried };
    return { ...noLoad, ...answered(route), ...given, tries, inFlight: instances.active };
  }
  const entry = entries(host, port);
  const inFlight = Math.min(instances.active, edge.active);
  if (entry === 'failover')
    return { ...noLoad, ...answered(failover ?? noClusterStats), tries: ownTries(instances), inFlight };
  if (entry === 'none' || edge.answers + edge.active === 0) return noLoad;
  return { ...noLoad, ...answered(instances), tries: instances.tries, inFlight };
}

const noLoad: OwnLoad = {
  ...{ answers: 0, failed: 0, times: new Map(), tries: 0, begun: 0, givenUp: 0, inFlight: 0 },
};

function answered({ answers, failed, times }: ClusterStats): Pick<OwnLoad, 'answers' | 'failed' | 'times'> {
  return { answers, failed, times };
}

/**
 * Tries at instances that came by the aggregate: Envoy counts answers and retries at the cluster of the
 * route, so that those which it counts here belong to other requests.
 */
function ownTries({ tries, answers, untried, retries }: ClusterStats): number {
  return Math.max(0, Math.min(tries, tries - Math.max(0, answers - untried) - retries));
}

/**
 * What a first proxy has tried to send to its egress gateways for a host: of the tries by the aggregate,
 * those at no instance. At an ingress gateway requests of other IDCs that were handed on are among them.
 */
export function awayTries({ proxy, sent }: Pick<ProxyLoad, 'proxy' | 'sent'>, key: string): number {
  const { instances = noClusterStats, failover } = sent.get(key) ?? {};
  if (failover === undefined || proxy.role === 'egress') return 0;
  const all = Math.max(0, failover.answers - failover.untried) + failover.retries;
  return Math.max(0, all - ownTries(instances) - instances.unsent);
}

/** Requests from other IDCs at all of these, by IDC, the most first. */
export function arrivedAt(loads: readonly ProxyLoad[]): TopReport['arrived'] {
  const sums = new Map<string, number>();
  for (const [idc, count] of loads.flatMap(({ arrived }) => [...arrived]))
    sums.set(idc, (sums.get(idc) ?? 0) + count);
  return [...sums]
    .filter(([, requests]) => requests > 0)
    .map(([idc, requests]) => ({ idc: idc === '_unknown' ? 'unknown' : idc, requests }))
    .sort((a, b) => b.requests - a.requests || compareText(a.idc, b.idc));
}

/** Proxies with requests for hosts that nobody here declares, the most first. */
export function unknownAt(loads: readonly ProxyLoad[]): TopReport['unknownHosts'] {
  return loads
    .filter(({ unknown }) => unknown > 0)
    .map(({ proxy: { node, role }, unknown }) => ({ node, role, requests: unknown }))
    .sort((a, b) => b.requests - a.requests || compareText(a.node, b.node));
}

/** The proxies, the most requests first. */
export function proxyRows(loads: readonly ProxyLoad[], entries: EdgeEntries): TopReport['proxies'] {
  return loads
    .map((load) => {
      const { node, role } = load.proxy;
      const active = [
        ...[...load.sent.values()].flatMap(({ instances, idcs }) => [
          instances?.active ?? 0,
          idcs?.active ?? 0,
        ]),
        ...load.shared.map((one) => one.active),
      ];
      return { node, role, ...countsOf(load, entries), inFlight: totalOf(active) };
    })
    .sort((a, b) => b.requests - a.requests || compareText(a.node, b.node));
}

function countsOf(load: ProxyLoad, entries: EdgeEntries): { requests: number; failed: number } {
  const { proxy, sent, edge, arrived } = load;
  if (proxy.role === 'egress') {
    const idcs = [...[...sent.values()].map((one) => one.idcs ?? noClusterStats), ...load.shared];
    return {
      requests: totalOf(idcs.map(({ answers }) => answers)),
      failed: totalOf(idcs.map((one) => one.failed)),
    };
  }
  const own = [...sent.keys()].map((key) => ownLoad(load, key, entries));
  const requests = totalOf(own.map(({ answers, begun }) => (answers > 0 ? answers : begun)));
  const failed = totalOf(own.map((one) => (one.answers > 0 ? one.failed : one.givenUp)));
  if (proxy.role === 'sidecar') return { requests, failed };
  // Requests from other IDCs that may be handed on have the cluster of clients, and are in both counts.
  return { requests: Math.min(requests, edge.answers) + totalOf([...arrived.values()]), failed };
}

/** The sum of these. */
export function totalOf(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
