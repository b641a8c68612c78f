import type { Cluster, ClusterLoadAssignment, envoy } from '../../../protos/gen/envoy.d.ts';
import type { Idc } from '../../model/idc.ts';
import { gatewayOutlier } from '../../plan/gateways.ts';
import type {
  ConnectionPlan,
  Crossing,
  GroupPlan,
  HealthCheck,
  Lookup,
  Outlier,
  PlannedRetryBudget,
  Target,
} from '../../plan/types.ts';
import { upstreamCommon, upstreamHttp1, upstreamHttp2 } from '../leniency.ts';
import { adsSource, packAny, protoDuration } from '../message-parts.ts';
import {
  awayCluster,
  checksCluster,
  egressCluster,
  failoverCluster,
  instancesCluster,
  tunnelName,
  visitedKey,
} from '../names.ts';
import { buildChecksAssignment, buildInstancesAssignment } from './assignment.ts';
import { crossingSockets } from './crossing-tls.ts';
import { dnsLookup } from './dns.ts';
import { gatewayConnection, sharedConnection } from './gateway-connection.ts';
import { loadBalancing } from './hash.ts';
import { crossingChecks, instanceCheck } from './health.ts';
import { tlsByRequest, tlsSocket } from './tls.ts';

type HttpProtocolOptions = envoy.extensions.upstreams.http.v3.HttpProtocolOptions;

/**
 * A Group's instances in this IDC. Only this cluster ejects instances and has active health checks, so that
 * neither affects a gateway. `spillLimit`: concurrent requests from other IDCs, for an ingress without RTDS
 * (`runtime.ts`).
 */
export function buildInstancesCluster(
  plan: GroupPlan,
  role: 'sidecar' | 'ingress',
  spillLimit = plan.connection.maxRequests,
): Cluster {
  const name = instancesCluster(plan.group);
  const { connection } = plan;
  return {
    ...(plan.lookup === undefined
      ? edsCluster(name)
      : dnsCluster(plan.lookup, buildInstancesAssignment(plan))),
    connect_timeout: protoDuration(connection.connectTimeoutMs),
    ...loadBalancing(plan),
    circuit_breakers: circuitBreakers(
      connection,
      role === 'ingress' ? { max_requests: spillLimit } : undefined,
      // If requests may leave, the aggregate's circuit breaker counts retries.
      plan.crossing === undefined ? plan.retryBudget : undefined,
    ),
    outlier_detection: outlierDetection(plan.outlier, plan.outlier.maxEjectionPercent[role]),
    ...(plan.health === undefined ? {} : { health_checks: [instanceCheck(plan, plan.health)] }),
    ...(connection.tcpKeepalive === undefined ? {} : { upstream_connection_options: keepalive(connection) }),
    ...(connection.unacknowledgedMs === undefined
      ? {}
      : { upstream_bind_config: { socket_options: [userTimeout(connection.unacknowledgedMs)] } }),
    ...tlsSocket(plan),
    ...(plan.protocol === 'tcp' ? {} : instancesHttp(plan, connection)),
  };
}

/**
 * The instances at their separate health check port: for the peer listener, which forwards other IDCs'
 * checks. Checked like the instances cluster, so that a healthy instance answers.
 */
export function buildChecksCluster(plan: GroupPlan, health: HealthCheck, port: number): Cluster {
  return {
    ...(plan.lookup === undefined
      ? edsCluster(checksCluster(plan.group))
      : dnsCluster(plan.lookup, buildChecksAssignment(plan, port))),
    connect_timeout: protoDuration(plan.connection.connectTimeoutMs),
    health_checks: [instanceCheck(plan, health)],
    ...tlsSocket(plan),
    ...(plan.protocol === 'tcp' ? {} : instancesHttp({ ...plan, sidecars: false }, plan.connection)),
  };
}

