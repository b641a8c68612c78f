import type { envoy, Route, RouteConfiguration, VirtualHost } from '../../protos/gen/envoy.d.ts';
import { nobodyHeader, trailHeader, unsentHeader, visitedHeader } from '../model/trail.ts';
import type { GroupPlan, ListenerRole, Path } from '../plan/types.ts';
import { buildHealthRoute } from './health.ts';
import { failHealthHeader, failoverCluster, groupName, idcsCluster, instancesCluster } from './names.ts';
import { buildRequestRoutes, type HeaderMatcher } from './requests.ts';
import { buildRetry } from './retry.ts';
import { buildConnectRoutes, hasRoutes } from './tcp.ts';
import { buildVainRoute } from './vain.ts';

type RouteAction = envoy.config.route.v3.RouteAction;

/** All Groups that one listener routes; RDS, named as the listener. */
export function buildRouteConfiguration(
  listener: ListenerRole,
  plans: readonly GroupPlan[],
): RouteConfiguration {
  return {
    name: listener,
    // Workloads do not see the way that a request took; they do see why one was refused. Clients: `edge.ts`.
    ...(listener === 'outbound'
      ? { response_headers_to_remove: [trailHeader, visitedHeader, nobodyHeader, unsentHeader] }
      : {}),
    // Between gateways only: the egress has acted on it, and whoever comes next would blame the egress.
    ...(listener === 'sidecar' || listener === 'ingress'
      ? { response_headers_to_remove: [failHealthHeader] }
      : {}),
    virtual_hosts: plans
      .filter((plan) => plan.paths[listener].priorities.length > 0 && hasRoutes(plan, listener))
      .map((plan) => virtualHostOf(plan, listener)),
  };
}

/** Virtual hosts that were built: when one Group's routes change, those of the others are neither built nor encoded again. */
const built = new WeakMap<GroupPlan, Map<ListenerRole, VirtualHost>>();

function virtualHostOf(plan: GroupPlan, listener: ListenerRole): VirtualHost {
  const known = built.get(plan) ?? new Map<ListenerRole, VirtualHost>();
  built.set(plan, known);
  const found = known.get(listener) ?? Object.freeze(buildVirtualHost(plan, plan.paths[listener]));
  known.set(listener, found);
  return found;
}

function buildVirtualHost(plan: GroupPlan, path: Path): VirtualHost {
  const { host, port } = plan.group;
  // What most of its routes do about retries stands here once.
  const inherited = buildRetry(path.retry.other, path.priorities.length > 1);
  return {
    name: groupName(plan.group),
    domains: plan.isDefaultPort ? [host, `${host}:${port}`] : [`${host}:${port}`],
    routes: buildGroupRoutes(plan, path, inherited),
    ...inherited,
    // Without it a body is kept up to what the connection's buffer holds: 32 KiB, and nothing larger is tried again.
    request_body_buffer_limit: plan.retryBodyBytes,
  };
}

function buildGroupRoutes(plan: GroupPlan, path: Path, inherited: RouteAction): Route[] {
  const isPeer = path.listener === 'peer';
  if (plan.protocol === 'tcp') return buildConnectRoutes(clusterOf(plan, path), inherited, isPeer);
  const routes = (of: Path, headers: readonly HeaderMatcher[] = []) =>
    buildRequestRoutes({
      cluster: clusterOf(plan, of),
      path: of,
      headers,
      inherited,
      idleTimeoutMs: plan.idleTimeoutMs,
      retryBodyBytes: plan.retryBodyBytes,
    });
  if (isPeer) return [...buildPeerRoutes(plan, routes), ...routes(path)];
  return [
    ...(clusterOf(plan, path) === idcsCluster(plan.group) ? buildVainRoute(plan) : []),
    ...routes(path),
  ];
}

/**
 * The peer listener's routes before those that serve locally or not at all: health checks, then requests that may
 * be handed on, by the number of IDCs that they have visited.
 */
function buildPeerRoutes(
  plan: GroupPlan,
  routes: (path: Path, headers?: readonly HeaderMatcher[]) => Route[],
): Route[] {
  const { handOn, health } = plan;
  const namesMax = plan.crossing?.handOnNamesMax ?? 0;
  const checks = health === undefined ? [] : [buildHealthRoute(plan, health)];
  if (handOn === undefined) return checks;
  if (namesMax === Number.POSITIVE_INFINITY) return [...checks, ...routes(handOn.later)];
  return [
    ...checks,
    ...routes(handOn.first, [visitedCount(2, 2)]),
    ...(namesMax > 2 ? routes(handOn.later, [visitedCount(3, namesMax)]) : []),
  ];
}

/** Matches requests that have visited so many known IDCs, the own one included. The filter writes this header. */
function visitedCount(min: number, max: number): HeaderMatcher {
  const name = '[a-z0-9-]+';
  const regex = `${name}(,${name}){${min - 1},${max - 1}}`;
  return { name: visitedHeader, string_match: { safe_regex: { regex } } };
}

/** The cluster that holds a path's priorities. */
function clusterOf(plan: GroupPlan, path: Path): string {
  const kinds = path.priorities.map((target) => target.kind);
  if (kinds.includes('idc')) return idcsCluster(plan.group);
  return kinds.includes('egress') ? failoverCluster(plan.group) : instancesCluster(plan.group);
}
