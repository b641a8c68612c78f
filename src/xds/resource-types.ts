import { MeshError } from '../base/error.ts';
import { typePrefix } from './codec/encode.ts';

/** How one resource type is served. */
export interface TypeRule {
  readonly url: string;
  /** Envoy's abbreviation, for logs and status. */
  readonly short: string;
  /** State of the World responses always carry all that is subscribed; a resource left out is removed. */
  readonly fullState: boolean;
  /** A first request without names means everything (the protocol's legacy wildcard). */
  readonly wildcard: boolean;
  /**
   * Sent without waiting for the answers to earlier types. Envoy answers CDS only once the clusters are
   * warm, and for that it needs their endpoints and secrets: were they to wait, nothing would move.
   */
  readonly eager: boolean;
  /** The type whose resources are asked for again once one of this type has changed. */
  readonly refersTo?: string;
}

const url = (name: string) => `${typePrefix}envoy.${name}`;

export const clusterType = url('config.cluster.v3.Cluster');
export const endpointType = url('config.endpoint.v3.ClusterLoadAssignment');
export const listenerType = url('config.listener.v3.Listener');
export const scopedRouteType = url('config.route.v3.ScopedRouteConfiguration');
export const routeType = url('config.route.v3.RouteConfiguration');
export const virtualHostType = url('config.route.v3.VirtualHost');
export const extensionConfigType = url('config.core.v3.TypedExtensionConfig');
export const secretType = url('extensions.transport_sockets.tls.v3.Secret');
export const runtimeType = url('service.runtime.v3.Runtime');

/**
 * The push order, make before break: what is named comes before what names it. A route must not name a
 * cluster that is not there, and a cluster is not there before its endpoints are; a listener is where
 * requests for its routes come in. Extensions and secrets are asked for by the listeners that need them.
 */
export const pushOrder: readonly TypeRule[] = [
  { url: clusterType, short: 'CDS', fullState: true, wildcard: true, eager: true, refersTo: endpointType },
  { url: endpointType, short: 'EDS', fullState: false, wildcard: false, eager: true },
  { url: listenerType, short: 'LDS', fullState: true, wildcard: true, eager: false, refersTo: routeType },
  { url: scopedRouteType, short: 'SRDS', fullState: true, wildcard: true, eager: false },
  { url: routeType, short: 'RDS', fullState: false, wildcard: false, eager: false },
  { url: virtualHostType, short: 'VHDS', fullState: false, wildcard: false, eager: false },
  { url: extensionConfigType, short: 'ECDS', fullState: false, wildcard: false, eager: false },
  { url: secretType, short: 'SDS', fullState: false, wildcard: false, eager: true },
  { url: runtimeType, short: 'RTDS', fullState: false, wildcard: false, eager: true },
];

const rules = new Map(pushOrder.map((rule, position) => [rule.url, { rule, position }]));

/** Whether a type URL is that of resources; other messages are parts of them. */
export function isResourceType(typeUrl: string): boolean {
  return rules.has(typeUrl);
}

/** The rule of a type. Throws MeshError 'invalid' when it is no type of resources. */
export function ruleOf(typeUrl: string): TypeRule {
  return entryOf(typeUrl).rule;
}

/** Where a type stands in the push order. Throws as `ruleOf`. */
export function positionOf(typeUrl: string): number {
  return entryOf(typeUrl).position;
}

function entryOf(typeUrl: string): { readonly rule: TypeRule; readonly position: number } {
  const found = rules.get(typeUrl);
  if (found !== undefined) return found;
  const known = pushOrder.map(({ short }) => short).join(', ');
  throw new MeshError('invalid', `'${typeUrl}' is no type of resources that are served: those are ${known}`);
}

/** Clusters, and their endpoints with them, outlive what names them. */
export function holdsRemovals({ url }: TypeRule): boolean {
  return url === clusterType || url === endpointType;
}
