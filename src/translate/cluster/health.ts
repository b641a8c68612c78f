import type { envoy, Route } from '../../../protos/gen/envoy.d.ts';
import type { CrossingCheck, GroupPlan, HealthCheck, HealthQuestion } from '../../plan/types.ts';
import { filterName } from '../listener/trail-filter.ts';
import { packAny, protoDuration } from '../message-parts.ts';
import { checksCluster, crossingCheckHeader, groupName, healthPath, instancesCluster } from '../names.ts';
import { buildRetry } from '../route/retry.ts';
import { appProtocol } from '../sidecar.ts';

type EnvoyCheck = envoy.config.core.v3.HealthCheck;

/** The path of grpc.health.v1's method. */
const grpcHealthPath = '/grpc.health.v1.Health/Check';

/** A proxy's health check of local instances. */
export function instanceCheck(plan: GroupPlan, health: HealthCheck): EnvoyCheck {
  const interval = protoDuration(health.intervalMs);
  const { question } = health;
  // A sidecar exists at the instance's own port only.
  const sidecars = plan.sidecars && health.port === undefined;
  return {
    timeout: protoDuration(health.intervalMs * 0.8),
    interval,
    interval_jitter_percent: 10,
    // Envoy's default without traffic is one check a minute: too late for the first request of an outage.
    no_traffic_interval: interval,
    no_traffic_healthy_interval: interval,
    unhealthy_threshold: 2,
    healthy_threshold: 1,
    ...(question.kind === 'grpc'
      ? { grpc_health_check: { ...serviceOf(question), authority: plan.group.host } }
      : {
          http_health_check: {
            host: plan.group.host,
            path: question.path,
            codec_client_type: plan.protocol === 'http2' || sidecars ? 'HTTP2' : 'HTTP1',
            ...appProtocol({ ...plan, sidecars }),
            ...expectedStatuses(question),
          },
        }),
  };
}

/**
 * The egress's health checks of a Group in another IDC, through its ingress gateways: the same request as for
 * instances, so that both accept the same answers.
 */
export function crossingChecks(plan: GroupPlan, check: CrossingCheck): EnvoyCheck[] {
  if (plan.health === undefined) return [];
  const { question } = plan.health;
  const interval = protoDuration(check.intervalMs);
  return [
    {
      timeout: protoDuration(check.timeoutMs),
      interval,
      // Gateways start together, and so would their checks: spread them.
      initial_jitter: protoDuration(Math.min(check.intervalMs, 1_000)),
      interval_jitter_percent: 20,
      // A connection kept for each Group is sent a PING each second: more than the checks themselves
      // (docs/decisions/181-checks-are-for-the-return.md). The timeout includes the handshake.
      reuse_connection: false,
      unhealthy_interval: protoDuration(check.unhealthyIntervalMs),
      no_traffic_interval: protoDuration(check.unhealthyIntervalMs),
      no_traffic_healthy_interval: interval,
      unhealthy_threshold: 2,
      healthy_threshold: 1,
      ...(question.kind === 'grpc'
        ? {
            grpc_health_check: {
              ...serviceOf(question),
              authority: groupName(plan.group),
              initial_metadata: [{ header: { key: crossingCheckHeader, value: 'true' } }],
            },
          }
        : {
            http_health_check: {
              host: groupName(plan.group),
              path: healthPath,
              codec_client_type: 'HTTP2',
              ...expectedStatuses(question),
            },
          }),
    },
  ];
}

/**
 * The peer listener's route for other IDCs' health checks: forwards them to a local instance. A check has no
 * trail and is never handed on, so the trail filter is disabled. It is retried once at once; the route
 * matches checks only, and gRPC's mark is removed from outside requests (`client-address.ts`).
 */
export function buildHealthRoute(plan: GroupPlan, health: HealthCheck): Route {
  const { question } = health;
  return {
    match:
      question.kind === 'grpc'
        ? { path: grpcHealthPath, headers: [{ name: crossingCheckHeader, present_match: true }] }
        : { path: healthPath, headers: [{ name: ':method', string_match: { exact: 'GET' } }] },
    route: {
      cluster: health.port === undefined ? instancesCluster(plan.group) : checksCluster(plan.group),
      ...(question.kind === 'grpc' ? {} : { prefix_rewrite: question.path }),
      host_rewrite_literal: plan.group.host,
      timeout: protoDuration(health.answerMs),
      // Exempt from the limit on requests from other IDCs: full is not unhealthy.
      priority: 'HIGH',
      ...buildRetry(
        {
          on: ['unsent', 'reset', 'gateway-error'],
          retries: 1,
          perTryMs: Math.round(health.answerMs / 2),
          hedged: true,
          triesPerPriority: 2,
        },
        false,
      ),
    },
    ...(question.kind === 'grpc' ? { request_headers_to_remove: [crossingCheckHeader] } : {}),
    typed_per_filter_config: {
      [filterName('ingress-peer')]: packAny('envoy.config.route.v3.FilterConfig', { disabled: true }),
    },
  };
}

function serviceOf({ service }: HealthQuestion & { kind: 'grpc' }): { service_name?: string } {
  return service === '' ? {} : { service_name: service };
}

/** Envoy's ranges exclude their end. */
function expectedStatuses({ statuses }: HealthQuestion & { kind: 'http' }): {
  expected_statuses: envoy.type.v3.Int64Range[];
} {
  return {
    expected_statuses: statuses.map(({ from, to }) => ({ start: String(from), end: String(to + 1) })),
  };
}
