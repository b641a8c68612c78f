import type { envoy, Route, RouteConfiguration, VirtualHost } from '../../../protos/gen/envoy.d.ts';
import { sharedMessage } from '../../base/shared-message.ts';
import { nobodyHeader, trailHeader, unsentHeader, visitedHeader } from '../../model/trail.ts';
import type { Passthrough } from '../../plan/passthrough.ts';
import type { GroupPlan, ListenerRole, Path } from '../../plan/types.ts';
import { hashing } from '../cluster/hash.ts';
import { buildHealthRoute } from '../cluster/health.ts';
import { buildConnectRoutes, hasRoutes } from '../listener/tcp-listener.ts';
import {
  degradedHeader,
  failHealthHeader,
  failoverCluster,
  idcsCluster,
  instancesCluster,
  passthroughCluster,
} from '../names.ts';
import { addressesPermitted, namesLookedUp, passthroughHost } from '../passthrough.ts';
import { appProtocol } from '../sidecar.ts';
import { buildVainRoutes } from './nobody-there.ts';
import { readyHost } from './ready.ts';
import { buildRequestRoutes, type HeaderMatcher } from './request-routes.ts';
import { buildRetry } from './retry.ts';
import { knownHosts, unknownHosts } from './unknown-hosts.ts';

type RouteAction = envoy.config.route.v3.RouteAction;

/** What a sidecar does with hosts that requests alone name. */
export interface OtherHosts {
  readonly passthrough: Passthrough;
  /**
   * Where hosts pass that none of its Groups has: the hosts of all Groups, those of the sidecar too. Absent:
   * they are refused.
   */
  readonly declared?: readonly string[];
}

/**
 * All Groups that one listener routes; RDS, named as the listener. `ready`: what an edge says to who asks;
 * absent: nothing.
 */
export function buildRouteConfiguration(
  listener: ListenerRole,
  plans: readonly GroupPlan[],
  others?: OtherHosts,
  ready?: boolean,
): RouteConfiguration {
  const groups = byHost(
    plans.filter((plan) => plan.paths[listener].priorities.length > 0 && hasRoutes(plan, listener)),
  );
  return {
    name: listener,
    // Workloads do not see the way that a request took; they do see why one was refused. Clients:
    // `edge-filters.ts`.
    ...(listener === 'outbound'
      ? { response_headers_to_remove: [trailHeader, visitedHeader, nobodyHeader, unsentHeader] }
      : {}),
    // Between gateways only: the egress has acted on it, and whoever comes next would blame the egress.
    ...(listener === 'sidecar' || listener === 'ingress'
      ? { response_headers_to_remove: [failHealthHeader] }
      : {}),
    ...(listener === 'outbound' && others !== undefined && needsPassthrough(groups, others)
      ? { typed_per_filter_config: addressesPermitted(others.passthrough) }
      : {}),
    // An instance says by these how it is itself. Passed on, they would be said of the gateway, and so of all
    // instances here.
    ...(listener === 'peer' ? { response_headers_to_remove: [failHealthHeader, degradedHeader] } : {}),
    // Whoever dials a proxy writes the proxy's port: a port is looked at by the routes of its host alone.
    ignore_port_in_host_matching: true,
    virtual_hosts: [
      ...groups.map((ports) => virtualHostOf(ports, listener)),
      ...(listener === 'outbound' ? otherHosts(groups, others?.declared) : []),
      ...(listener === 'edge' && ready !== undefined ? [readyHost(ready)] : []),
    ],
  };
}

function needsPassthrough(groups: readonly GroupPlan[][], { declared }: OtherHosts): boolean {
  return declared !== undefined || groups.flat().some(({ lookup }) => lookup === 'request');
}

function otherHosts(groups: readonly GroupPlan[][], declared: OtherHosts['declared']): VirtualHost[] {
  if (declared === undefined) return [unknownHosts];
  const routed = new Set(groups.map(([plan]) => plan?.group.host));
  const known = declared.filter((host) => !routed.has(host));
  return [...(known.length === 0 ? [] : [knownHosts(known)]), passthroughHost];
}

/** The ports of each host together, the default one last. */
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
 * Virtual hosts that were built, by the first of their plans: when one Group's routes change, those of the
 * others are neither built nor encoded again.
 */
const built = new WeakMap<GroupPlan, Map<ListenerRole, BuiltHost>>();

interface BuiltHost {
  readonly ports: readonly GroupPlan[];
  readonly host: VirtualHost;
}

