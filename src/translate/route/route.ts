import type { envoy, Route, RouteConfiguration, VirtualHost } from '../../../protos/gen/envoy.d.ts';
import { sharedMessage } from '../../base/shared-message.ts';
import { nobodyHeader, trailHeader, unsentHeader, visitedHeader } from '../../model/trail.ts';
import type { Passthrough } from '../../plan/passthrough.ts';
import type { GroupPlan, ListenerRole, Path } from '../../plan/types.ts';
import { hashPolicy } from '../cluster/hash.ts';
import { buildHealthRoute } from '../cluster/health.ts';
import { buildConnectRoutes, hasRoutes } from '../listener/tcp-listener.ts';
import {
  awayCluster,
  degradedHeader,
  failHealthHeader,
  failoverCluster,
  instancesCluster,
  onwardCluster,
  passthroughCluster,
} from '../names.ts';
import { addressesPermitted, namesLookedUp, passthroughHost } from '../passthrough.ts';
import { appProtocol } from '../sidecar.ts';
import type { HeaderMatcher } from './header-matchers.ts';
import { buildNobodyThereRoutes } from './nobody-there.ts';
import { readyHost } from './ready.ts';
import { buildRequestRoutes } from './request-routes.ts';
import { buildRetry } from './retry.ts';
import { knownHosts, unknownHosts } from './unknown-hosts.ts';

type RouteAction = envoy.config.route.v3.RouteAction;

/** A sidecar's handling of hosts of none of its Groups. */
export interface OtherHosts {
  readonly passthrough: Passthrough;
  /** Set if they pass through: the hosts of all Groups, including the sidecar's. Absent: they are refused. */
  readonly declared?: readonly string[];
}

/**
 * One listener's RDS route configuration of all Groups, named as the listener. `ready`: the answer of an
 * edge's readiness path; absent: not served.
 */
export function buildRouteConfiguration(
  listener: ListenerRole,
  plans: readonly GroupPlan[],
  others?: OtherHosts,
  ready?: boolean,
): RouteConfiguration {
  const groups = routedHosts(listener, plans);
  return {
    name: listener,
    ...(listener === 'outbound' && others !== undefined && needsPassthrough(groups, others)
      ? { typed_per_filter_config: addressesPermitted(others.passthrough) }
      : {}),
    ...responsesOf(listener),
    // Clients of a proxy send the proxy's port: only routes of a host match ports.
    ignore_port_in_host_matching: true,
    virtual_hosts: [
      ...groups.map((ports) => virtualHostOf(ports, listener)),
      ...(listener === 'outbound' ? otherHosts(groups, others?.declared) : []),
      ...(listener === 'edge' && ready !== undefined ? [readyHost(ready)] : []),
    ],
  };
}

/** What all route tables of a listener do to responses. */
export function responsesOf(listener: ListenerRole): Pick<RouteConfiguration, 'response_headers_to_remove'> {
  switch (listener) {
    case 'outbound':
      // Workloads do not see a request's trail; they do see why it was refused. Clients: `edge-filters.ts`.
      return { response_headers_to_remove: [trailHeader, visitedHeader, nobodyHeader, unsentHeader] };
    case 'sidecar':
    case 'ingress':
      // Between gateways only: the egress has acted on it, and a later proxy would apply it to the egress.
      return { response_headers_to_remove: [failHealthHeader] };
    case 'peer':
      // An instance's own state: forwarded, it would apply to the gateway, and so to all instances here.
      return { response_headers_to_remove: [failHealthHeader, degradedHeader] };
    case 'edge':
      return {};
  }
}

/** The plans with routes at a listener, by host: the ports of each host together, the default one last. */
export function routedHosts(listener: ListenerRole, plans: readonly GroupPlan[]): GroupPlan[][] {
  return byHost(
    plans.filter((plan) => plan.paths[listener].priorities.length > 0 && hasRoutes(plan, listener)),
  );
}

/** Whether a sidecar's table of these hosts passes requests on to hosts that they name. */
export function needsPassthrough(groups: readonly GroupPlan[][], { declared }: OtherHosts): boolean {
  return declared !== undefined || groups.flat().some(({ lookup }) => lookup === 'request');
}

