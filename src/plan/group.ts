import { compareText } from '../base/text/compare-text.ts';
import type { GroupView, Instance, MeshView } from '../index/view.ts';
import { mergeTraffic, trafficFromAnnotations } from '../model/annotations/annotations.ts';
import { type GroupTraffic, roundTripLimits } from '../model/idc.ts';
import type { ServicePort } from '../model/service.ts';
import type { LoopPrevention } from '../model/trail.ts';
import { concurrentPerInstance, countLive, spillLimit, spillShare } from './capacity.ts';
import { idcsLeftToTry, planCrossing } from './crossing.ts';
import { type ActiveEvacuation, evacuatedIdcs, planLocalShare } from './evacuation/evacuation.ts';
import { peersOf } from './gateways.ts';
import { planCluster } from './group-cluster.ts';
import { planCrossingCheck } from './health/checks.ts';
import { planHealth } from './health/health.ts';
import { isByName, planNaming } from './naming.ts';
import { limitCrossingTries, planCrossingTries, planRetry, planRetryUnsent } from './retries/retry.ts';
import { hasSni, isTcp, planTcpPaths, tcpCrossing, tcpPolicy } from './tcp.ts';
import type {
  Crossing,
  Endpoint,
  GroupPlan,
  HealthCheck,
  ListenerRole,
  Path,
  PlannedLocality,
  Target,
} from './types.ts';

/** Input of a Group's plan besides the Group. */
export interface PlanContext {
  readonly localIdc: string;
  readonly idcs: MeshView['idcs'];
  /** The mesh's hop limit; a DR group may lower it. */
  readonly hopLimit: number;
  /** 'off' in drills alone. */
  readonly loopPrevention: LoopPrevention;
  /** The shortest interval of checks of other IDCs, in milliseconds (`plan/health/checks.ts`). */
  readonly checkIntervalMsMin: number;
  /** Evacuations in force, of any IDC; absent: none. */
  readonly evacuations?: readonly ActiveEvacuation[];
  /** Local instances and ingress gateways that are not reached (`addressName`); absent: none known. */
  readonly unreached?: ReadonlySet<string>;
  /** Hung IDCs (`planHungIdcs`), used when no other can serve; absent: none known. */
  readonly hung?: ReadonlySet<string>;
  /** Whether a critical Group has instances in the local IDC. */
  readonly besideCritical?: boolean;
  /**
   * The local percentage of a Group during failback, by `groupKey`; undefined: no limit. `evacuated`: the
   * percentage that evacuations leave in the IDC, 100 without any: a failback starts where this rises, from
   * its last value.
   */
  readonly failbackShare?: (group: string, evacuated: number) => number | undefined;
  /**
   * The percentage of a Group's reads that are mirrored to local instances, by `groupKey`; undefined: none.
   */
  readonly mirrorPercent?: (group: string) => number | undefined;
}

/** Identifies a Group's port among all plans: several namespaces may declare a host. */
export function groupKey({ namespace, group }: Pick<GroupPlan, 'namespace' | 'group'>): string {
  return `${namespace}/${group.host}:${group.port}`;
}

/** Decides for each port of a Group where requests go from the local IDC: pure, without Envoy's types. */
export function planGroup(view: GroupView, context: PlanContext): readonly GroupPlan[] {
  const { localIdc } = context;
  const naming = planNaming(view, localIdc);
  if (naming === undefined) return [];
  const ports = view.entry.spec.ports.filter((port) => httpVersion(port) !== undefined || isTcp(view, port));
  const defaultPort = ports.find((port) => httpVersion(port) !== undefined);
  const traffic = mergeTraffic(view.drGroup?.spec.traffic, trafficFromAnnotations(view.entry));
  const evacuated = evacuatedIdcs(view, context.evacuations ?? []);
  const permitted = planCrossing({
    ...context,
    ...{ drGroup: view.drGroup, evacuated: new Set(evacuated.keys()), roundTripMs: traffic.roundTripMs },
  });
  const shared = { view, context, naming, traffic, evacuated, permitted, defaultPort };
  return ports.map((port) => planPort(port, shared));
}