function instancesHttp(
  { protocol, sidecars, tls }: GroupPlan,
  connection: ConnectionPlan,
): ReturnType<typeof httpUpstream> {
  return httpUpstream({
    ...tlsByRequest(tls),
    common_http_protocol_options: {
      ...upstreamCommon,
      idle_timeout: protoDuration(connection.idleTimeoutMs),
      ...(connection.maxRequestsPerConnection > 0
        ? { max_requests_per_connection: connection.maxRequestsPerConnection }
        : {}),
    },
    explicit_http_config:
      protocol === 'http2' || sidecars
        ? { http2_protocol_options: { ...upstreamHttp2, ...(sidecars ? ping('0.5s', '1s') : {}) } }
        : { http_protocol_options: upstreamHttp1 },
  });
}

/**
 * Aggregate of instances, then egress gateways: the first proxy's path. Separate clusters, not priorities of
 * one, so that outlier ejection never removes the last gateway, and gateways are pushed once for all Groups
 * (docs/decisions/001-egress-as-a-cluster-of-its-own.md).
 */
export function buildFailoverCluster(plan: GroupPlan): Cluster {
  return {
    name: failoverCluster(plan.group),
    connect_timeout: protoDuration(plan.connection.connectTimeoutMs),
    lb_policy: 'CLUSTER_PROVIDED',
    // Retries count here, not in the two underlying clusters.
    circuit_breakers: circuitBreakers(plan.connection, {}, plan.retryBudget),
    common_lb_config: commonLbConfig,
    cluster_type: {
      name: 'envoy.clusters.aggregate',
      typed_config: packAny('envoy.extensions.clusters.aggregate.v3.ClusterConfig', {
        clusters: plan.paths.outbound.priorities.map((target) => clusterOf(target, plan)),
      }),
    },
  };
}

/**
 * One priority of the aggregate. A TCP Group has an aggregate even if it never leaves its IDC
 * (`tcp-listener.ts`).
 */
function clusterOf({ kind }: Target, { protocol, group }: GroupPlan): string {
  if (kind === 'instances') return instancesCluster(group);
  return protocol === 'tcp' ? tunnelName(group) : egressCluster;
}

/**
 * The local egress gateways, one cluster for all Groups. Unreachable ones are ejected, all but the last (Kuma
 * 8297). Answers never eject: they come from beyond the gateway, and ejecting a live one for them would
 * protect a dead one.
 */
export function buildEgressCluster(socket: Pick<Cluster, 'transport_socket'>): Cluster {
  return {
    ...edsCluster(egressCluster),
    ...socket,
    connect_timeout: '0.25s',
    lb_policy: gatewayBalancing,
    circuit_breakers: circuitBreakers(gatewayConnection, {}),
    outlier_detection: outlierDetection(gatewayOutlier, gatewayOutlier.maxEjectionPercent.sidecar),
    ...gatewayHttp(),
  };
}

/**
 * Other IDCs' ingress gateways for a Group of its own: for requests that have visited no other IDC yet, which
 * alone are routed here (`route.ts`). Health checks go through the gateway to the Group's instances: a
 * failure means that this IDC has none.
 */
export function buildAwayCluster(
  plan: GroupPlan,
  crossing: Crossing,
  idcs: ReadonlyMap<string, Idc>,
): Cluster {
  return {
    ...crossingCluster(awayCluster(plan), crossing, gatewayConnection, idcs),
    ...(crossing.check === undefined ? {} : { health_checks: crossingChecks(plan, crossing.check) }),
  };
}

/** The same of all Groups with equal crossings. Nothing in it depends on a Group, nor on its requests. */
export function buildSharedAwayCluster(
  name: string,
  crossing: Crossing,
  idcs: ReadonlyMap<string, Idc>,
): Cluster {
  return crossingCluster(name, crossing, sharedConnection, idcs);
}

/**
 * The same for requests that another IDC has handed on, of all Groups with these crossings. A request may use
 * endpoints whose subset contains its visited set; unknown sets match none. One for many Groups: each set is
 * a load balancer of its own in each thread
 * (docs/decisions/180-what-a-gateway-of-many-groups-costs.md).
 */
