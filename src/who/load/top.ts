import {
  type Buckets,
  bucketsBetween,
  countOfBuckets,
  percentileOfBuckets,
  sumOfBuckets,
} from '../../base/buckets.ts';
import { sleep } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { compareText } from '../../base/text/compare-text.ts';
import type { HostLoad, TopReport } from '../../contract/load/top.ts';
import type { ListenAddress } from '../../model/values/listen-address.ts';
import { idcsCluster } from '../../translate/names.ts';
import { type HostTotals, totalHosts } from '../hosts.ts';
import { chooseProxies, readAll, readEach, whoLimits } from '../read-proxies.ts';
import type { AskedProxy, ProxyReading, SeenClusters } from '../types.ts';
import type { WhoOptions } from '../who-options.ts';
import { type ClusterStats, hostOfCluster, type ProxyStats } from './stats-page.ts';

/** Answers which hosts and proxies have how much to do. */
export interface TopReader {
  /**
   * Reads the statistics of connected Envoys twice, `intervalMs` apart. Throws MeshError `exhausted` if too
   * many ask at once.
   */
  top(intervalMs: number): Promise<TopReport>;
}

/** What a reader needs. */
interface TopOptions extends Pick<WhoOptions, 'idc' | 'clock' | 'view' | 'proxies' | 'read'> {
  /** Reads the statistics of an Envoy. Rejects with an Error that says why it cannot. */
  readStats(at: ListenAddress): Promise<ProxyStats>;
}

/** Hosts whose share by IDC is read: the first by name of those that have left the IDC. */
const awayHostsMax = 200;

/** Creates a reader: it keeps nothing between questions, and equal ones at one time share their readings. */
export function createTopReader(options: TopOptions): TopReader {
  const asked = new Map<number, Promise<TopReport>>();
  return {
    top(intervalMs) {
      const known = asked.get(intervalMs);
      if (known !== undefined) return known;
      if (asked.size >= whoLimits.questionsMax)
        return Promise.reject(new MeshError('exhausted', 'others are asking: ask again in some seconds'));
      const answer = readTop(options, intervalMs).finally(() => asked.delete(intervalMs));
      asked.set(intervalMs, answer);
      return answer;
    },
  };
}

/** What a proxy has sent to a cluster between two readings. */
interface Sent {
  readonly proxy: AskedProxy;
  readonly cluster: NonNullable<ReturnType<typeof hostOfCluster>>;
  readonly stats: ClusterStats;
}

async function readTop(options: TopOptions, intervalMs: number): Promise<TopReport> {
  const { clock, idc } = options;
  const all = [...options.proxies()].filter(({ role }) => role !== 'grpc');
  const chosen = chooseProxies(all);
  const first = await readEach(chosen, options.readStats);
  const awayBefore = idcsNames([...first.values()]);
  const readBefore = awayBefore.slice(0, awayHostsMax);
  const gateways = chosen.filter(({ role }) => role === 'egress');
  const firstAway = await readAll(gateways, readBefore, options.read);
  const began = clock.now();
  await sleep(clock, intervalMs);
  const at = new Date(clock.wall()).toISOString();
  const answered = chosen.filter((proxy) => typeof first.get(proxy) === 'object');
  const second = await readEach(answered, options.readStats);
  // Of a host that had not left the IDC before, the gateways count from 0.
  const notRead = new Set(awayBefore.slice(awayHostsMax));
  const readAfter = idcsNames([...second.values()]).filter((name) => !notRead.has(name));
  const secondAway = await readAll(gateways, readAfter.slice(0, 2 * awayHostsMax), options.read);
  const sent = answered.flatMap((proxy) => sentBetween(proxy, first.get(proxy), second.get(proxy)));
  const away = gateways.flatMap((proxy) => awayBetween(proxy, firstAway.get(proxy), secondAway.get(proxy)));
  const { idcs } = options.view();
  const others = [...idcs.values()].filter(({ meta }) => meta.name !== idc);
  const names = others.map(({ meta }) => meta.name);
  const hosts = hostsOf(sent, away, idc, names);
  const busy = hosts.filter(({ requests, inFlight }) => requests + inFlight > 0);
  return {
    ...{ idc, at, intervalMs: Math.round(clock.now() - began) },
    ...{ hosts: busy, idle: hosts.length - busy.length, proxies: proxiesOf(answered, sent, second) },
    connected: all.length,
    silent: chosen.flatMap((proxy) => {
      const why = [first.get(proxy), second.get(proxy)].find((one) => typeof one === 'string');
      return typeof why === 'string' ? [{ node: proxy.node, role: proxy.role, why }] : [];
    }),
    others: others.map(({ meta, spec }) => ({
      ...{ idc: meta.name, controlPlanes: [...(spec.controlPlanes ?? [])] },
    })),
  };
}

