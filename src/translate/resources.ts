import type { Any, RouteConfiguration } from '../../protos/gen/envoy.d.ts';
import type { Idc } from '../model/idc.ts';
import type { NodeRole, NodeScope, OwnScope } from '../model/node.ts';
import type { GuardedListener } from '../model/trail.ts';
import type { HungGateway } from '../plan/gateways.ts';
import type { KnownPeer } from '../plan/peers/peer-tls.ts';
import { hasOwnScope } from '../plan/routes/route-scope.ts';
import { planTcpListeners, planTunnels } from '../plan/tcp.ts';
import type { Crossing, GroupPlan, ListenerRole } from '../plan/types.ts';
import type { ResourceTypeName, resourceTypes } from '../xds/resource-types.ts';
import type { EncodedResource } from '../xds/xds.ts';
import {
  buildAwayAssignment,
  buildChecksAssignment,
  buildEgressAssignment,
  buildInstancesAssignment,
  buildOnwardAssignment,
} from './cluster/assignment.ts';
import {
  buildAwayCluster,
  buildChecksCluster,
  buildEgressCluster,
  buildFailoverCluster,
  buildInstancesCluster,
  buildOnwardCluster,
  buildSharedAwayCluster,
} from './cluster/cluster.ts';
import { egressSocket } from './cluster/crossing-tls.ts';
import {
  buildGrpcClusters,
  buildGrpcEgress,
  buildGrpcEgressCluster,
  buildGrpcInstances,
  buildGrpcListeners,
  isForGrpc,
} from './grpc.ts';
import { edgeFilters } from './listener/edge-filters.ts';
import { hostFilters } from './listener/host-filters.ts';
import type { HttpFilter } from './listener/http-filter.ts';
import { buildHttpListener, visitedToMetadata } from './listener/http-listener.ts';
import { buildTcpListener } from './listener/tcp-listener.ts';
import { buildFilter, type FilterModule, filterName, guardFilter } from './listener/trail-filter.ts';
import { buildTunnelCluster, buildTunnelListener } from './listener/tunnel.ts';
import { packAny } from './message-parts.ts';
import { awayCluster } from './names.ts';
import { buildPassthroughCluster, passthroughFilter } from './passthrough.ts';
import { egressChains, peerChains } from './peers/peer-chains.ts';
import { passesUnknown } from './route/other-hosts.ts';
import { buildRouteConfiguration, type OtherHosts } from './route/route.ts';
import { buildHostTables, buildOtherTables, buildTableOfMany, type RouteTables } from './route/tables.ts';
import type { RuntimeLayer } from './runtime.ts';

/** A resource: before encoding, or encoded. */
export interface BuiltResource {
  readonly kind: ResourceTypeName;
  readonly name: string;
  readonly message: Any | EncodedResource;
}

/** Whether a resource's message is encoded. */
export function isEncoded(message: BuiltResource['message']): message is EncodedResource {
  return !('@type' in message);
}

/** Keeps a built resource in another form, such as encoded. `isShared`: others may have an equal one. */
export type Pack = (built: BuiltResource, isShared: boolean) => BuiltResource;

/** Compiled filters by guarded listener. */
export type CompiledFilters = Partial<Readonly<Record<GuardedListener, FilterModule>>>;

/** The mesh beyond a scope's Groups. */
export interface ScopeContext {
  readonly localIdc: Idc | undefined;
  readonly filters: CompiledFilters;
  /** What the readiness path of the edge answers; absent: it is not served. */
  readonly ready?: boolean | undefined;
  /** Gateways taken out of use; absent: none. */
  readonly hungGateways?: readonly HungGateway[];
  /** Other IDCs whose gateways are told by certificates; absent: none. */
  readonly peers?: readonly KnownPeer[];
}

/**
 * Readers that get the same resources of a Group. An ingress without runtime layers gets limits in its
 * clusters.
 */
export type GroupReader = NodeRole | 'ingress-static';

/** The reader that a scope is. */
export function readerOf(scope: NodeScope): GroupReader {
  return scope.role === 'ingress' && scope.runtime !== true ? 'ingress-static' : scope.role;
}