function virtualHostOf(ports: readonly GroupPlan[], listener: ListenerRole): VirtualHost {
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
 * Tells the sidecar of an instance what its workload speaks. The egress passes on what was told; the peer
 * listener tells anew.
 */
function toSidecars(route: Route, plan: GroupPlan, listener: ListenerRole): Route {
  const told = listener === 'sidecar' || listener === 'ingress' ? {} : appProtocol(plan);
  return told.request_headers_to_add === undefined ? route : { ...route, ...told };
}

/**
 * One host with all its ports. A port that it has means that port; any other, and none, the default one
 * (docs/decisions/070-ports-of-a-host.md).
 */
function buildVirtualHost(ports: readonly GroupPlan[], listener: ListenerRole): VirtualHost {
  const last = ports.at(-1) as GroupPlan;
  const path = last.paths[listener];
  const isDialled = ports.some(({ lookup }) => lookup === 'request');
  // What most of its routes do about retries stands here once.
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
    // Without it a body is kept up to what the connection's buffer holds: 32 KiB, and nothing larger is tried
    // again.
    request_body_buffer_limit: last.retryBodyBytes,
  };
}

/** Without it the default port's instances would get what was meant for others. */
const closed: Route = sharedMessage<Route>({
  match: { prefix: '/' },
  direct_response: {
    status: 404,
    body: { inline_string: 'isthmus: this port of the host is not served by HTTP' },
  },
});

/** Of a host that is looked up for each request, with the port that is written there. */
const undeclared: Route = sharedMessage<Route>({
  match: { prefix: '/' },
  direct_response: {
    status: 404,
    body: { inline_string: 'isthmus: the ServiceEntry of this host does not have this port' },
  },
});

/** Where a request goes to the port that it names, only those that name this one; none is 80. */
function dialled(routes: readonly Route[], port: number): Route[] {
  const named = routes.map((route) => atPort(route, port));
  if (port !== 80) return named;
  const none = { name: ':authority', string_match: { safe_regex: { regex: '[^:]*' } } };
  return [
    ...named,
    ...routes.map((route) => ({
      ...route,
      match: { ...route.match, headers: [none, ...(route.match?.headers ?? [])] },
    })),
  ];
}

/** The route, for requests whose Host or `:authority` ends in this port. */
function atPort(route: Route, port: number): Route {
  const isAtPort = { name: ':authority', string_match: { suffix: `:${port}` } };
  return { ...route, match: { ...route.match, headers: [isAtPort, ...(route.match?.headers ?? [])] } };
}

/**
 * Whether there is another priority to go to: another target, or instances that stand by, as a name's in
 * another IDC.
 */
function movesOn({ instances }: GroupPlan, { priorities }: Path): boolean {
  return priorities.length > 1 || instances.some(({ priority = 0 }) => priority > 0);
}

function buildGroupRoutes(plan: GroupPlan, path: Path, inherited: RouteAction): Route[] {
  const isPeer = path.listener === 'peer';
  if (plan.protocol === 'tcp') {
    // All that it has is its own: the virtual host's is of its HTTP ports, where it has any.
    const own = { retry_policy: {}, ...buildRetry(path.retry.other, movesOn(plan, path)) };
    const isOutbound = path.listener === 'outbound';
    const cluster =
      isOutbound && plan.lookup !== 'request' ? failoverCluster(plan.group) : clusterOf(plan, path);
    return buildConnectRoutes(cluster, own, isPeer || isOutbound);
  }
  const routes = (of: Path, headers: readonly HeaderMatcher[] = []) =>
    buildRequestRoutes({
      cluster: clusterOf(plan, of),
      path: of,
      movesOn: movesOn(plan, of),
      headers,
      inherited,
      hashing: hashing(plan, path.listener),
      idleTimeoutMs: plan.idleTimeoutMs,
      retryBodyBytes: plan.retryBodyBytes,
      ...(plan.mirror === undefined
        ? {}
        : { mirror: { cluster: instancesCluster(plan.group), percent: plan.mirror } }),
    });
  if (isPeer) return [...buildPeerRoutes(plan, routes), ...routes(path)];
  if (clusterOf(plan, path) !== idcsCluster(plan.group)) return routes(path);
  const onward = path.listener === 'ingress' ? (plan.handOn?.onward ?? []) : [];
  return [
    ...buildVainRoutes(plan),
    ...onward.flatMap((each, i) => routes(each, [visitedCount(i + 2, i + 2)])),
    ...routes(path),
  ];
}

/**
 * The peer listener's routes before those that serve locally or not at all: health checks, then requests that
 * may be handed on, by the number of IDCs that they have visited.
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
 * Matches requests that have visited so many known IDCs, the own one included. The filter writes this header.
 */
function visitedCount(min: number, max: number): HeaderMatcher {
  const name = '[a-z0-9-]+';
  const regex = `${name}(,${name}){${min - 1},${max - 1}}`;
  return { name: visitedHeader, string_match: { safe_regex: { regex } } };
}

/** The cluster that holds a path's priorities. */
function clusterOf(plan: GroupPlan, path: Path): string {
  if (plan.lookup === 'request') return passthroughCluster;
  const kinds = path.priorities.map((target) => target.kind);
  if (kinds.includes('idc')) return idcsCluster(plan.group);
  return kinds.includes('egress') ? failoverCluster(plan.group) : instancesCluster(plan.group);
}
