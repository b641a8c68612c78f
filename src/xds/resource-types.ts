import { MeshError } from '../base/error.ts';
import { typePrefix } from './codec/encode.ts';
import { assignmentOf, routeConfigurationsOf, tableOf } from './codec/references.ts';

/** A row of the table of resource types. */
interface ResourceType {
  /** Full name of its resources' message. */
  readonly message: string;
  /** The field that has a resource's name; `name` unless given. */
  readonly nameField?: string;
  /** The service of its own, and what the methods of that are named after. */
  readonly service: readonly [name: string, things: string];
  /** State of the World responses carry all subscribed resources; an omitted one is removed. */
  readonly fullState: boolean;
  /** A first request without names means everything (the protocol's legacy wildcard). */
  readonly wildcard: boolean;
  /**
   * Sent without waiting for answers to earlier types. Envoy ACKs CDS only once the clusters are warm, which
   * needs their endpoints and secrets: if these waited, nothing would move.
   */
  readonly eager: boolean;
  /**
   * The type whose resources a client asks for because of one of this type, and which these are. `again`:
   * once it has changed, it needs them again. `ahead`: new ones are sent with what names them, before the
   * client asks (Delta).
   */
  readonly refersTo?: {
    readonly type: string;
    readonly names: NamesOf;
    readonly again: boolean;
    readonly ahead: boolean;
  };
  /** Its resources outlive what names them: a removal waits until nothing else has to be sent. */
  readonly holdsRemovals?: true;
  /** It has no State of the World. */
  readonly deltaOnly?: true;
  /** Its contents are told to nobody but who asks for the resource. */
  readonly isSecret?: true;
}

/** The names that a resource, as JSON, gives of resources of another type. */
type NamesOf = (body: Readonly<Record<string, unknown>>) => readonly string[];

/**
 * Every type of resource that is served, by Envoy's abbreviation: a new type is a new row here, and what
 * builds its resources.
 *
 * The order is that of pushing, make before break: what is named comes before what names it. A route must
 * not name a cluster that is not there, and a cluster is not there before its endpoints are; a listener is
 * where requests for its routes come in. Extensions and secrets are asked for by the listeners that need
 * them.
 *
 * Services and methods are those of "RPC Services and Methods for Each Variant" in Envoy's "xDS REST and gRPC
 * protocol", ECDS from envoy/service/extension/v3/config_discovery.proto.
 */
export const resourceTypes = {
  CDS: {
    message: 'envoy.config.cluster.v3.Cluster',
    service: ['envoy.service.cluster.v3.ClusterDiscoveryService', 'Clusters'],
    ...{ fullState: true, wildcard: true, eager: true, holdsRemovals: true },
    refersTo: { type: 'EDS', names: assignmentOf, again: true, ahead: true },
  },
  EDS: {
    message: 'envoy.config.endpoint.v3.ClusterLoadAssignment',
    nameField: 'cluster_name',
    service: ['envoy.service.endpoint.v3.EndpointDiscoveryService', 'Endpoints'],
    ...{ fullState: false, wildcard: false, eager: true, holdsRemovals: true },
  },
  LDS: {
    message: 'envoy.config.listener.v3.Listener',
    service: ['envoy.service.listener.v3.ListenerDiscoveryService', 'Listeners'],
    ...{ fullState: true, wildcard: true, eager: false },
    refersTo: { type: 'RDS', names: routeConfigurationsOf, again: true, ahead: false },
  },
  SRDS: {
    message: 'envoy.config.route.v3.ScopedRouteConfiguration',
    service: ['envoy.service.route.v3.ScopedRoutesDiscoveryService', 'ScopedRoutes'],
    ...{ fullState: true, wildcard: true, eager: true },
    refersTo: { type: 'RDS', names: tableOf, again: false, ahead: true },
  },
  RDS: {
    message: 'envoy.config.route.v3.RouteConfiguration',
    service: ['envoy.service.route.v3.RouteDiscoveryService', 'Routes'],
    ...{ fullState: false, wildcard: false, eager: false },
  },
  VHDS: {
    message: 'envoy.config.route.v3.VirtualHost',
    service: ['envoy.service.route.v3.VirtualHostDiscoveryService', 'VirtualHosts'],
    ...{ fullState: false, wildcard: false, eager: false, deltaOnly: true },
  },
  ECDS: {
    message: 'envoy.config.core.v3.TypedExtensionConfig',
    service: ['envoy.service.extension.v3.ExtensionConfigDiscoveryService', 'ExtensionConfigs'],
    ...{ fullState: false, wildcard: false, eager: false },
  },
  SDS: {
    message: 'envoy.extensions.transport_sockets.tls.v3.Secret',
    service: ['envoy.service.secret.v3.SecretDiscoveryService', 'Secrets'],
    ...{ fullState: false, wildcard: false, eager: true, isSecret: true },
  },
  RTDS: {
    message: 'envoy.service.runtime.v3.Runtime',
    service: ['envoy.service.runtime.v3.RuntimeDiscoveryService', 'Runtime'],
    ...{ fullState: false, wildcard: false, eager: true },
  },
} as const satisfies Readonly<Record<string, ResourceType>>;