/** The clusters of hosts that have been sent to other IDCs. */
function idcsNames(readings: readonly (ProxyStats | string)[]): readonly string[] {
  const names = new Set<string>();
  for (const reading of readings)
    for (const [name, { requests }] of typeof reading === 'string' ? [] : reading) {
      const cluster = hostOfCluster(name);
      if (cluster?.kind === 'idcs' && requests > 0) names.add(idcsCluster(cluster));
    }
  return [...names].sort(compareText);
}

function sentBetween(
  proxy: AskedProxy,
  before: ProxyStats | string | undefined,
  after: ProxyStats | string | undefined,
): readonly Sent[] {
  if (typeof before !== 'object' || typeof after !== 'object') return [];
  return [...after].flatMap(([name, now]) => {
    const cluster = hostOfCluster(name);
    return cluster === undefined ? [] : [{ proxy, cluster, stats: statsBetween(before.get(name), now) }];
  });
}

/** A cluster that was removed and added again, or a proxy that was restarted, counts from 0. */
function statsBetween(before: ClusterStats | undefined, after: ClusterStats): ClusterStats {
  if (before === undefined || after.requests < before.requests) return after;
  return {
    requests: after.requests - before.requests,
    failed: Math.max(0, after.failed - before.failed),
    active: after.active,
    times: bucketsBetween(before.times, after.times),
  };
}

function awayBetween(
  proxy: AskedProxy,
  before: SeenClusters | string | undefined,
  after: SeenClusters | string | undefined,
): readonly ProxyReading[] {
  return typeof before === 'object' && typeof after === 'object' ? [{ proxy, before, after }] : [];
}

function hostsOf(
  sent: readonly Sent[],
  away: readonly ProxyReading[],
  idc: string,
  others: readonly string[],
): HostLoad[] {
  const byHost = Map.groupBy(sent, ({ cluster: { host, port } }) => `${host}:${port}`);
  const hosts = [...byHost.values()].map((list): HostLoad => {
    const { host, port } = (list[0] as Sent).cluster;
    const of = (...kinds: readonly string[]) => list.filter(({ cluster }) => kinds.includes(cluster.kind));
    // Of an aggregate Envoy counts tries at its members, and answers and times at the aggregate itself.
    const answers = of('instances', 'failover').filter(({ proxy }) => proxy.role !== 'egress');
    const here = sum(of('instances'), 'requests');
    const gone = sum(of('idcs'), 'requests');
    const times = sumOfBuckets(answers.map(({ stats }) => stats.times));
    return {
      ...{ host, port, requests: here + gone, failed: sum(answers, 'failed') },
      ...percentilesOf(times),
      inFlight: sum(of('instances', 'idcs'), 'active'),
      idcs: [
        ...(here > 0 ? [{ idc, requests: here }] : []),
        ...goneTo(totalHosts(away, idcsCluster({ host, port })), others, gone),
      ].sort((a, b) => b.requests - a.requests || compareText(a.idc, b.idc)),
    };
  });
  return hosts.sort((a, b) => b.requests - a.requests || compareText(a.host, b.host) || a.port - b.port);
}

function sum(list: readonly Sent[], field: 'requests' | 'failed' | 'active'): number {
  return list.reduce((total, { stats }) => total + stats[field], 0);
}

function percentilesOf(times: Buckets): Pick<HostLoad, 'p50Ms' | 'p99Ms'> {
  if (countOfBuckets(times) === 0) return {};
  return { p50Ms: percentileOfBuckets(times, 0.5), p99Ms: percentileOfBuckets(times, 0.99) };
}

/** Requests by IDC, of gateways that were read; the IDC of the rest is not known. */
function goneTo(gateways: HostTotals, others: readonly string[], all: number): HostLoad['idcs'] {
  const known = others.map((idc) => {
    const requests = gateways.reports(0, undefined, idc).reduce((total, one) => total + one.requests, 0);
    return { idc, requests };
  });
  const rest = all - known.reduce((total, { requests }) => total + requests, 0);
  return [...known, { idc: 'unknown', requests: rest }].filter(({ requests }) => requests > 0);
}

function proxiesOf(
  proxies: readonly AskedProxy[],
  sent: readonly Sent[],
  second: ReadonlyMap<AskedProxy, ProxyStats | string>,
): TopReport['proxies'] {
  return proxies
    .filter((proxy) => typeof second.get(proxy) === 'object')
    .map((proxy) => {
      const own = sent.filter((one) => one.proxy === proxy);
      const tries = own.filter(({ cluster }) => cluster.kind !== 'failover');
      const { node, role } = proxy;
      const counts = { requests: sum(tries, 'requests'), failed: sum(own, 'failed') };
      return { node, role, ...counts, inFlight: sum(tries, 'active') };
    })
    .sort((a, b) => b.requests - a.requests || compareText(a.node, b.node));
}
