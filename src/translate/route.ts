import type { envoy, Route, RouteConfiguration, VirtualHost } from '../../protos/gen/envoy.d.ts';
import { trailHeader, visitedHeader } from '../model/trail.ts';
import type { GroupPlan, HealthCheck, ListenerRole, Path, RetryCondition, RetryRule } from '../plan/types.ts';
import { any, duration } from './any.ts';
import { filterName } from './filter.ts';
import {
  failHealthHeader,
  failoverCluster,
  groupName,
  healthPath,
  idcsCluster,
  instancesCluster,
} from './names.ts';
import { buildConnectRoutes, hasRoutes } from './tcp.ts';

type RouteMatch = envoy.config.route.v3.RouteMatch;
type HeaderMatcher = envoy.config.route.v3.HeaderMatcher;
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
    // Between gateways only: the egress has acted on it, and whoever comes next would blame the egress.
    ...(listener === 'sidecar' || listener === 'ingress'
      ? { response_headers_to_remove: [failHealthHeader] }
      : {}),
    virtual_hosts: plans
      .filter((plan) => plan.paths[listener].priorities.length > 0 && hasRoutes(plan, listener))
      .map((plan) => buildVirtualHost(plan, plan.paths[listener])),
  };
}

function buildVirtualHost(plan: GroupPlan, path: Path): VirtualHost {
  const { host, port } = plan.group;
  return {
    name: groupName(plan.group),
    domains: plan.isDefaultPort ? [host, `${host}:${port}`] : [`${host}:${port}`],
    routes: buildGroupRoutes(plan, path),
  };
}

function buildGroupRoutes(plan: GroupPlan, path: Path): Route[] {
  const isPeer = path.listener === 'peer';
  if (plan.protocol === 'tcp') {
    return buildConnectRoutes(clusterOf(plan, path), retryAction(path, path.retry.other), isPeer);
  }
  return isPeer ? buildPeerRoutes(plan) : buildRoutes(clusterOf(plan, path), path);
}

/**
 * Routes for other IDCs' egress gateways: health checks, then requests that may be handed on, by the number of
 * IDCs that they have visited, then all others, which are served locally or not at all.
 */
function buildPeerRoutes(plan: GroupPlan): Route[] {
  const { handOn, paths } = plan;
  const namesMax = plan.crossing?.handOnNamesMax ?? 0;
  const by = (path: Path, visited?: HeaderMatcher) => buildRoutes(clusterOf(plan, path), path, visited);
  return [
    ...(plan.health === undefined ? [] : [buildHealthRoute(plan, plan.health)]),
    ...(handOn === undefined ? [] : handOnRoutes()),
    ...by(paths.peer),
  ];

  function handOnRoutes(): Route[] {
    if (handOn === undefined) return [];
    if (namesMax === Number.POSITIVE_INFINITY) return by(handOn.later);
    return [
      ...by(handOn.first, visitedCount(2, 2)),
      ...(namesMax > 2 ? by(handOn.later, visitedCount(3, namesMax)) : []),
    ];
  }
}

/** Matches requests that have visited so many known IDCs, the own one included. The filter writes this header. */
function visitedCount(min: number, max: number): HeaderMatcher {
  const name = '[a-z0-9-]+';
  const regex = `${name}(,${name}){${min - 1},${max - 1}}`;
  return { name: visitedHeader, string_match: { safe_regex: { regex } } };
}

/**
 * Where another IDC's egress asks whether this one has anybody for the Group: a check of a local instance. It
 * carries no trail and leads nowhere else, so the trail filter does not run for it.
 */
function buildHealthRoute(plan: GroupPlan, health: HealthCheck): Route {
  return {
    match: { path: healthPath },
    route: {
      cluster: instancesCluster(plan.group),
      prefix_rewrite: health.path,
      host_rewrite_literal: plan.group.host,
      timeout: duration(health.answerMs),
      ...retryAction(plan.paths.peer, {
        on: ['unsent', 'reset', 'gateway-error'],
        retries: 1,
        perTryMs: Math.round(health.answerMs / 2),
        triesPerPriority: 2,
      }),
    },
    typed_per_filter_config: {
      [filterName('ingress-peer')]: any('envoy.config.route.v3.FilterConfig', { disabled: true }),
    },
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
function buildRoutes(cluster: string, path: Path, visited?: HeaderMatcher): Route[] {
  const { retry } = path;
  const idempotent = retryAction(path, retry.idempotent);
  const other = retryAction(path, retry.other);
  const methods = retry.idempotentMethods.join('|');
  const isIdempotent = { name: ':method', string_match: { safe_regex: { regex: methods } } };
  const wantsEvents = { name: 'accept', string_match: { contains: 'text/event-stream' } };
  const isUpgrade = { name: 'upgrade', present_match: true };
  const route = (
    { headers = [], ...match }: Omit<RouteMatch, 'prefix'>,
    action: RouteAction,
    timeoutMs: number,
  ): Route => ({
    match: { prefix: '/', ...match, ...both(visited, headers) },
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

function both(
  visited: HeaderMatcher | undefined,
  headers: readonly HeaderMatcher[],
): Pick<RouteMatch, 'headers'> {
  const all = visited === undefined ? headers : [visited, ...headers];
  return all.length === 0 ? {} : { headers: [...all] };
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
