import { type Clock, sleep } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { WhoReport } from '../contract/who.ts';
import type { MeshView } from '../index/view.ts';
import type { EvacuationStatus } from '../model/evacuation.ts';
import { groupKey } from '../plan/group.ts';
import type { GroupPlan } from '../plan/types.ts';
import { egressCluster, idcsCluster, instancesCluster } from '../translate/names.ts';
import { findDeclared, isPlanOf, seesPlan } from './declared.ts';
import { describeGroup } from './describe.ts';
import type { ReadClusters } from './read-clusters.ts';
import { chooseProxies, readAll, whoLimits } from './read-proxies.ts';
import type { AskedProxy, ProxyReading } from './types.ts';

/** What the question needs to know. */
interface WhoOptions {
  /** The local IDC. */
  readonly idc: string;
  readonly clock: Clock;
  view(): MeshView;
  plansOf(host: string): readonly GroupPlan[];
  proxies(): Iterable<AskedProxy>;
  evacuations(): readonly EvacuationStatus[];
  /** Percentages of Groups in gradual failback, by `groupKey`. */
  held(): ReadonlyMap<string, number>;
  readonly read: ReadClusters;
}

/** Answers who serves a host. */
export interface WhoReader {
  /**
   * Reads the proxies that have the host twice, `intervalMs` apart. `host` may end with a port, `HOST:PORT`.
   * Throws MeshError `not-found` if it is not declared, `exhausted` if too many ask at once.
   */
  who(host: string, intervalMs: number): Promise<WhoReport>;
}

/** Creates a reader: it keeps nothing between questions, and equal ones at one time share their readings. */
export function createWhoReader(options: WhoOptions): WhoReader {
  const asked = new Map<string, Promise<WhoReport>>();
  return {
    who(host, intervalMs) {
      const key = JSON.stringify([host, intervalMs]);
      const known = asked.get(key);
      if (known !== undefined) return known;
      if (asked.size >= whoLimits.questionsMax)
        return Promise.reject(
          new MeshError('exhausted', `${asked.size} hosts are being asked for: ask again in some seconds`),
        );
      const answer = report(options, host, intervalMs).finally(() => asked.delete(key));
      asked.set(key, answer);
      return answer;
    },
  };
}

async function report(options: WhoOptions, text: string, intervalMs: number): Promise<WhoReport> {
  const { clock, idc } = options;
  const { host, plans } = findDeclared(options, text);
  const having = [...options.proxies()].filter(
    (proxy) => proxy.role !== 'grpc' && plans.some((plan) => seesPlan(proxy, plan)),
  );
  const chosen = chooseProxies(having);
  const names = [
    ...new Set(plans.flatMap(({ group }) => [instancesCluster(group), idcsCluster(group)])),
    egressCluster,
  ];
  const before = await readAll(chosen, names, options.read);
  await sleep(clock, intervalMs);
  const at = new Date(clock.wall()).toISOString();
  const answered = chosen.filter((proxy) => before.get(proxy) instanceof Map);
  const after = await readAll(answered, names, options.read);
  const readings = answered.flatMap((proxy): ProxyReading[] => {
    const [first, second] = [before.get(proxy), after.get(proxy)];
    return typeof first === 'object' && typeof second === 'object'
      ? [{ proxy, before: first, after: second }]
      : [];
  });
  const silent = chosen.flatMap((proxy) => {
    const why = [before.get(proxy), after.get(proxy)].find((one) => typeof one === 'string');
    return typeof why === 'string' ? [{ node: proxy.node, role: proxy.role, why }] : [];
  });
  const view = options.view();
  const group = view.groups.get(host);
  return {
    ...{ host, idc, at, intervalMs },
    // The plans of now: those from before the readings may be older than what proxies have meanwhile.
    groups: findDeclared(options, text).plans.flatMap((plan) => {
      const own = [group, ...(group?.others ?? [])].find((one) => isPlanOf(one, plan));
      if (own === undefined) return [];
      const facts = { plan, view: own, idc, evacuations: options.evacuations() };
      return describeGroup(
        { ...facts, returningPercent: options.held().get(groupKey(plan)) },
        readings.filter(({ proxy }) => seesPlan(proxy, plan)),
      );
    }),
    proxies: { connected: having.length, asked: chosen.length, read: readings.length, silent },
    others: [...view.idcs.values()]
      .filter(({ meta }) => meta.name !== idc)
      .map(({ meta, spec }) => ({ idc: meta.name, controlPlanes: spec.controlPlanes ?? [] })),
  };
}
