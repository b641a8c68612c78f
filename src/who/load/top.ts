import { sleep } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { compareText } from '../../base/text/compare-text.ts';
import type { TopReport } from '../../contract/load/top.ts';
import type { GroupPlan } from '../../plan/types.ts';
import { awayCluster } from '../../translate/names.ts';
import type { ReadStats } from '../read-clusters.ts';
import { chooseProxies, readAll, readEach, whoLimits } from '../read-proxies.ts';
import type { AskedProxy, ProxyReading, SeenClusters } from '../types.ts';
import type { WhoOptions } from '../who-options.ts';
import { hostsOf } from './host-load.ts';
import {
  arrivedAt,
  type EdgeEntries,
  type EdgeEntry,
  loadBetween,
  proxyRows,
  unknownAt,
} from './proxy-load.ts';
import { hostOfCluster, type ProxyStats } from './stats-page.ts';

/** Answers which hosts and proxies have how much to do. */
export interface TopReader {
  /**
   * Reads the statistics of connected Envoys twice, `intervalMs` apart. Throws MeshError `exhausted` if too
   * many ask at once.
   */
  top(intervalMs: number): Promise<TopReport>;
}

/** What a reader needs. */
interface TopOptions extends Pick<WhoOptions, 'idc' | 'clock' | 'view' | 'plansOf' | 'proxies' | 'read'> {
  readonly readStats: ReadStats;
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

async function readTop(options: TopOptions, intervalMs: number): Promise<TopReport> {
  const { clock, idc } = options;
  const all = [...options.proxies()].filter(({ role }) => role !== 'grpc');
  const chosen = chooseProxies(all);
  const first = await readEach(chosen, (at) => options.readStats(at));
  const awayBefore = idcsNames([...first.values()]);
  const readBefore = awayBefore.slice(0, awayHostsMax);
  const gateways = chosen.filter(({ role }) => role === 'egress');
  const firstAway = await readAll(gateways, readBefore, options.read);
  const began = clock.now();
  await sleep(clock, intervalMs);
  const at = new Date(clock.wall()).toISOString();
  const answered = chosen.filter((proxy) => typeof first.get(proxy) === 'object');
  const second = await readEach(answered, (at) => options.readStats(at));
  // Of a host that had not left the IDC before, the gateways count from 0.
  const notRead = new Set(awayBefore.slice(awayHostsMax));
  const readAfter = idcsNames([...second.values()]).filter((name) => !notRead.has(name));
  const secondAway = await readAll(gateways, readAfter.slice(0, 2 * awayHostsMax), options.read);
  const loads = answered.flatMap((proxy) => loadBetween(proxy, first.get(proxy), second.get(proxy)));
  const away = gateways.flatMap((proxy) => awayBetween(proxy, firstAway.get(proxy), secondAway.get(proxy)));
  const { idcs } = options.view();
  const others = [...idcs.values()].filter(({ meta }) => meta.name !== idc);
  const planOf = plansByPort(options);
  const entries: EdgeEntries = (host, port) => edgeEntry(planOf(host, port));
  const awayOf = (host: string, port: number) => {
    const plan = planOf(host, port);
    // Of a Group that is gone, what it had last is not known.
    const cluster = awayCluster(plan ?? { group: { host, port } });
    return { cluster, isShared: plan?.crossing?.away !== undefined };
  };
  const hosts = hostsOf(loads, entries, { idc, others: others.map(({ meta }) => meta.name), away, awayOf });
  const busy = hosts.filter(({ requests, inFlight }) => requests + inFlight > 0);
  return {
    ...{ idc, at, intervalMs: Math.round(clock.now() - began) },
    ...{ hosts: busy, idle: hosts.length - busy.length, proxies: proxyRows(loads, entries) },
    arrived: arrivedAt(loads),
    unknownHosts: unknownAt(loads),
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
    if (typeof reading !== 'string') {
      for (const [name, { tries }] of reading.shared) if (tries > 0) names.add(name);
      for (const [name, { tries }] of reading.clusters) {
        const group = hostOfCluster(name);
        if (group?.kind === 'idcs' && tries > 0) names.add(awayCluster({ group }));
      }
    }
  return [...names].sort(compareText);
}

function awayBetween(
  proxy: AskedProxy,
  before: SeenClusters | string | undefined,
  after: SeenClusters | string | undefined,
): readonly ProxyReading[] {
  return typeof before === 'object' && typeof after === 'object' ? [{ proxy, before, after }] : [];
}

/** The plan of a host's port; each is looked for once. */
function plansByPort({ plansOf }: TopOptions): (host: string, port: number) => GroupPlan | undefined {
  const known = new Map<string, GroupPlan | undefined>();
  return (host, port) => {
    const key = `${host}:${port}`;
    if (!known.has(key))
      known.set(
        key,
        plansOf(host).find(({ group }) => group.port === port),
      );
    return known.get(key);
  };
}

/** Where requests of clients enter at ingress gateways. */
function edgeEntry(plan: GroupPlan | undefined): EdgeEntry {
  const kinds = plan?.paths.edge.priorities.map(({ kind }) => kind) ?? [];
  if (kinds.includes('egress')) return 'failover';
  return kinds.includes('instances') ? 'instances' : 'none';
}
