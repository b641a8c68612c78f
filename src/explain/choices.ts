import type { WayChoice } from '../contract/explain.ts';
import { divideByPriority, factorOf, overprovisioningFactor } from '../plan/health/priorities.ts';
import type { CrossingIdc, GroupPlan, Path, PlannedLocality } from '../plan/types.ts';
import { planForZone, preferredZone } from '../plan/zone.ts';
import type { ProxyReading } from '../who/types.ts';
import { type CountedHost, egressHosts, ingressHosts, instanceHosts } from './hosts.ts';
import type { WayFacts } from './types.ts';

/** A choice before the requests are divided. */
interface Draft extends Pick<WayChoice, 'to' | 'idc'> {
  readonly priority: number;
  readonly hosts: readonly CountedHost[];
  /** The overprovisioning factor, percent. */
  readonly factor: number;
  /** Relative, among choices of its priority. */
  readonly weight: number;
  /** Why no request may go there, whatever its health. */
  readonly forbidden?: string | undefined;
}

/** A choice with its part of the requests; who decides finds the words. */
export interface DividedChoice extends Omit<WayChoice, 'isChosen' | 'why'> {
  /** How many of its hosts can be sent to. */
  readonly usable: number;
  readonly forbidden?: string | undefined;
}

/** The choices of the first proxy, or of an ingress for other IDCs: instances by priority, and the exit. */
export function nearChoices(
  facts: WayFacts,
  idc: string,
  path: Path,
  readings: readonly ProxyReading[],
): readonly DividedChoice[] {
  const { caller, plans } = facts;
  const plan = plans.get(idc) as GroupPlan;
  const zone = idc === facts.idc && 'zone' in caller.scope ? preferredZone([plan], caller.scope) : undefined;
  const own = { plan, localities: planForZone(plan, zone).instances };
  let next = 0;
  const drafts = path.priorities.flatMap((target): Draft[] => {
    if (target.kind === 'instances') {
      const levels = byPriority(own.localities);
      return levels.map((localities): Draft => {
        const hosts = instanceHosts(facts, idc, { plan, localities }, readings);
        return { to: 'instances', idc, priority: next++, hosts, factor: factorOf(plan), weight: 1 };
      });
    }
    const port = path.listener === 'outbound' ? 'sidecarPort' : 'ingressPort';
    const hosts = egressHosts(facts, idc, port, readings);
    return [{ to: 'egress', idc, priority: next++, hosts, factor: overprovisioningFactor, weight: 1 }];
  });
  return caller.role === 'grpc' ? firstTakesAll(drafts) : divided(drafts);
}

/** Priorities that are empty are left out (Envoy); without any instance there is one without hosts. */
function byPriority(localities: readonly PlannedLocality[]): readonly (readonly PlannedLocality[])[] {
  const levels = Map.groupBy(localities, ({ priority = 0 }) => priority);
  return levels.size === 0 ? [[]] : [...levels].sort(([a], [b]) => a - b).map(([, level]) => level);
}

/** The choices of an egress gateway: other IDCs. `forbids`: why a request may not go to one. */
export function farChoices(
  facts: WayFacts,
  plan: GroupPlan,
  forbids: (idc: string) => string | undefined,
  readings: readonly ProxyReading[],
): readonly DividedChoice[] {
  const drafts = (plan.crossing?.idcs ?? []).map(({ idc, priority, weight = 1 }: CrossingIdc): Draft => {
    const hosts = ingressHosts(facts, idc, plan, readings);
    const forbidden = forbids(idc);
    return { to: 'idc', idc, priority, hosts, factor: overprovisioningFactor, weight, forbidden };
  });
  return divided(drafts);
}

/** Divides requests among priorities, and those of one priority by weight among those that can serve. */
function divided(drafts: readonly Draft[]): readonly DividedChoice[] {
  const levels = [...Map.groupBy(drafts, ({ priority }) => priority)].sort(([a], [b]) => a - b);
  const loads = divideByPriority(
    levels.map(([, level]) => {
      const hosts = level.filter(isPermitted).flatMap((one) => one.hosts.filter((host) => host.isCounted));
      const usable = hosts.filter((host) => host.isUsable);
      const degraded = usable.filter(({ health }) => health === 'degraded').length;
      const factor = level[0]?.factor ?? overprovisioningFactor;
      return { hosts: hosts.length, healthy: usable.length - degraded, degraded, factor };
    }),
  );
  return levels.flatMap(([, level], i) => {
    const able = level.filter((one) => isPermitted(one) && usableOf(one) > 0);
    const weights = able.reduce((sum, one) => sum + partOf(one), 0);
    return level.map((one) => {
      const part = able.includes(one) && weights > 0 ? partOf(one) / weights : 0;
      return choiceOf(one, Math.round(10 * (loads[i] ?? 0) * part) / 10);
    });
  });
}

/** gRPC clients use one priority at a time: the first that can serve. */
function firstTakesAll(drafts: readonly Draft[]): readonly DividedChoice[] {
  const first = drafts.find((one) => usableOf(one) > 0);
  return drafts.map((one) => choiceOf(one, one === first ? 100 : 0));
}

function isPermitted({ forbidden }: Draft): boolean {
  return forbidden === undefined;
}

function usableOf({ hosts }: Pick<Draft, 'hosts'>): number {
  return hosts.filter(({ isUsable }) => isUsable).length;
}

/** The weight of an IDC is divided among its gateways, dead ones included. */
function partOf(one: Draft): number {
  const gateways = one.hosts.filter(({ isCounted }) => isCounted).length;
  return gateways === 0 ? 0 : (one.weight * usableOf(one)) / gateways;
}

function choiceOf(draft: Draft, percent: number): DividedChoice {
  const { priority, to, idc, hosts, forbidden } = draft;
  return {
    ...{ priority, to, idc, percent, usable: usableOf(draft), forbidden },
    hosts: hosts.map(({ isCounted: _, ...host }) => host),
  };
}
