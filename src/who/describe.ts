import type { GroupReport, HostReport, NextIdc } from '../contract/who.ts';
import type { GroupView, MeshView } from '../index/view.ts';
import { drainKey, shownDrain } from '../model/drain.ts';
import type { EvacuationStatus } from '../model/evacuation.ts';
import { evacuates } from '../model/evacuation.ts';
import type { CrossingIdc, GroupPlan } from '../plan/types.ts';
import { awayCluster, egressCluster, instancesCluster } from '../translate/names.ts';
import type { Exits } from './gateways/exits.ts';
import { type HostTotals, judgeHosts, onlyIdc, totalHosts } from './hosts.ts';
import type { ProxyReading } from './types.ts';

/** What is known of a Group besides the readings. */
interface GroupFacts {
  readonly plan: GroupPlan;
  readonly view: GroupView;
  /** The local IDC. */
  readonly idc: string;
  readonly evacuations: readonly EvacuationStatus[];
  /** By `drainKey`. */
  readonly drains: MeshView['drains'];
  /** Percentage taken back in a gradual failback; undefined: none is under way. */
  readonly returningPercent: number | undefined;
  readonly leaving: Exits;
  /** Requests that left the IDC, where egress gateways count them with those of other Groups. */
  readonly gone?: number;
}

/** Describes one port of a Group by the readings of proxies that have it. */
export function describeGroup(facts: GroupFacts, readings: readonly ProxyReading[]): GroupReport {
  const { plan, view } = facts;
  const callers = readings.filter(({ proxy }) => proxy.role !== 'egress');
  const near = totalHosts(callers, instancesCluster(plan.group));
  for (const { endpoints } of [...plan.instances, ...(plan.drained ?? [])])
    for (const { address, port, weight } of endpoints) near.expect(address, port, weight);
  const far = totalHosts(
    readings.filter(({ proxy }) => proxy.role === 'egress'),
    awayCluster(plan),
  );
  const shared =
    plan.crossing?.away === undefined ? undefined : { gone: facts.gone ?? 0, to: onlyIdcOf(plan, far) };
  const away = shared?.gone ?? far.requests;
  const all = near.requests + away;
  const instances = near.reports(all, (address) => workloadEntryOf(view, address));
  const exits = plan.crossing === undefined ? [] : exitsOf(callers, facts.leaving);
  const next = (plan.crossing?.idcs ?? []).map((one) => nextIdc(one, far, all, shared));
  const judged = judge(facts, near, exits, next);
  const evacuations = evacuationsOf(facts).map(({ name }) => name);
  return {
    ...{ namespace: plan.namespace, port: plan.group.port, protocol: plan.protocol, ...judged },
    ...{ requests: all, ...(all === 0 ? {} : { awayShare: away / all }) },
    ...{ instances, exits, next, evacuations, drained: drainedIn(facts) },
    ...(plan.localShare === undefined ? {} : { keepsPercent: plan.localShare }),
    ...(facts.returningPercent === undefined ? {} : { returningPercent: facts.returningPercent }),
    ...(plan.spill === undefined ? {} : { spillLimit: plan.spill.limit }),
    readAt: readings.map(({ proxy }) => proxy.node).sort(),
  };
}

/** Egress gateways as callers have them; those that are lost are not usable, whatever these say. */
function exitsOf(callers: readonly ProxyReading[], { lost }: Exits): readonly HostReport[] {
  const why = new Map(lost.flatMap((one) => one.addresses.map((address) => [address, one.why] as const)));
  return totalHosts(callers, egressCluster)
    .reports(0)
    .map((one): HostReport => {
      const words = why.get(one.address);
      return words === undefined ? one : { ...one, health: 'unhealthy', usableAt: 0, lost: words };
    });
}

/** Of a Group that egress gateways count with others: how many left, and the IDC that had those of all. */
interface SharedCounts {
  readonly gone: number;
  readonly to: string | undefined;
}

function onlyIdcOf({ crossing }: GroupPlan, far: HostTotals): string | undefined {
  return onlyIdc(
    far,
    (crossing?.idcs ?? []).map(({ idc }) => idc),
  );
}