/** Clusters and endpoints of a Group for one kind of reader, for gRPC clients listeners too. */
export function buildGroupResources(
  plan: GroupPlan,
  reader: GroupReader,
  idcs: ReadonlyMap<string, Idc>,
  hungGateways?: readonly HungGateway[],
): readonly BuiltResource[] {
  // All hosts named by requests share one cluster (`passthrough.ts`).
  if (plan.lookup === 'request') return [];
  const { crossing } = plan;
  switch (reader) {
    case 'sidecar':
      return [cds(buildInstancesCluster(plan, 'sidecar')), ...buildInstances(plan), ...buildFailover(plan)];
    case 'ingress':
    case 'ingress-static':
      return buildForIngress(plan, reader);
    case 'egress':
      if (crossing === undefined) return [];
      return [
        ...(crossing.away === undefined ? [cds(buildAwayCluster(plan, crossing, idcs))] : []),
        ...buildCrossingEndpoints(plan, idcs, hungGateways),
      ];
    case 'grpc':
      if (!isForGrpc(plan)) return [];
      return [
        ...buildGrpcClusters(plan).map(cds),
        eds(buildGrpcInstances(plan)),
        ...buildGrpcListeners(plan).map(lds),
      ];
  }
}

/**
 * The part of `buildGroupResources` that depends on a Group's instances, if its other resources do not;
 * undefined if any may.
 */
export function buildInstanceEndpoints(
  plan: GroupPlan,
  reader: GroupReader,
): readonly BuiltResource[] | undefined {
  if (plan.lookup !== undefined || reader === 'grpc') return undefined;
  if (reader === 'egress') return [];
  if (reader === 'sidecar') return buildInstances(plan);
  return isEntered(plan)
    ? [...buildInstances(plan), ...buildChecks(plan).filter(({ kind }) => kind === 'EDS')]
    : [];
}

/** Looked-up names are in the cluster itself. */
function buildInstances(plan: GroupPlan): readonly BuiltResource[] {
  return plan.lookup === undefined ? [eds(buildInstancesAssignment(plan))] : [];
}

function buildFailover(plan: GroupPlan): readonly BuiltResource[] {
  return plan.crossing || plan.protocol === 'tcp' ? [cds(buildFailoverCluster(plan))] : [];
}

/** Edge clients cannot name a TCP Group: it is entered from other IDCs only. */
function buildForIngress(plan: GroupPlan, reader: 'ingress' | 'ingress-static'): readonly BuiltResource[] {
  if (!isEntered(plan)) return [];
  const limit =
    reader === 'ingress' ? undefined : plan.spill && Math.min(plan.spill.limit, plan.connection.maxRequests);
  return [
    cds(buildInstancesCluster(plan, 'ingress', limit)),
    ...buildInstances(plan),
    ...(plan.protocol === 'tcp' ? [] : buildFailover(plan)),
    ...buildChecks(plan),
  ];
}

/** The endpoints of a Group's own cluster of other IDCs; none where Groups share one. */
export function buildCrossingEndpoints(
  plan: GroupPlan,
  idcs: ReadonlyMap<string, Idc>,
  hungGateways: readonly HungGateway[] = [],
): readonly BuiltResource[] {
  const { crossing } = plan;
  if (crossing === undefined || crossing.away !== undefined) return [];
  return [eds(buildAwayAssignment(awayCluster(plan), crossing, idcs, hungGateways))];
}

/** Clusters of other IDCs that Groups with equal crossings share: what begins here, and what is handed on. */
export type SharedCluster = 'away' | 'onward';

/** Such a cluster, and its endpoints. */
export function buildSharedCluster(
  kind: SharedCluster,
  name: string,
  crossing: Crossing,
  where: readonly [idcs: ReadonlyMap<string, Idc>, hungGateways?: readonly HungGateway[] | undefined],
): readonly BuiltResource[] {
  const [idcs] = where;
  return kind === 'away'
    ? [cds(buildSharedAwayCluster(name, crossing, idcs)), eds(buildAwayAssignment(name, crossing, ...where))]
    : [cds(buildOnwardCluster(name, crossing, idcs)), eds(buildOnwardAssignment(name, crossing, ...where))];
}

