import type { Cluster, ClusterLoadAssignment, envoy, Listener } from '../../protos/gen/envoy.d.ts';
import type { Idc } from '../model/idc.ts';
import { splitLocality } from '../model/values/locality.ts';
import type { HungGateway } from '../plan/gateways.ts';
import type { Endpoint, GroupPlan } from '../plan/types.ts';
import { egressOf } from './cluster/assignment.ts';
import { routerFilter } from './listener/http-listener.ts';
import { packAny, protoDuration } from './message-parts.ts';
import { egressCluster, failoverCluster, groupName, instancesCluster } from './names.ts';

// The subset of Envoy's API that gRPC's xDS clients support: gRFC A27 (all of it), A32 (breakers), A37
// (aggregates), A44 (retries), A50 (outliers). Unknown fields are ignored; unsupported ones cause a NACK of
// the whole response.

type LocalityEndpoints = envoy.config.endpoint.v3.LocalityLbEndpoints;

/**
 * Whether a gRPC client can use a Group: HTTP/2 in plain text, to instances with addresses. It resolves no
 * names here, and takes TLS from plugins of its own, which a control plane can only name.
 */
export function isForGrpc({ protocol, lookup, tls, paths }: GroupPlan): boolean {
  return (
    protocol === 'http2' && lookup === undefined && tls === undefined && paths.outbound.priorities.length > 0
  );
}

/** Listeners named as the dialled target, `xds:///HOST:PORT`, and HOST alone for the host's default port. */
export function buildGrpcListeners(plan: GroupPlan): Listener[] {
  const { group, isDefaultPort } = plan;
  const names = [groupName(group), ...(isDefaultPort ? [group.host] : [])];
  return names.map((name) => ({ name, api_listener: { api_listener: connectionManager(plan) } }));
}

function connectionManager(plan: GroupPlan) {
  return packAny('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: groupName(plan.group),
    // Inline, not by RDS: a client has few Groups, and saves a round trip.
    route_config: {
      name: groupName(plan.group),
      virtual_hosts: [
        {
          name: plan.group.host,
          domains: ['*'],
          routes: [{ match: { prefix: '' }, route: { cluster: targetOf(plan), ...retries(plan) } }],
        },
      ],
    },
    http_filters: [routerFilter],
  });
}

function mayLeaveIdc({ paths }: GroupPlan): boolean {
  return paths.outbound.priorities.some(({ kind }) => kind === 'egress');
}

function targetOf(plan: GroupPlan): string {
  return mayLeaveIdc(plan) ? failoverCluster(plan.group) : instancesCluster(plan.group);
}

// gRPC caps higher values at 5 (A6).
const attemptsMax = 5;

/**
 * gRPC itself retries what no server has seen (A6, transparent retries). For the rest it knows only a status,
 * so a call that may have been executed is retried only if the Group allows it.
 */
function retries({ paths }: GroupPlan): envoy.config.route.v3.RouteAction {
  const { idempotentMethods, idempotent } = paths.outbound.retry;
  if (!idempotentMethods.includes('POST') || idempotent.retries === 0) return {};
  return {
    retry_policy: {
      retry_on: 'unavailable',
      num_retries: Math.min(idempotent.retries, attemptsMax - 1),
      retry_back_off: { base_interval: protoDuration(idempotent.pauseMs ?? 10), max_interval: '0.100s' },
    },
  };
}

/** A Group's clusters: instances, then egress. */
export function buildGrpcClusters(plan: GroupPlan): Cluster[] {
  const instances: Cluster = {
    ...edsCluster(instancesCluster(plan.group)),
    circuit_breakers: { thresholds: [{ max_requests: plan.connection.maxRequests }] },
    outlier_detection: outliers(plan),
  };
  if (!mayLeaveIdc(plan)) return [instances];
  const inOrder = [instancesCluster(plan.group), egressCluster];
  return [
    instances,
    {
      name: failoverCluster(plan.group),
      // gRPC rejects CLUSTER_PROVIDED, which Envoy requires for an aggregate.
      lb_policy: 'ROUND_ROBIN',
      cluster_type: {
        name: 'envoy.clusters.aggregate',
        typed_config: packAny('envoy.extensions.clusters.aggregate.v3.ClusterConfig', {
          clusters: isLeft(plan) ? inOrder.toReversed() : inOrder,
        }),
      },
    },
  ];
}