function otherHosts(groups: readonly GroupPlan[][], declared: OtherHosts['declared']): VirtualHost[] {
  if (declared === undefined) return [unknownHosts];
  const routed = new Set(groups.map(([plan]) => plan?.group.host));
  const known = declared.filter((host) => !routed.has(host));
  return [...(known.length === 0 ? [] : [knownHosts(known)]), passthroughHost];
}

function byHost(plans: readonly GroupPlan[]): GroupPlan[][] {
  const hosts = new Map<string, GroupPlan[]>();
  for (const plan of plans) {
    const ports = hosts.get(plan.group.host) ?? [];
    if (plan.isDefaultPort) ports.push(plan);
    else ports.unshift(plan);
    hosts.set(plan.group.host, ports);
  }
  return [...hosts.values()];
}

/**
 * Built virtual hosts by their first plan: a change of one Group's routes does not rebuild those of others.
 */
const built = new WeakMap<GroupPlan, Map<ListenerRole, BuiltHost>>();

interface BuiltHost {
  readonly ports: readonly GroupPlan[];
  readonly host: VirtualHost;
}

/** One host with all its ports, in the order of `routedHosts`; kept, for tables of many hosts. */
export function virtualHostOf(ports: readonly GroupPlan[], listener: ListenerRole): VirtualHost {
  const [first] = ports as [GroupPlan];
  const known = built.get(first) ?? new Map<ListenerRole, BuiltHost>();
  built.set(first, known);
  const found = known.get(listener);
  if (found?.ports.length === ports.length && found.ports.every((plan, i) => plan === ports[i]))
    return found.host;
  const host = sharedMessage(buildVirtualHost(ports, listener));
  known.set(listener, { ports, host });
  return host;
}

/**
 * Tells an instance's sidecar the workload's protocol. The egress forwards the header; the peer listener sets
 * it anew.
 */
function toSidecars(route: Route, plan: GroupPlan, listener: ListenerRole): Route {
  const told = listener === 'sidecar' || listener === 'ingress' ? {} : appProtocol(plan);
  return told.request_headers_to_add === undefined ? route : { ...route, ...told };
}

/**
 * One host with all its ports, built anew. A declared port matches itself; any other, and none, the default
 * one (docs/decisions/070-ports-of-a-host.md).
 */
export function buildVirtualHost(ports: readonly GroupPlan[], listener: ListenerRole): VirtualHost {
  const last = ports.at(-1) as GroupPlan;
  const path = last.paths[listener];
  const isDialled = ports.some(({ lookup }) => lookup === 'request');
  // The retry policy of most of its routes.
  const inherited = buildRetry(path.retry.other, movesOn(last, path));
  return {
    name: last.group.host,
    domains: [last.group.host],
    routes: [
      ...(last.closedPorts ?? []).map((port) => atPort(closed, port)),
      ...ports.flatMap((plan) => {
        const routes = buildGroupRoutes(plan, plan.paths[listener], inherited).map((route) =>
          toSidecars(route, plan, listener),
        );
        if (plan.lookup === 'request') return dialled(routes, plan.group.port);
        return plan.isDefaultPort ? routes : routes.map((route) => atPort(route, plan.group.port));
      }),
      ...(isDialled && listener === 'outbound' ? [undeclared] : []),
    ],
    ...(isDialled ? { typed_per_filter_config: namesLookedUp } : {}),
    ...inherited,
    // Without it a body is buffered up to the connection's buffer, 32 KiB, and a larger one is never retried.
    request_body_buffer_limit: last.retryBodyBytes,
  };
}

/** Without it the default port's instances would get these requests. */
const closed: Route = sharedMessage<Route>({
  match: { prefix: '/' },
  direct_response: {
    status: 404,
    body: { inline_string: 'isthmus: this port of the host is not served by HTTP' },
  },
});

/** For a host resolved by request, at the port of the request. */
const undeclared: Route = sharedMessage<Route>({
  match: { prefix: '/' },
  direct_response: {
    status: 404,
    body: { inline_string: 'isthmus: the ServiceEntry of this host does not have this port' },
  },
});

/** If a request goes to the port that it names: only requests for this one; none means 80. */
function dialled(routes: readonly Route[], port: number): Route[] {
  const named = routes.map((route) => atPort(route, port));
  if (port !== 80) return named;
  // In the table of other hosts every name has a port (`host-filters.ts`).
  const none = { name: ':authority', string_match: { safe_regex: { regex: '([*]:[^:]*:0|[^:]*)' } } };
  return [
    ...named,
    ...routes.map((route) => ({
      ...route,
      match: { ...route.match, headers: [none, ...(route.match?.headers ?? [])] },
    })),
  ];
}