/** What all ports of a Group are planned from. */
interface SharedByPorts {
  readonly view: GroupView;
  readonly context: PlanContext;
  readonly naming: NonNullable<ReturnType<typeof planNaming>>;
  readonly traffic: GroupTraffic;
  readonly evacuated: ReturnType<typeof evacuatedIdcs>;
  readonly permitted: Crossing | undefined;
  /** The first that speaks HTTP. */
  readonly defaultPort: ServicePort | undefined;
}

function planPort(port: ServicePort, shared: SharedByPorts): GroupPlan {
  const { view, context, naming, traffic, evacuated, permitted, defaultPort } = shared;
  const { localIdc } = context;
  const protocol = httpVersion(port) ?? 'tcp';
  // A policy for a port replaces the host's: it inherits nothing (Istio, PortTrafficPolicy).
  const given = view.rule?.spec.portPolicies[port.number] ?? view.rule?.spec.policy ?? {};
  const policy = protocol === 'tcp' ? tcpPolicy(given) : given;
  // Instances found by request alone have neither known health nor known alternatives.
  const isKnown = naming.lookup !== 'request';
  const health = isKnown ? planHealth(port, traffic.health) : undefined;
  const mayCross = isKnown ? permitted : undefined;
  const crossing =
    protocol === 'tcp' ? tcpCrossing(view, mayCross) : withCheck(mayCross, traffic, health, context);
  const byConnect = protocol === 'tcp' && isByName(view);
  const group = { host: view.host, port: port.number };
  const { namespace } = view.entry.meta;
  const failback = planFailback(view, crossing, health, naming.lookup);
  const evacuationShare = planLocalShare(localIdc, evacuated, crossing);
  const { localShare, mirror } = planKept(groupKey({ namespace, group }), failback, evacuationShare, context);
  // Consistent hashing has no last resort among instances: the exit must come first.
  const isOutFirst = localShare === 0 && policy.hash !== undefined;
  const evacuates = (idc: string) =>
    idc === localIdc ? localShare === 0 && !isOutFirst : evacuated.has(idc);
  const ways = planPaths(
    evacuationShare === undefined ? crossing : withoutHandOn(crossing),
    traffic,
    isOutFirst,
    (idc) => context.idcs.get(idc)?.spec.ingress.length ?? 0,
  );
  const localities = planLocalities(naming.instances, port, naming.isRemote, evacuates);
  return {
    group,
    namespace,
    ...(view.seenBy === undefined ? {} : { seenBy: view.seenBy }),
    isDefaultPort: port === defaultPort,
    protocol,
    ...(protocol === 'tcp' && hasSni(port) ? { sni: true } : {}),
    ...(byConnect ? { byConnect: true } : {}),
    addresses: protocol === 'tcp' && !byConnect ? (view.entry.spec.addresses ?? []) : [],
    ...localities,
    ...(localShare === undefined ? {} : { localShare }),
    ...(failback === undefined || evacuationShare === undefined ? {} : { evacuationShare }),
    ...(naming.lookup === undefined ? {} : { lookup: naming.lookup }),
    ...(crossing === undefined ? {} : { crossing }),
    ...planCluster(shared, { protocol, given, policy, health, crossing }),
    ...(health === undefined ? {} : { health }),
    ...(protocol === 'tcp' || crossing === undefined || naming.lookup !== undefined
      ? {}
      : planSpill(localities.instances, traffic, context)),
    ...(failback === undefined ? {} : { failback }),
    ...(mirror === undefined ? {} : { mirror }),
    ...withoutGateways(
      // TLS is spoken to instances, of which there are none: what should be encrypted must not go out as it
      // is.
      { ...exportOf(shared), refused: !isKnown && policy.tls !== undefined },
      crossing,
      protocol === 'tcp' ? planTcpPaths(ways) : ways,
    ),
  };
}

/** Whether a Group is outside of the mesh, and whether gateways may serve it. */
function exportOf({ view, naming }: SharedByPorts) {
  return { external: naming.isExternal, exported: view.entry.spec.exportTo === undefined };
}