/** The egress gateways, which accept HTTP/2 for any host, as from sidecars. The last one is never ejected. */
export function buildGrpcEgressCluster(): Cluster {
  return edsCluster(egressCluster);
}

function edsCluster(name: string): Cluster {
  return {
    name,
    type: 'EDS',
    lb_policy: 'ROUND_ROBIN',
    eds_cluster_config: { service_name: name, eds_config: { resource_api_version: 'V3', ads: {} } },
  };
}

/**
 * gRPC counts every status but OK as a failure, even NOT_FOUND: a fixed percentage would eject instances of
 * an application that returns it often. So outliers relative to the others are ejected; a dead instance is
 * not picked anyway.
 */
function outliers({ outlier }: GroupPlan): envoy.config.cluster.v3.OutlierDetection {
  const { failureShare } = outlier;
  return {
    success_rate_minimum_hosts: Math.max(3, failureShare?.instancesMin ?? 0),
    success_rate_request_volume: failureShare?.requestsMin ?? 100,
    enforcing_success_rate: 100,
    enforcing_failure_percentage: 0,
    interval: protoDuration(outlier.intervalMs),
    base_ejection_time: protoDuration(outlier.baseEjectionMs),
    max_ejection_time: protoDuration(outlier.maxEjectionMs),
    max_ejection_percent: outlier.maxEjectionPercent.sidecar,
  };
}

/**
 * Whether all instances are last resorts, as the IDC is being evacuated. gRPC has no degraded endpoints and
 * no partial priorities: egress comes first then, and until then all requests stay.
 */
function isLeft({ instances }: GroupPlan): boolean {
  return instances.length > 0 && instances.every(({ lastResort }) => lastResort);
}

/**
 * A Group's endpoints in this IDC in gRPC's form: localities need a weight, priorities no gap, addresses are
 * unique.
 */
export function buildGrpcInstances(plan: GroupPlan): ClusterLoadAssignment {
  const all = isLeft(plan);
  const seen = new Set<string>();
  const once = ({ address, port }: Endpoint) => {
    if (address.startsWith('unix://') || seen.has(`${address} ${port}`)) return false;
    seen.add(`${address} ${port}`);
    return true;
  };
  const localities = plan.instances
    .filter(({ lastResort }) => all || !lastResort)
    .map(({ name, priority = 0, endpoints }) => ({ name, priority, endpoints: endpoints.filter(once) }))
    .filter(({ endpoints }) => endpoints.length > 0);
  const priorities = [...new Set(localities.map(({ priority }) => priority))].sort((a, b) => a - b);
  return {
    cluster_name: instancesCluster(plan.group),
    endpoints: localities.map(({ name, priority, endpoints }) =>
      locality(name, priorities.indexOf(priority), endpoints),
    ),
  };
}

/** The egress gateways at the port for sidecars. */
export function buildGrpcEgress(
  localIdc: Idc | undefined,
  hungGateways: readonly HungGateway[] = [],
): ClusterLoadAssignment {
  const gateways = egressOf(localIdc, hungGateways).map(({ address, sidecarPort: port }) => ({
    address,
    port,
    weight: 1,
  }));
  return {
    cluster_name: egressCluster,
    endpoints: gateways.length === 0 ? [] : [locality(localIdc?.meta.name ?? '', 0, gateways)],
  };
}

function locality(name: string, priority: number, endpoints: readonly Endpoint[]): LocalityEndpoints {
  const { idc, zone, subzone } = splitLocality(name);
  return {
    ...(priority === 0 ? {} : { priority }),
    locality: { region: idc, zone, sub_zone: subzone },
    // gRPC ignores a locality without weight.
    load_balancing_weight: endpoints.reduce((sum, { weight }) => sum + weight, 0),
    lb_endpoints: endpoints.map(({ address, port, weight }) => ({
      endpoint: { address: { socket_address: { address, port_value: port } } },
      load_balancing_weight: weight,
    })),
  };
}
