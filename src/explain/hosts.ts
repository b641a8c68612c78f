import type { WayHost } from '../contract/explain.ts';
import { hostReasonWords } from '../contract/host-reasons.ts';
import type { HostReport } from '../contract/who.ts';
import { type ListenAddress, showAddress, showEndpoint } from '../model/values/listen-address.ts';
import { splitLocality } from '../model/values/locality.ts';
import { peersOf } from '../plan/gateways.ts';
import type { GroupPlan, PlannedLocality } from '../plan/types.ts';
import { awayCluster, egressCluster, instancesCluster } from '../translate/names.ts';
import { workloadEntryOf } from '../who/describe.ts';
import { totalHosts } from '../who/hosts.ts';
import type { ProxyReading } from '../who/types.ts';
import { hostKey, type WayFacts } from './types.ts';

/** A host of a choice, and whether it counts among those of which a part must be healthy. */
export interface CountedHost extends WayHost {
  readonly isCounted: boolean;
}

/** Where the hosts of a hop are looked up: none of the readings has the cluster, if absent. */
type Reports = ReadonlyMap<string, HostReport> | undefined;

/** A host before its health is known. */
interface PlannedHost {
  readonly idc: string;
  readonly address: string;
  readonly name?: string | undefined;
  readonly isLastResort?: boolean;
}

function reportsOf(readings: readonly ProxyReading[], cluster: string): Reports {
  const totals = totalHosts(readings, cluster);
  return totals.readings === 0
    ? undefined
    : new Map(totals.reports(0).map((report) => [report.address, report]));
}

/** Instances of one priority in an IDC, as these proxies have them. */
export function instanceHosts(
  facts: WayFacts,
  idc: string,
  { plan, localities }: { readonly plan: GroupPlan; readonly localities: readonly PlannedLocality[] },
  readings: readonly ProxyReading[],
): readonly CountedHost[] {
  const reports = reportsOf(readings, instancesCluster(plan.group));
  if (plan.lookup !== undefined && reports !== undefined) {
    const priority = localities[0]?.priority ?? 0;
    return [...reports.values()]
      .filter((one) => one.priority === priority)
      .map((one) => hostOf(facts, { idc, address: one.address }, reports));
  }
  return localities.flatMap(({ name, endpoints, lastResort: isLastResort = false }) =>
    endpoints.map((endpoint) => {
      const address = showEndpoint(endpoint);
      const place = { idc: splitLocality(name).idc || idc, address, isLastResort };
      return hostOf(facts, { ...place, name: workloadEntryOf(facts.view, address) }, reports);
    }),
  );
}

/** The egress gateways of an IDC, at the port for sidecars or for ingress gateways. */
export function egressHosts(
  facts: WayFacts,
  idc: string,
  port: 'sidecarPort' | 'ingressPort',
  readings: readonly ProxyReading[],
): readonly CountedHost[] {
  const reports = reportsOf(readings, egressCluster);
  return (facts.idcs.get(idc)?.spec.egress ?? []).map((gateway, i) => {
    const { address, sidecarPort } = gateway;
    const place = {
      idc,
      address: showAddress({ address, port: gateway[port] }),
      name: `${idc}/egress-${i + 1}`,
    };
    if (isHung(facts, idc, { address, port: sidecarPort })) return withNode(facts, hungHost(place));
    const host = withNode(facts, hostOf(facts, place, reports));
    const why = facts.lostExits.get(place.address);
    return why === undefined || host.why === assumedUp.why ? host : { ...host, ...unusable, why };
  });
}