export function buildOnwardCluster(
  name: string,
  crossing: Crossing,
  idcs: ReadonlyMap<string, Idc>,
): Cluster {
  return { ...crossingCluster(name, crossing, sharedConnection, idcs), lb_subset_config: byVisited };
}

/**
 * Unreachable gateways are ejected, all but the last; answers never eject, as they come from beyond the
 * gateway (docs/decisions/002-egress-ejects-the-unreachable.md).
 */
function crossingCluster(
  name: string,
  crossing: Crossing,
  limits: ConnectionPlan,
  idcs: ReadonlyMap<string, Idc>,
): Cluster {
  const { connectTimeoutMs, silenceMs } = crossing;
  return {
    ...edsCluster(name),
    ...crossingSockets(crossing, idcs),
    connect_timeout: protoDuration(connectTimeoutMs),
    lb_policy: gatewayBalancing,
    circuit_breakers: circuitBreakers(limits),
    outlier_detection: outlierDetection(gatewayOutlier, gatewayOutlier.maxEjectionPercent.sidecar),
    ...gatewayHttp(silenceMs),
  };
}

/** Selects endpoints by the request's visited set, which `header_to_metadata` sets (`http-listener.ts`). */
const byVisited: envoy.config.cluster.v3.Cluster.LbSubsetConfig = {
  fallback_policy: 'NO_FALLBACK',
  // An endpoint's metadata lists all sets that may use it.
  list_as_any: true,
  subset_selectors: [{ keys: [visitedKey], fallback_policy: 'NO_FALLBACK' }],
};

const commonLbConfig: envoy.config.cluster.v3.Cluster.CommonLbConfig = {
  // Without healthy hosts the next priority is used, never an unhealthy host.
  healthy_panic_threshold: { value: 0 },
  // Envoy's default of 1 s delays ejections by that time.
  update_merge_window: '0s',
};

function edsCluster(name: string): Cluster {
  return {
    name,
    type: 'EDS',
    eds_cluster_config: {
      service_name: name,
      eds_config: adsSource(),
    },
    ...endpointHandling,
  };
}

/** Instances resolved by the proxy: the names are in the cluster, as EDS takes addresses only. */
function dnsCluster(lookup: Lookup, assignment: ClusterLoadAssignment): Cluster {
  return {
    name: assignment.cluster_name ?? '',
    ...dnsLookup(lookup),
    load_assignment: assignment,
    ...endpointHandling,
  };
}

const endpointHandling: Cluster = {
  common_lb_config: commonLbConfig,
  // Otherwise a removed endpoint that still passes its checks goes on receiving requests.
  ignore_health_on_host_removal: true,
  per_connection_buffer_limit_bytes: 32_768,
};

type Seconds = `${number}s`;

/**
 * HTTP/2 PING (RFC 9113, 6.7) detects a dead or hung peer: any frame within `timeout` counts as alive.
 * Between our proxies only: gRPC servers close connections that ping more often than each five minutes.
 */
function ping(
  interval: Seconds,
  timeout: Seconds,
): { connection_keepalive: envoy.config.core.v3.KeepaliveSettings } {
  return { connection_keepalive: { interval, timeout } };
}

/** HTTP/2 to gateways; `silenceMs`: timeout of a PING. */
function gatewayHttp(silenceMs = 2_000): ReturnType<typeof httpUpstream> {
  return httpUpstream({
    common_http_protocol_options: {
      ...upstreamCommon,
      idle_timeout: protoDuration(gatewayConnection.idleTimeoutMs),
    },
    explicit_http_config: {
      http2_protocol_options: {
        ...upstreamHttp2,
        ...ping('1s', protoDuration(silenceMs)),
      },
    },
  });
}

/** A dead gateway has the fewest active requests: LEAST_REQUEST would prefer it, also for retries. */
const gatewayBalancing = 'ROUND_ROBIN';