/** Whether a path leads through an ingress to the Group's instances. */
function isEntered({ paths }: GroupPlan): boolean {
  return paths.edge.priorities.length > 0 || paths.peer.priorities.length > 0;
}

/** The peer listener's target for other IDCs' checks, if separate from that of requests. */
function buildChecks(plan: GroupPlan): readonly BuiltResource[] {
  const { health } = plan;
  if (health?.port === undefined) return [];
  const cluster = cds(buildChecksCluster(plan, health, health.port));
  return plan.lookup === undefined ? [cluster, eds(buildChecksAssignment(plan, health.port))] : [cluster];
}

/** Listeners, filters and gateway endpoints of a scope: independent of its Groups. */
export function buildScopeResources(scope: OwnScope, context: ScopeContext): readonly BuiltResource[] {
  switch (scope.role) {
    case 'sidecar':
      if (scope.outbound === undefined) return [];
      return [
        cds(buildEgressCluster(egressSocket(context.localIdc, scope))),
        eds(buildEgressAssignment(context.localIdc, 'sidecarPort', context.hungGateways)),
        lds(
          buildHttpListener({
            role: 'outbound',
            listen: scope.outbound,
            log: scope,
            filters: [...hostFilters, passthroughFilter],
          }),
        ),
      ];
    case 'ingress':
      return [
        cds(buildEgressCluster(egressSocket(context.localIdc, scope))),
        eds(buildEgressAssignment(context.localIdc, 'ingressPort', context.hungGateways)),
        ...guarded(
          'edge',
          'ingress-edge',
          scope.edge,
          scope,
          context,
          edgeFilters(context.localIdc?.spec.exposeOutcome ?? false),
        ),
        ...guarded('peer', 'ingress-peer', scope.peer, scope, context),
      ];
    case 'egress':
      return [
        ...guarded('sidecar', 'egress-sidecar', scope.sidecar, scope, context),
        ...guarded('ingress', 'egress-ingress', scope.ingress, scope, context),
      ];
    case 'grpc':
      return [cds(buildGrpcEgressCluster()), eds(buildGrpcEgress(context.localIdc, context.hungGateways))];
  }
}

/** Listeners and tunnels of TCP Groups, which contain the sidecar's addresses. */
export function buildTcpResources(scope: NodeScope, plans: readonly GroupPlan[]): readonly BuiltResource[] {
  if (scope.role !== 'sidecar' || scope.outbound === undefined) return [];
  return [
    ...planTunnels(scope.outbound, plans).flatMap((tunnel) => [
      cds(buildTunnelCluster(tunnel)),
      lds(buildTunnelListener(tunnel, scope.accessLog)),
    ]),
    ...planTcpListeners(scope.outbound, plans).map((listener) =>
      lds(buildTcpListener(listener, scope.accessLog)),
    ),
  ];
}

/** A scope's listeners with routes. */
export function routedListeners(scope: NodeScope): readonly ListenerRole[] {
  switch (scope.role) {
    case 'sidecar':
      return scope.outbound === undefined ? [] : ['outbound'];
    case 'ingress':
      return ['edge', 'peer'];
    case 'egress':
      return ['sidecar', 'ingress'];
    case 'grpc':
      return [];
  }
}

/** Resources for hosts named by requests. Only for scopes that need them: Envoys before 1.40 reject them. */
export function buildPassthrough(scope: NodeScope, plans: readonly GroupPlan[]): readonly BuiltResource[] {
  const isCaller = scope.role === 'sidecar' && scope.outbound !== undefined;
  const needed = passesUnknown(scope) || (isCaller && plans.some(({ lookup }) => lookup === 'request'));
  return needed ? [cds(buildPassthroughCluster())] : [];
}

/** One listener's routes that depend on more than one Group; see `Surroundings.ready`. */
export function buildRoutes(
  listener: ListenerRole,
  plans: readonly GroupPlan[],
  others?: OtherHosts,
  ready?: boolean,
): readonly BuiltResource[] {
  return tables(buildOtherTables(listener, plans, others, ready));
}