/** What a Group keeps at home while it is evacuated or on its way home, and what is mirrored there. */
function planKept(
  key: string,
  failback: GroupPlan['failback'],
  evacuationShare: number | undefined,
  { failbackShare, mirrorPercent }: PlanContext,
) {
  if (failback === undefined) return { localShare: evacuationShare, mirror: undefined };
  const held = failbackShare?.(key, evacuationShare ?? 100);
  return { localShare: smallerShare(evacuationShare, held), mirror: mirrorPercent?.(key) };
}

/** The limit on requests of the Group from other IDCs. */
function planSpill(
  localities: readonly PlannedLocality[],
  { spill }: GroupTraffic,
  { localIdc, idcs, unreached = new Set(), besideCritical = false }: PlanContext,
): Pick<GroupPlan, 'spill'> {
  const idc = idcs.get(localIdc);
  const concurrent = concurrentPerInstance(spill, idc);
  if (concurrent === undefined) return {};
  const gateways = countLive(idc === undefined ? [] : peersOf(idc), unreached);
  const instances = countLive(
    localities.flatMap(({ endpoints }) => endpoints),
    unreached,
  );
  const sharePercent = spillShare(spill, besideCritical);
  const limit = spillLimit({ instances, concurrentPerInstance: concurrent, sharePercent, gateways });
  return { spill: { limit, concurrent, isCritical: spill?.class === 'critical' } };
}

/** The HTTP version of instances at a port; undefined if it is not HTTP. */
export function httpVersion(port: ServicePort): 'http1' | 'http2' | undefined {
  switch (port.protocol) {
    case 'HTTP':
      return 'http1';
    case 'HTTP2':
    case 'GRPC':
      return 'http2';
    default:
      return undefined;
  }
}

function withCheck(
  crossing: Crossing | undefined,
  { roundTripMs = roundTripLimits.msDefault }: GroupTraffic,
  health: HealthCheck | undefined,
  { checkIntervalMsMin }: PlanContext,
): Crossing | undefined {
  if (crossing === undefined || health === undefined) return crossing;
  const check = planCrossingCheck(health.intervalMs, checkIntervalMsMin, roundTripMs);
  // What its checks find is of this Group alone.
  const { away: _, ...rest } = crossing;
  return { ...rest, check };
}

/** Failback is gradual for a Group that can leave and whose instances are checked from here. */
function planFailback(
  { drGroup }: GroupView,
  crossing: Crossing | undefined,
  health: HealthCheck | undefined,
  lookup: GroupPlan['lookup'],
): GroupPlan['failback'] {
  const isSeen = crossing !== undefined && health !== undefined && lookup === undefined;
  return isSeen ? drGroup?.spec.failback : undefined;
}

