import {
  clusterType,
  endpointType,
  extensionConfigType,
  listenerType,
  routeType,
  runtimeType,
  scopedRouteType,
  secretType,
  virtualHostType,
} from '../resource-types.ts';
import type { Protocol } from '../respond/respond.ts';

/** A method by which resources are discovered. */
export interface DiscoveryMethod {
  /** As in HTTP/2: `/SERVICE/METHOD`. */
  readonly path: string;
  readonly protocol: Protocol;
  /** The only type that may be asked for; undefined for the aggregated service (ADS). */
  readonly only?: string;
  /** It ends with its first answer: what a client has at that moment, unary. */
  readonly once?: true;
}

const discovery = 'envoy.service.discovery.v3.AggregatedDiscoveryService';

// Service, what its methods are named after, and its type: "RPC Services and Methods for Each Variant" in
// Envoy's "xDS REST and gRPC protocol", and ECDS from envoy/service/extension/v3/config_discovery.proto.
const separate = [
  ['envoy.service.cluster.v3.ClusterDiscoveryService', 'Clusters', clusterType],
  ['envoy.service.endpoint.v3.EndpointDiscoveryService', 'Endpoints', endpointType],
  ['envoy.service.listener.v3.ListenerDiscoveryService', 'Listeners', listenerType],
  ['envoy.service.route.v3.RouteDiscoveryService', 'Routes', routeType],
  ['envoy.service.route.v3.ScopedRoutesDiscoveryService', 'ScopedRoutes', scopedRouteType],
  ['envoy.service.route.v3.VirtualHostDiscoveryService', 'VirtualHosts', virtualHostType],
  ['envoy.service.extension.v3.ExtensionConfigDiscoveryService', 'ExtensionConfigs', extensionConfigType],
  ['envoy.service.secret.v3.SecretDiscoveryService', 'Secrets', secretType],
  ['envoy.service.runtime.v3.RuntimeDiscoveryService', 'Runtime', runtimeType],
] as const;

/** Every method by which resources are discovered: ADS, and each type's own service. */
export const discoveryMethods: readonly DiscoveryMethod[] = [
  { path: `/${discovery}/StreamAggregatedResources`, protocol: 'sotw' },
  { path: `/${discovery}/DeltaAggregatedResources`, protocol: 'delta' },
  ...separate.flatMap(([service, things, only]): DiscoveryMethod[] => [
    // VHDS has no State of the World.
    ...(only === virtualHostType
      ? []
      : ([
          { path: `/${service}/Stream${things}`, protocol: 'sotw', only },
          { path: `/${service}/Fetch${things}`, protocol: 'sotw', only, once: true },
        ] as const)),
    { path: `/${service}/Delta${things}`, protocol: 'delta', only },
  ]),
];