function outlierDetection(
  outlier: Outlier,
  maxEjectionPercent: number,
): envoy.config.cluster.v3.OutlierDetection {
  const { consecutive5xx, consecutiveGatewayErrors, consecutiveLocalOriginFailures, failureShare } = outlier;
  return {
    ...(consecutive5xx === undefined
      ? { enforcing_consecutive_5xx: 0 }
      : { consecutive_5xx: consecutive5xx }),
    ...(consecutiveGatewayErrors === undefined
      ? { enforcing_consecutive_gateway_failure: 0 }
      : {
          consecutive_gateway_failure: consecutiveGatewayErrors,
          // Counted by Envoy by default, without ejection.
          enforcing_consecutive_gateway_failure: 100,
        }),
    ...(consecutiveLocalOriginFailures === undefined
      ? {}
      : {
          split_external_local_origin_errors: true,
          consecutive_local_origin_failure: consecutiveLocalOriginFailures,
          enforcing_local_origin_success_rate: 0,
        }),
    ...(failureShare === undefined
      ? {}
      : {
          failure_percentage_threshold: failureShare.percent,
          failure_percentage_request_volume: failureShare.requestsMin,
          failure_percentage_minimum_hosts: failureShare.instancesMin,
          // Computed by Envoy by default, without ejection.
          enforcing_failure_percentage: 100,
          ...(failureShare.ofConnections ? { enforcing_failure_percentage_local_origin: 100 } : {}),
        }),
    ...(outlier.checksEndEjections === false ? { successful_active_health_check_uneject_host: false } : {}),
    enforcing_success_rate: 0,
    interval: protoDuration(outlier.intervalMs),
    base_ejection_time: protoDuration(outlier.baseEjectionMs),
    max_ejection_time: protoDuration(outlier.maxEjectionMs),
    max_ejection_percent: maxEjectionPercent,
  };
}

type Thresholds = envoy.config.cluster.v3.CircuitBreakers.Thresholds;

/**
 * Circuit breakers. At an ingress, requests of local clients have priority HIGH and those from other IDCs
 * DEFAULT (`fromOthers`: the differing limits of these): each priority has breakers and connections of its
 * own.
 */
function circuitBreakers(
  connection: ConnectionPlan,
  fromOthers?: Thresholds,
  budget?: PlannedRetryBudget,
): envoy.config.cluster.v3.CircuitBreakers {
  const own: Thresholds = {
    max_connections: connection.maxConnections,
    max_pending_requests: connection.maxPendingRequests,
    max_requests: connection.maxRequests,
    max_retries: connection.maxRetries,
    ...(budget === undefined
      ? {}
      : {
          retry_budget: {
            budget_percent: { value: budget.sharePercent },
            min_retry_concurrency: budget.min,
          },
        }),
  };
  if (fromOthers === undefined) return { thresholds: [own] };
  return {
    thresholds: [
      { ...own, ...fromOthers },
      { priority: 'HIGH', ...own },
    ],
  };
}

/** TCP_USER_TIMEOUT (tcp(7)): sent data must be acknowledged within this time. An answer has no limit. */
function userTimeout(ms: number): envoy.config.core.v3.SocketOption {
  return {
    description: 'TCP_USER_TIMEOUT',
    level: ipprotoTcp,
    name: tcpUserTimeout,
    int_value: ms,
    state: 'STATE_PREBIND',
  };
}

/** Linux's constants. */
const [ipprotoTcp, tcpUserTimeout] = [6, 18];

function keepalive(connection: ConnectionPlan): envoy.config.cluster.v3.UpstreamConnectionOptions {
  const { probes, timeMs, intervalMs } = connection.tcpKeepalive ?? {};
  return {
    tcp_keepalive: {
      ...(probes === undefined ? {} : { keepalive_probes: probes }),
      ...(timeMs === undefined ? {} : { keepalive_time: Math.ceil(timeMs / 1000) }),
      ...(intervalMs === undefined ? {} : { keepalive_interval: Math.ceil(intervalMs / 1000) }),
    },
  };
}

/** The HTTP protocol options of a cluster. */
export function httpUpstream(
  options: HttpProtocolOptions,
): Pick<Cluster, 'typed_extension_protocol_options'> {
  const name = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  return { typed_extension_protocol_options: { [name]: packAny(name, options) } };
}