/** The route, restricted to requests whose Host or `:authority` ends in this port. */
function atPort(route: Route, port: number): Route {
  const isAtPort = { name: ':authority', string_match: { suffix: `:${port}` } };
  return { ...route, match: { ...route.match, headers: [isAtPort, ...(route.match?.headers ?? [])] } };
}

/**
 * Whether there is another priority: another target, or standby instances, such as a name's in another IDC.
 */
function movesOn({ instances }: GroupPlan, { priorities }: Path): boolean {
  return priorities.length > 1 || instances.some(({ priority = 0 }) => priority > 0);
}

function buildGroupRoutes(plan: GroupPlan, path: Path, inherited: RouteAction): Route[] {
  const isPeer = path.listener === 'peer';
  if (plan.protocol === 'tcp') {
    // Everything set explicitly: the virtual host's policy is that of its HTTP ports.
    const own = { retry_policy: {}, ...buildRetry(path.retry.other, movesOn(plan, path)) };
    const isOutbound = path.listener === 'outbound';
    const cluster =
      isOutbound && plan.lookup !== 'request' ? failoverCluster(plan.group) : clusterOf(plan, path);
    const leaves = cluster === awayCluster(plan);
    return buildConnectRoutes(cluster, own, isPeer || isOutbound, leaves ? begunHere(plan) : []);
  }
  const routes = (of: Path, headers: readonly HeaderMatcher[] = [], cluster = clusterOf(plan, of)) =>
    buildRequestRoutes({
      cluster,
      path: of,
      movesOn: movesOn(plan, of),
      headers,
      inherited,
      hashing: hashPolicy(plan, path.listener),
      idleTimeoutMs: plan.idleTimeoutMs,
      retryBodyBytes: plan.retryBodyBytes,
      ...(plan.mirror === undefined
        ? {}
        : { mirror: { cluster: instancesCluster(plan.group), percent: plan.mirror } }),
    });
  if (isPeer) return [...buildPeerRoutes(plan, routes), ...routes(path)];
  if (clusterOf(plan, path) !== awayCluster(plan)) return routes(path);
  return [
    ...buildNobodyThereRoutes(plan),
    ...routes(path, begunHere(plan)),
    ...(path.listener === 'ingress' ? buildOnwardRoutes(plan, routes) : []),
  ];
}

/**
 * Matches requests that have visited no other IDC: only these reach `awayCluster`, whose endpoints do not
 * tell visited IDCs apart. Any other, and one without the trail filter's header, has no route.
 */
function begunHere({ crossing }: GroupPlan): readonly HeaderMatcher[] {
  if (crossing === undefined || crossing.permits === 'all') return [];
  return [{ name: visitedHeader, string_match: { exact: crossing.begun } }];
}

/** The egress's routes for requests that another IDC has handed on, by number of visited IDCs. */
function buildOnwardRoutes(
  { crossing, handOn }: GroupPlan,
  routes: (path: Path, headers: readonly HeaderMatcher[], cluster: string) => Route[],
): Route[] {
  if (crossing?.onward === undefined) return [];
  const cluster = onwardCluster(crossing.onward);
  return (handOn?.onward ?? []).flatMap((each, i) => routes(each, [visitedCount(i + 2, i + 2)], cluster));
}

/**
 * The peer listener's routes before those that serve locally or not at all: health checks, then requests that
 * may be handed on, by number of visited IDCs.
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

/**
 * Matches requests by the number of known visited IDCs, the local one included. The filter writes this
 * header.
 */
function visitedCount(min: number, max: number): HeaderMatcher {
  const name = '[a-z0-9-]+';
  const regex = `${name}(,${name}){${min - 1},${max - 1}}`;
  return { name: visitedHeader, string_match: { safe_regex: { regex } } };
}

/** The cluster with a path's priorities. */
function clusterOf(plan: GroupPlan, path: Path): string {
  if (plan.lookup === 'request') return passthroughCluster;
  const kinds = path.priorities.map((target) => target.kind);
  if (kinds.includes('idc')) return awayCluster(plan);
  return kinds.includes('egress') ? failoverCluster(plan.group) : instancesCluster(plan.group);
}