/** The ingress gateways of another IDC, as the egress gateways of one have them. */
export function ingressHosts(
  facts: WayFacts,
  idc: string,
  plan: GroupPlan,
  readings: readonly ProxyReading[],
): readonly CountedHost[] {
  const reports = reportsOf(readings, awayCluster(plan));
  const target = facts.idcs.get(idc);
  const isAlive = plan.crossing?.check !== undefined && isKnownAlive(facts, idc);
  const isEmpty = plan.crossing?.check !== undefined && isKnownEmpty(facts, idc, reports !== undefined);
  return (target === undefined ? [] : peersOf(target)).map((at, i) => {
    const place = { idc, address: showAddress(at), name: `${idc}/ingress-${i + 1}` };
    if (isHung(facts, idc, at)) return withNode(facts, hungHost(place));
    const host = withNode(facts, hostOf(facts, place, reports));
    if (isAlive && host.health === 'unhealthy') return { ...host, ...assumedUp };
    return isEmpty && host.isUsable
      ? { ...host, ...unusable, why: `${hostReasonWords['check-failed']}: no instance of ${idc} can serve` }
      : host;
  });
}

/** A gateway as the one that is connected there is called. */
function withNode({ gateways }: WayFacts, host: CountedHost): CountedHost {
  return { ...host, ...gateways.get(host.name ?? '') };
}

/**
 * Whether checks through an IDC's ingress gateways must fail: all of its instances are assumed to be down; or
 * it has none, and no proxy was read that would know better.
 */
function isKnownEmpty({ plans, down }: WayFacts, idc: string, isRead: boolean): boolean {
  const endpoints = (plans.get(idc)?.instances ?? []).flatMap((one) => one.endpoints);
  if (endpoints.length === 0) return !isRead;
  return endpoints.every((endpoint) => down.has(hostKey(idc, showEndpoint(endpoint))));
}

/** Of a host that is assumed to be up. */
const assumedUp = { health: 'healthy', isUsable: true, isCounted: true, why: 'assumed' } as const;

const unusable = { health: 'unhealthy', isUsable: false } as const;

/** Whether an instance of an IDC is assumed to be up: then checks through its ingress gateways pass. */
function isKnownAlive({ plans, up }: WayFacts, idc: string): boolean {
  const endpoints = (plans.get(idc)?.instances ?? []).flatMap((one) => one.endpoints);
  return endpoints.some((endpoint) => up.has(hostKey(idc, showEndpoint(endpoint))));
}

function isHung({ hungGateways, up }: WayFacts, idc: string, { address, port }: ListenAddress): boolean {
  if (up.has(hostKey(idc, showAddress({ address, port })))) return false;
  return hungGateways.some((one) => one.address === address && one.port === port);
}

/** It is not among the endpoints that proxies get. */
function hungHost({ address, name }: PlannedHost): CountedHost {
  const why = 'accepts connections and never answers: taken out of use';
  return { address, ...named(name), ...unusable, why, isCounted: false };
}

function hostOf({ down, up }: WayFacts, planned: PlannedHost, reports: Reports): CountedHost {
  const { idc, address, name, isLastResort = false } = planned;
  const base = { address, ...named(name), isCounted: true };
  if (down.has(hostKey(idc, address))) return { ...base, health: 'down', isUsable: false, why: 'assumed' };
  if (up.has(hostKey(idc, address)))
    return { ...base, ...assumedUp, ...(isLastResort ? { health: 'degraded' } : {}) };
  if (reports === undefined) {
    const health = isLastResort ? 'degraded' : 'unknown';
    return { ...base, health, isUsable: true, why: isLastResort ? hostReasonWords['last-resort'] : '' };
  }
  const report = reports.get(address);
  if (report === undefined || report.knownTo === 0)
    return { ...base, health: 'unknown', isUsable: false, why: 'no proxy has it yet', isCounted: false };
  const { health, why, knownTo, usableAt } = report;
  const words = why.map(({ reason, at }) =>
    at.length === knownTo ? hostReasonWords[reason] : `${hostReasonWords[reason]} at ${at.join(', ')}`,
  );
  // A supposed evacuation is not in the readings.
  if (isLastResort && health === 'healthy')
    return { ...base, health: 'degraded', isUsable: usableAt > 0, why: hostReasonWords['last-resort'] };
  const isExcluded = why.some(({ reason }) => reason === 'told-unhealthy');
  return { ...base, health, isUsable: usableAt > 0, why: words.join('; '), isCounted: !isExcluded };
}

function named(name: string | undefined): { readonly name?: string } {
  return name === undefined ? {} : { name };
}
