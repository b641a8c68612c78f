import type { envoy, Route, RouteConfiguration, VirtualHost } from '../../protos/gen/envoy.d.ts';
import { trailHeader, visitedHeader } from '../model/trail.ts';
import type { GroupPlan, ListenerRole, Path, RetryCondition, RetryRule } from '../plan/types.ts';
import { any, duration } from './any.ts';
import { failoverCluster, groupName, idcsCluster, instancesCluster } from './names.ts';

type RouteMatch = envoy.config.route.v3.RouteMatch;
type RouteAction = envoy.config.route.v3.RouteAction;
type RetryPolicy = envoy.config.route.v3.RetryPolicy;

/** All Groups that one listener routes; RDS, named as the listener. */
export function buildRouteConfiguration(
  listener: ListenerRole,
  plans: readonly GroupPlan[],
): RouteConfiguration {
  return {
    name: listener,
    // Workloads do not see the way that a request took; they do see why one was refused. Clients: `edge.ts`.
    ...(listener === 'outbound' ? { response_headers_to_remove: [trailHeader, visitedHeader] } : {}),
    virtual_hosts: plans
      .filter((plan) => plan.paths[listener].priorities.length > 0)
      .map((plan) => buildVirtualHost(plan, plan.paths[listener])),
  };
}

function buildVirtualHost(plan: GroupPlan, path: Path): VirtualHost {
  const { host, port } = plan.group;
  return {
    name: groupName(plan.group),
    domains: plan.isDefaultPort ? [host, `${host}:${port}`] : [`${host}:${port}`],
    routes: buildRoutes(clusterOf(plan, path), path),
  };
}

/** The cluster that holds a path's priorities. */
function clusterOf(plan: GroupPlan, path: Path): string {
  const kinds = path.priorities.map((target) => target.kind);
  if (kinds.includes('idc')) return idcsCluster(plan.group);
  return kinds.includes('egress') ? failoverCluster(plan.group) : instancesCluster(plan.group);
}

/**
 * Routes by what a request allows, first match wins: gRPC and event streams have no time limit of ours,
 * idempotent methods may be sent twice, anything else only when it was never sent.
 */
function buildRoutes(cluster: string, path: Path): Route[] {
  const { retry } = path;
  const idempotent = retryAction(path, retry.idempotent);
  const other = retryAction(path, retry.other);
  const methods = retry.idempotentMethods.join('|');
  const isIdempotent = { name: ':method', string_match: { safe_regex: { regex: methods } } };
  const wantsEvents = { name: 'accept', string_match: { contains: 'text/event-stream' } };
  const isUpgrade = { name: 'upgrade', present_match: true };
  const route = (match: Omit<RouteMatch, 'prefix'>, action: RouteAction, timeoutMs: number): Route => ({
    match: { prefix: '/', ...match },
    route: { cluster, timeout: duration(timeoutMs), ...action },
  });
  return [
    // The client's grpc-timeout holds instead.
    route({ grpc: {} }, { ...other, max_stream_duration: { grpc_timeout_header_max: '0s' } }, 0),
    route({ headers: [isUpgrade] }, other, 0),
    ...(methods === ''
      ? []
      : [
          route({ headers: [isIdempotent, wantsEvents] }, idempotent, 0),
          route({ headers: [isIdempotent] }, idempotent, retry.timeoutMs),
        ]),
    route({ headers: [wantsEvents] }, other, 0),
    route({}, other, retry.timeoutMs),
  ];
}

const retryOn: Readonly<Record<RetryCondition, string>> = {
  unsent: 'connect-failure,refused-stream,reset-before-request',
  reset: 'reset',
  'gateway-error': 'gateway-error',
};

function retryAction(path: Path, rule: RetryRule): RouteAction {
  if (rule.retries === 0) return {};
  const policy: RetryPolicy = {
    retry_on: rule.on.map((condition) => retryOn[condition]).join(','),
    num_retries: rule.retries,
    // Long enough for a gateway that has just died to be ejected meanwhile: a request that met dying ones on its way
    // must not meet the dead one again with its last try (docs/decisions/002-egress-ejects-the-unreachable.md).
    retry_back_off: { base_interval: '0.010s', max_interval: '0.100s' },
    // Another host for each try, and another priority once this one has had its tries.
    retry_host_predicate: [
      {
        name: 'envoy.retry_host_predicates.previous_hosts',
        typed_config: any('envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate', {}),
      },
    ],
    // Two random hosts are compared; with one of two dead it takes this many to be sure of the other.
    host_selection_retry_max_attempts: '16',
    ...(path.priorities.length > 1 ? { retry_priority: nextPriority(rule.triesPerPriority) } : {}),
    ...(rule.perTryMs > 0 ? { per_try_timeout: duration(rule.perTryMs) } : {}),
  };
  return {
    retry_policy: policy,
    // A slow answer stays welcome: a second try runs beside the first instead of cutting it.
    ...(rule.perTryMs > 0 ? { hedge_policy: { hedge_on_per_try_timeout: true } } : {}),
  };
}

function nextPriority(triesPerPriority: number): envoy.config.route.v3.RetryPolicy.RetryPriority {
  return {
    name: 'envoy.retry_priorities.previous_priorities',
    typed_config: any('envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig', {
      update_frequency: triesPerPriority,
    }),
  };
}