/** Names a type of resource by Envoy's abbreviation. */
export type ResourceTypeName = keyof typeof resourceTypes;

/** The type URL of a type's resources. */
export function typeUrlOf(name: ResourceTypeName): string {
  return `${typePrefix}${resourceTypes[name].message}`;
}

/** The abbreviation of a type URL. Throws as `ruleOf`. */
export function typeNameOf(typeUrl: string): ResourceTypeName {
  return ruleOf(typeUrl).short;
}

export const clusterType = typeUrlOf('CDS');
export const endpointType = typeUrlOf('EDS');
export const listenerType = typeUrlOf('LDS');
export const scopeType = typeUrlOf('SRDS');
export const routeType = typeUrlOf('RDS');
export const extensionConfigType = typeUrlOf('ECDS');

/** How one resource type is served. */
export interface TypeRule extends Omit<ResourceType, 'message' | 'refersTo'> {
  readonly url: string;
  /** Envoy's abbreviation, for logs and status. */
  readonly short: ResourceTypeName;
  /** The URL of the type whose resources are asked for because of one of this type. */
  readonly refersTo?: string;
  /** Whether these are asked for again once it has changed. */
  readonly refersAgain?: boolean;
  /** Whether new ones are sent with what names them. */
  readonly refersAhead?: boolean;
  /** The names of these, in a resource as JSON. */
  readonly namesOf?: NamesOf;
}

/** All types, in the order in which they are pushed. */
export const pushOrder: readonly TypeRule[] = Object.entries<ResourceType>(resourceTypes).map(
  ([short, { message, refersTo, ...row }]) => ({
    ...{ ...row, short: short as ResourceTypeName, url: `${typePrefix}${message}` },
    ...(refersTo && {
      refersTo: typeUrlOf(refersTo.type as ResourceTypeName),
      refersAgain: refersTo.again,
      refersAhead: refersTo.ahead,
      namesOf: refersTo.names,
    }),
  }),
);

const rules = new Map(pushOrder.map((rule, position) => [rule.url, { rule, position }]));

/** The names that a resource of a type gives of resources of another type; `body` is its JSON. */
export function referencesOf(typeUrl: string, body: Readonly<Record<string, unknown>>): readonly string[] {
  return rules.get(typeUrl)?.rule.namesOf?.(body) ?? [];
}

/** The field that names a resource of a type; `name` of what is no type of resources. */
export function nameFieldOf(typeUrl: string): string {
  return rules.get(typeUrl)?.rule.nameField ?? 'name';
}

/** Whether a type URL names a resource type; other messages are parts of resources. */
export function isResourceType(typeUrl: string): boolean {
  return rules.has(typeUrl);
}

/** The rule of a type. Throws MeshError 'invalid' if it is not a resource type. */
export function ruleOf(typeUrl: string): TypeRule {
  return entryOf(typeUrl).rule;
}

/** The position of a type in the push order. Throws as `ruleOf`. */
export function positionOf(typeUrl: string): number {
  return entryOf(typeUrl).position;
}

function entryOf(typeUrl: string): { readonly rule: TypeRule; readonly position: number } {
  const found = rules.get(typeUrl);
  if (found !== undefined) return found;
  const known = pushOrder.map(({ short }) => short).join(', ');
  throw new MeshError('invalid', `'${typeUrl}' is not a resource type that is served: those are ${known}`);
}