function nextIdc(
  { idc, priority, weight }: CrossingIdc,
  far: HostTotals,
  all: number,
  shared: SharedCounts | undefined,
): NextIdc {
  const gateways = far.reports(shared === undefined ? all : 0, () => undefined, idc);
  const counted = gateways.reduce((sum, one) => sum + one.requests, 0);
  const requests = shared === undefined ? counted : sharedRequests(idc, counted, shared);
  return {
    ...{ idc, priority: priority + 1, ...(weight === undefined ? {} : { weight }) },
    usable: far.readings === 0 ? 'unknown' : judgeHosts(gateways),
    ...(requests === undefined ? {} : { requests, ...(all === 0 ? {} : { share: requests / all }) }),
    ...(shared === undefined ? {} : { isShared: true as const }),
    gateways,
  };
}

/** Undefined: several IDCs had requests of these Groups, and this one had some. */
function sharedRequests(idc: string, counted: number, { gone, to }: SharedCounts): number | undefined {
  if (gone === 0 || counted === 0) return 0;
  return to === idc ? gone : undefined;
}

/**
 * Who serves: the instances, unless the Group is evacuated wholly and another IDC can; else the first other
 * IDC that can, if an egress gateway leads there.
 */
function judge(
  { plan, idc, leaving }: GroupFacts,
  near: HostTotals,
  exits: readonly HostReport[],
  next: readonly NextIdc[],
): Pick<GroupReport, 'served' | 'by' | 'takesOver'> {
  const here = near.readings === 0 ? 'unknown' : judgeHosts(near.reports(0));
  const canLeave = !leaving.isCutOff && (exits.length === 0 || exits.some(({ usableAt }) => usableAt > 0));
  const others = canLeave ? next.filter(({ usable }) => usable === 'yes') : [];
  const isDoubtful = canLeave && next.some(({ usable }) => usable === 'unknown');
  const isFirst = here === 'yes' && (plan.localShare !== 0 || others.length === 0);
  const order = [
    ...(isFirst ? [idc] : []),
    ...others.map((one) => one.idc),
    ...(here === 'yes' && !isFirst ? [idc] : []),
  ];
  const served = servedBy(here, isFirst, others.length > 0, isDoubtful);
  const [by, takesOver] = served === 'unknown' ? [] : order;
  return { served, ...(by && { by }), ...(takesOver && { takesOver }) };
}

function servedBy(
  here: NextIdc['usable'],
  isFirst: boolean,
  canOthers: boolean,
  isDoubtful: boolean,
): GroupReport['served'] {
  if (isFirst) return 'here';
  if (here === 'unknown') return 'unknown';
  if (canOthers) return 'away';
  return isDoubtful ? 'unknown' : 'nobody';
}

/** The WorkloadEntry of an instance, by its address; undefined: an inline endpoint, or several have it. */
export function workloadEntryOf(
  { instances, siblings = [] }: GroupView,
  address: string,
): string | undefined {
  const all = [...instances, ...siblings.flatMap((one) => one.instances)];
  const names = new Set(
    all.flatMap((one) => {
      const isIt = address === one.address || address.replace(/^\[?(.*?)\]?:\d+$/, '$1') === one.address;
      return isIt && one.ref !== undefined ? [`${one.ref.namespace}/${one.ref.name}`] : [];
    }),
  );
  return names.size === 1 ? [...names][0] : undefined;
}

/** The drains of a Group's instances. */
function drainedIn({ view, drains }: GroupFacts): GroupReport['drained'] {
  if (drains.size === 0) return [];
  const all = [view, ...(view.siblings ?? [])].flatMap(({ instances }) => instances);
  const keys = new Set(all.flatMap(({ ref, drained }) => (drained && ref ? [drainKey(ref)] : [])));
  return [...keys].sort().flatMap((key) => {
    const drain = drains.get(key);
    return drain === undefined ? [] : [shownDrain(drain, true)];
  });
}

/** Evacuations in force of an IDC that cover the Group. */
export function evacuationsOf({
  evacuations,
  view,
  idc,
}: Pick<GroupFacts, 'evacuations' | 'view' | 'idc'>): readonly EvacuationStatus[] {
  return evacuations
    .filter((one) => one.idc === idc && one.percentNow > 0 && one.endsInMs > 0)
    .filter((one) => evacuates(one, view.host, view.entry.meta.labels));
}
