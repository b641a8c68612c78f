import { pushOrder } from '../resource-types.ts';
import type { XdsVariant } from '../respond/respond.ts';

/** A discovery method. */
export interface DiscoveryMethod {
  /** As in HTTP/2: `/SERVICE/METHOD`. */
  readonly path: string;
  readonly protocol: XdsVariant;
  /** The only type that it serves; undefined for the aggregated service (ADS). */
  readonly only?: string;
  /** Unary (fetch): ends with its first response. */
  readonly once?: true;
}

const discovery = 'envoy.service.discovery.v3.AggregatedDiscoveryService';

/** All discovery methods: ADS, and each type's own service. */
export const discoveryMethods: readonly DiscoveryMethod[] = [
  { path: `/${discovery}/StreamAggregatedResources`, protocol: 'sotw' },
  { path: `/${discovery}/DeltaAggregatedResources`, protocol: 'delta' },
  ...pushOrder.flatMap(({ url: only, service: [service, things], deltaOnly }): DiscoveryMethod[] => [
    ...(deltaOnly
      ? []
      : ([
          { path: `/${service}/Stream${things}`, protocol: 'sotw', only },
          { path: `/${service}/Fetch${things}`, protocol: 'sotw', only, once: true },
        ] as const)),
    { path: `/${service}/Delta${things}`, protocol: 'delta', only },
  ]),
];