/** One listener's routes to all Groups and other hosts in one table, for listeners of an older version. */
export function buildWholeTable(
  listener: ListenerRole,
  plans: readonly GroupPlan[],
  others?: OtherHosts,
  ready?: boolean,
): BuiltResource {
  return rds(buildRouteConfiguration(listener, plans, others, ready));
}

/** A host's own routes at a listener; `place`: see `buildHostTables`. */
export function buildHostRoutes(
  listener: ListenerRole,
  plans: readonly GroupPlan[],
  place: string | undefined,
): readonly BuiltResource[] {
  return tables(buildHostTables(listener, plans, place));
}

/** A table of several hosts at a listener. */
export function buildSharedTable(...table: Parameters<typeof buildTableOfMany>): BuiltResource {
  return rds(buildTableOfMany(...table));
}

/** Whether a change of these plans' routes changes what `buildRoutes` and the like return for a scope. */
export function changesRoutesOf(scope: NodeScope, plans: readonly GroupPlan[]): boolean {
  const isShared = ({ group, protocol }: GroupPlan) => protocol === 'tcp' || !hasOwnScope(group.host);
  return passesUnknown(scope) || plans.some(isShared);
}

function guarded(
  role: ListenerRole,
  guard: GuardedListener,
  listen: { address: string; port: number },
  scope: OwnScope,
  context: ScopeContext,
  before: readonly HttpFilter[] = [],
): BuiltResource[] {
  const filter = context.filters[guard];
  const after = scope.role === 'egress' ? [visitedToMetadata] : [];
  return [
    lds(
      buildHttpListener({
        role,
        listen,
        log: scope,
        filters: [...before, guardFilter(guard), ...after, ...hostFilters],
        ...waysInto(role, context),
        ...(role === 'edge' && context.localIdc?.spec.edge ? { edge: context.localIdc.spec.edge } : {}),
      }),
    ),
    ...(filter === undefined ? [] : [ecds(guard, filter)]),
  ];
}

/** The ways into a listener; none: all come in the same way. */
function waysInto(role: ListenerRole, { localIdc, peers = [] }: ScopeContext) {
  if (role === 'peer') return { ways: peerChains(localIdc, peers) };
  return role === 'sidecar' || role === 'ingress' ? { ways: egressChains(localIdc, role) } : {};
}

/** A message of a type of resource, as the table of types has it. */
type MessageOf<K extends ResourceTypeName> = Extract<
  Any,
  { readonly '@type': `type.googleapis.com/${(typeof resourceTypes)[K]['message']}` }
>;

/** A resource of a type; the compiler sees to it that the message is one of that type. */
function built<K extends ResourceTypeName>(
  kind: K,
  name: string | undefined,
  message: MessageOf<K>,
): BuiltResource {
  return { kind, name: name ?? '', message };
}

function cds(cluster: ReturnType<typeof buildInstancesCluster>): BuiltResource {
  return built('CDS', cluster.name, packAny('envoy.config.cluster.v3.Cluster', cluster));
}

function eds(assignment: ReturnType<typeof buildInstancesAssignment>): BuiltResource {
  const message = packAny('envoy.config.endpoint.v3.ClusterLoadAssignment', assignment);
  return built('EDS', assignment.cluster_name, message);
}

function rds(table: RouteConfiguration): BuiltResource {
  return built('RDS', table.name, packAny('envoy.config.route.v3.RouteConfiguration', table));
}

function tables({ tables, scopes }: RouteTables): readonly BuiltResource[] {
  const message = 'envoy.config.route.v3.ScopedRouteConfiguration';
  return [...tables.map(rds), ...scopes.map((scope) => built('SRDS', scope.name, packAny(message, scope)))];
}

function lds(listener: ReturnType<typeof buildHttpListener>): BuiltResource {
  return built('LDS', listener.name, packAny('envoy.config.listener.v3.Listener', listener));
}

/** A layer of an ingress's runtime. */
export function rtds({ name, message }: RuntimeLayer): BuiltResource {
  return built('RTDS', name, message);
}

function ecds(guard: GuardedListener, module: FilterModule): BuiltResource {
  const message = packAny('envoy.config.core.v3.TypedExtensionConfig', buildFilter(guard, module));
  return built('ECDS', filterName(guard), message);
}
