import { sleep } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { ServedReport, WhoReport } from '../contract/who.ts';
import { groupKey } from '../plan/group.ts';
import { awayCluster, egressCluster, instancesCluster } from '../translate/names.ts';
import { findDeclared, isPlanOf, seesPlan } from './declared.ts';
import { describeGroup } from './describe.ts';
import { findLostExits } from './gateways/exits.ts';
import { countGone } from './gateways/gone.ts';
import { chooseProxies, readAll, whoLimits } from './read-proxies.ts';
import { createServedReader } from './served.ts';
import type { ProxyReading } from './types.ts';
import type { WhoOptions } from './who-options.ts';

/** Answers who serves a host. */
export interface WhoReader {
  /**
   * Reads the proxies that have the host twice, `intervalMs` apart. `host` may end with a port, `HOST:PORT`.
   * Throws MeshError `not-found` if it is not declared, `exhausted` if too many ask at once.
   */
  who(host: string, intervalMs: number): Promise<WhoReport>;
  /** Reads a few proxies once, and names what this IDC does not serve itself. The answer may be 5 s old. */
  served(): Promise<ServedReport>;
}

/** Creates a reader: it keeps nothing between questions, and equal ones at one time share their readings. */
export function createWhoReader(options: WhoOptions): WhoReader {
  const asked = new Map<string, Promise<WhoReport>>();
  return {
    served: createServedReader(options),
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
    ...new Set(plans.flatMap((plan) => [instancesCluster(plan.group), awayCluster(plan)])),
    egressCluster,
  ];
  const [before, counting] = await Promise.all([
    readAll(chosen, names, options.read),
    countGone(options.readStats, plans, chosen),
  ]);
  await sleep(clock, intervalMs);
  const at = new Date(clock.wall()).toISOString();
  const answered = chosen.filter((proxy) => before.get(proxy) instanceof Map);
  const [after, goneOf] = await Promise.all([readAll(answered, names, options.read), counting.end()]);
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
  const leaving = await findLostExits(
    options,
    readings.map(({ proxy }) => proxy),
  );
  const view = options.view();
  const group = view.groups.get(host);
  return {
    ...{ host, idc, at, intervalMs },
    // The plans of now: those from before the readings may be older than what proxies have meanwhile.
    groups: findDeclared(options, text).plans.flatMap((plan) => {
      const own = [group, ...(group?.others ?? [])].find((one) => isPlanOf(one, plan));
      if (own === undefined) return [];
      const facts = { plan, view: own, idc, evacuations: options.evacuations(), drains: view.drains };
      return describeGroup(
        { ...facts, leaving, gone: goneOf(plan), returningPercent: options.held().get(groupKey(plan)) },
        readings.filter(({ proxy }) => seesPlan(proxy, plan)),
      );
    }),
    exits: { isCutOff: leaving.isCutOff, lost: [...leaving.lost] },
    proxies: { connected: having.length, asked: chosen.length, read: readings.length, silent },
    others: [...view.idcs.values()]
      .filter(({ meta }) => meta.name !== idc)
      .map(({ meta, spec }) => ({ idc: meta.name, controlPlanes: spec.controlPlanes ?? [] })),
  };
}