/** The smaller of two shares; an absent one means all. */
function smallerShare(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

/** Requests that other IDCs send to an evacuated one come as a last resort: served here or not at all. */
function withoutHandOn(crossing: Crossing | undefined): Crossing | undefined {
  if (crossing === undefined) return undefined;
  const { handOnNamesMax: _, onward: _onward, ...rest } = crossing;
  return rest;
}

/** Instances by locality and priority, those that are drained apart. */
function planLocalities(
  all: readonly Instance[],
  ...how: readonly [
    port: ServicePort,
    isRemote: (instance: Instance) => boolean,
    evacuates: (idc: string) => boolean,
  ]
): Pick<GroupPlan, 'instances' | 'drained'> {
  if (!all.some(({ drained }) => drained)) return { instances: localitiesOf(all, ...how) };
  const [within, out] = [all.filter(({ drained }) => !drained), all.filter(({ drained }) => drained)];
  return { instances: localitiesOf(within, ...how), drained: localitiesOf(out, ...how) };
}

function localitiesOf(
  instances: readonly Instance[],
  port: ServicePort,
  isRemote: (instance: Instance) => boolean,
  evacuates: (idc: string) => boolean,
): readonly PlannedLocality[] {
  const localities = (of: readonly Instance[]) => [
    ...byLocality(
      of.filter(({ idc }) => !evacuates(idc)),
      port,
    ),
    ...byLocality(
      of.filter(({ idc }) => evacuates(idc)),
      port,
    ).map((locality) => ({ ...locality, lastResort: true as const })),
  ];
  const near = localities(instances.filter((instance) => !isRemote(instance)));
  const remote = localities(instances.filter(isRemote));
  // Priorities begin at 0 and leave none out (Envoy).
  return near.length === 0 ? remote : [...near, ...remote.map((locality) => ({ ...locality, priority: 1 }))];
}

function byLocality(instances: readonly Instance[], port: ServicePort): readonly PlannedLocality[] {
  const found = new Map<string, Endpoint[]>();
  for (const instance of instances) {
    const endpoint = {
      address: instance.address,
      port: portOf(instance, port),
      weight: instance.weight,
    };
    const endpoints = found.get(instance.locality);
    if (endpoints === undefined) found.set(instance.locality, [endpoint]);
    else endpoints.push(endpoint);
  }
  return [...found].sort(([a], [b]) => compareText(a, b)).map(([name, endpoints]) => ({ name, endpoints }));
}

/** Number of instances among these that are in the IDC of the plan: an external host may have others. */
export function countOwn(localities: readonly PlannedLocality[] = []): number {
  let count = 0;
  for (const { priority, endpoints } of localities) if (priority === undefined) count += endpoints.length;
  return count;
}

/** The instance's own port of that name, else the service's. Own keys only: a name may be `constructor`. */
export function portOf(instance: Instance, port: ServicePort): number {
  const own = Object.hasOwn(instance.ports, port.name) ? instance.ports[port.name] : undefined;
  return own ?? port.targetPort ?? port.number;
}

const instancesTarget: Target = { kind: 'instances' };
const egressTarget: Target = { kind: 'egress' };

/**
 * The targets of each listener, in order; `isOutFirst`: the exit precedes local instances. The peer listener
 * hands on only requests known to be within the hop limit; all others are served locally or not at all: no
 * loop even without the filter.
 */
function planPaths(
  crossing: Crossing | undefined,
  traffic: GroupTraffic,
  isOutFirst: boolean,
  gateways: (idc: string) => number,
): Pick<GroupPlan, 'paths' | 'handOn'> {
  const both: readonly Target[] = isOutFirst
    ? [egressTarget, instancesTarget]
    : [instancesTarget, egressTarget];
  const first = crossing === undefined ? [instancesTarget] : both;
  const leave: readonly Target[] = (crossing?.idcs ?? []).map(({ idc }) => ({ kind: 'idc', idc }));
  const asking = planCrossingTries(crossing?.idcs ?? [], gateways);
  const path = (
    listener: ListenerRole,
    priorities: readonly Target[],
    retry = planRetry(listener, traffic, asking),
  ) => ({
    listener,
    priorities,
    retry,
  });
  const onward = idcsLeftToTry(crossing).map((left) =>
    path('ingress', leave, planRetry('ingress', traffic, limitCrossingTries(asking, left))),
  );
  const handsOn = crossing?.handOnNamesMax !== undefined;
  const later = planRetryUnsent(traffic);
  return {
    paths: {
      outbound: path('outbound', first),
      edge: path('edge', first),
      peer: handsOn ? path('peer', [instancesTarget], later) : path('peer', [instancesTarget]),
      sidecar: path('sidecar', leave),
      ingress: path('ingress', leave),
    },
    ...(handsOn ? { handOn: { first: path('peer', first), later: path('peer', first, later), onward } } : {}),
  };
}

/**
 * The edge serves neither Groups limited to some namespaces nor external hosts: an ingress is not an open
 * proxy. Other IDCs reach these only if a DR group says so.
 */
function withoutGateways(
  {
    external,
    exported,
    refused,
  }: { readonly external: boolean; readonly exported: boolean; readonly refused: boolean },
  crossing: Crossing | undefined,
  ways: Pick<GroupPlan, 'paths' | 'handOn'>,
): Pick<GroupPlan, 'paths' | 'handOn'> {
  if (!external && exported) return ways;
  const { paths } = ways;
  const closed = (path: Path): Path => ({ ...path, priorities: [] });
  const peer = external && crossing === undefined ? closed(paths.peer) : paths.peer;
  const outbound = refused ? closed(paths.outbound) : paths.outbound;
  return { ...ways, paths: { ...paths, outbound, edge: closed(paths.edge), peer } };
}
