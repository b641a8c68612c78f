import type {
  Route,
  RouteConfiguration,
  ScopedRouteConfiguration,
  VirtualHost,
} from '../../../protos/gen/envoy.d.ts';
import { contentHash } from '../../base/hash.ts';
import { isWildcard } from '../../model/values/hostname.ts';
import { hasOwnScope, otherHosts, routeScopeOf } from '../../plan/routes/route-scope.ts';
import type { GroupPlan, ListenerRole } from '../../plan/types.ts';
import { ownHost, withoutFilters } from '../listener/host-filters.ts';
import { addressesPermitted, namesFilter, passthroughHost } from '../passthrough.ts';
import { readyHost } from './ready.ts';
import {
  buildVirtualHost,
  needsPassthrough,
  type OtherHosts,
  responsesOf,
  routedHosts,
  virtualHostOf,
} from './route.ts';
import { knownHosts, unknownHosts } from './unknown-hosts.ts';

/** Route tables, and the scopes that lead to them. */
export interface RouteTables {
  readonly tables: readonly RouteConfiguration[];
  readonly scopes: readonly ScopedRouteConfiguration[];
}

/** The table of hosts of Groups outside of a sidecar's scope: not a host's name. */
const declaredTable = 'outbound/*declared';

/** How many tables egress gateways have for hosts that share one. */
const sharedTables = 64;

/** The part of the shared tables' names that a host's has: equal for an equal part of all hosts. */
export function sharedPlaceOf(host: string): string {
  return `*${Number.parseInt(contentHash(host).slice(0, 4), 16) % sharedTables}`;
}

/** Hosts with equal routes at a listener; `plans`: of one of them. */
interface AlikeHosts {
  /** Names their routes. */
  readonly key: string;
  readonly hosts: readonly string[];
  readonly plans: readonly GroupPlan[];
}

/** The routes of a host's plans at a listener, but for the host, as text; undefined: it has none there. */
export function routesOfHost(listener: ListenerRole, plans: readonly GroupPlan[]): string | undefined {
  const [ports] = routedHosts(listener, plans);
  if (ports === undefined) return undefined;
  return JSON.stringify({ ...buildVirtualHost(ports, listener), name: '', domains: [] });
}

/** A table of several hosts: those that have their routes alike have them once. */
export function buildTableOfMany(
  listener: ListenerRole,
  place: string,
  alike: readonly AlikeHosts[],
): RouteConfiguration {
  const hosts = alike.flatMap(({ key, hosts, plans }) => {
    const [ports] = routedHosts(listener, plans);
    return ports === undefined ? [] : [{ ...buildVirtualHost(ports, listener), name: key, domains: hosts }];
  });
  return ownTable(listener, routeScopeOf(listener, place).name, hosts);
}

/**
 * The table of a host's Groups, and its scope; none of a pattern of hosts. `place`: its routes are in this
 * table of several hosts (`buildTableOfMany`).
 */
export function buildHostTables(
  listener: ListenerRole,
  plans: readonly GroupPlan[],
  place: string | undefined,
): RouteTables {
  const [ports] = routedHosts(listener, plans);
  const host = ports?.[0]?.group.host;
  if (ports === undefined || host === undefined || !hasOwnScope(host)) return { tables: [], scopes: [] };
  if (place !== undefined)
    return { tables: [], scopes: [buildScope(listener, host, routeScopeOf(listener, place).name)] };
  const table = ownTable(listener, routeScopeOf(listener, host).name, [buildVirtualHost(ports, listener)]);
  return { tables: [table], scopes: [buildScope(listener, host)] };
}

/**
 * The table of requests for all other hosts, with those of Groups whose hosts are patterns, and its scope; of
 * a sidecar that passes unknown hosts through also the scopes of hosts that it must not. `ready`: the answer
 * of an edge's readiness path; absent: not served.
 */
export function buildOtherTables(
  listener: ListenerRole,
  plans: readonly GroupPlan[],
  others?: OtherHosts,
  ready?: boolean,
): RouteTables {
  const groups = routedHosts(listener, plans);
  const patterns = groups.filter(([plan]) => plan !== undefined && !hasOwnScope(plan.group.host));
  const routed = new Set(groups.map(([plan]) => plan?.group.host));
  const known = (others?.declared ?? []).filter((host) => !routed.has(host));
  const knownPatterns = known.filter(isWildcard);
  const name = routeScopeOf(listener, otherHosts).name;
  const table: RouteConfiguration = {
    name,
    ...(others !== undefined && needsPassthrough(patterns, others)
      ? { typed_per_filter_config: addressesPermitted(others.passthrough) }
      : {}),
    ...responsesOf(listener),
    ignore_port_in_host_matching: true,
    virtual_hosts: [
      ...patterns.map((ports) => virtualHostOf(ports, listener)),
      ...(knownPatterns.length === 0 ? [] : [knownHosts(knownPatterns)]),
      ...restOf(listener, others, ready),
    ],
  };
  const own = known.filter(hasOwnScope);
  const declared = own.length === 0 ? [] : [ownTable(listener, declaredTable, [knownHosts(['*'])])];
  return {
    tables: [table, ...declared],
    scopes: [
      buildScope(listener, otherHosts),
      ...own.map((host) => buildScope(listener, host, declaredTable)),
    ],
  };
}

/** Hosts that are nobody's. */
function restOf(listener: ListenerRole, others?: OtherHosts, ready?: boolean): readonly VirtualHost[] {
  if (listener === 'outbound') return [others?.declared === undefined ? unknownHosts : passthroughHost];
  return listener === 'edge' && ready !== undefined ? [readyHost(ready)] : [];
}

/**
 * What an egress finds for a host before the trail filter has run, which its routes need: without any route
 * Envoy creates a request's filters as for a host without a table. There is no such cluster: a request that
 * finds nothing else is answered as one without a route.
 */
const notFound: Route = { match: { prefix: '/' }, route: { cluster: 'none' } };

/** A table of hosts that have scopes of their own. */
function ownTable(listener: ListenerRole, name: string, hosts: readonly VirtualHost[]): RouteConfiguration {
  const isEgress = listener === 'sidecar' || listener === 'ingress';
  return {
    name,
    ...responsesOf(listener),
    ...withoutFilters(listener === 'outbound' ? [namesFilter] : []),
    ...(isEgress && { validate_clusters: false }),
    // A key ends at the first colon, and a host at the last.
    ignore_port_in_host_matching: true,
    virtual_hosts: hosts.map((host) => ({
      ...host,
      ...ownHost,
      ...(isEgress && { routes: [...(host.routes ?? []), notFound] }),
    })),
  };
}

function buildScope(
  listener: ListenerRole,
  host: string,
  table = routeScopeOf(listener, host).name,
): ScopedRouteConfiguration {
  const { name, key } = routeScopeOf(listener, host);
  return {
    name,
    route_configuration_name: table,
    key: { fragments: key.map((string_key) => ({ string_key })) },
  };
}
