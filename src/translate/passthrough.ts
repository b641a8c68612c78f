import type { Cluster, envoy, Route, VirtualHost } from '../../protos/gen/envoy.d.ts';
import { sharedMessage } from '../base/shared-message.ts';
import { outcomeHeader } from '../model/trail.ts';
import { lookups, type Passthrough, passthroughRetry } from '../plan/passthrough.ts';
import { trafficDefaults } from '../plan/retries/retry.ts';
import { httpUpstream } from './cluster/cluster.ts';
import { dnsLookup } from './cluster/dns.ts';
import { upstreamCommon, upstreamHttp1, upstreamHttp2 } from './leniency.ts';
import { prefixRange } from './listener/client-address.ts';
import type { HttpFilter } from './listener/http-filter.ts';
import { removeIsthmusHeaders } from './listener/http-listener.ts';
import { packAny, protoDuration } from './message-parts.ts';
import { passthroughCluster } from './names.ts';
import type { HeaderMatcher } from './route/header-matchers.ts';
import { buildRequestRoutes } from './route/request-routes.ts';
import { unknownHosts } from './route/unknown-hosts.ts';

/*
 * Hosts named by requests (docs/decisions/087-unknown-hosts-pass-through.md). Envoy's dynamic forward proxy
 * creates a temporary cluster for each, which resolves it; each address is an endpoint. Each try's address is
 * checked after selection, before the connection.
 */

type Permission = envoy.config.rbac.v3.Permission;
type PerFilterConfig = NonNullable<VirtualHost['typed_per_filter_config']>;

/** The filter that looks hosts up. */
export const namesFilter = 'isthmus.names';
const addressesFilter = 'isthmus.addresses';

/** For an outbound listener; tables of one host leave it out. */
export const passthroughFilter: HttpFilter = {
  name: namesFilter,
  typed_config: packAny('envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig', {
    sub_cluster_config: { cluster_init_timeout: protoDuration(lookups.answerMs) },
  }),
};

/** The template of each such host's cluster. */
export const buildPassthroughCluster = (): Cluster => {
  const { type: _, ...lookup } = dnsLookup('every');
  return {
    name: passthroughCluster,
    ...lookup,
    lb_policy: 'CLUSTER_PROVIDED',
    cluster_type: {
      name: 'envoy.clusters.dynamic_forward_proxy',
      typed_config: packAny('envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig', {
        sub_clusters_config: {
          lb_policy: 'ROUND_ROBIN',
          max_sub_clusters: lookups.hostsMax,
          sub_cluster_ttl: protoDuration(lookups.unusedMs),
        },
      }),
    },
    connect_timeout: '5s',
    per_connection_buffer_limit_bytes: 32_768,
    circuit_breakers: {
      thresholds: [
        { max_connections: 16_384, max_pending_requests: 16_384, max_requests: 16_384, max_retries: 1_024 },
      ],
    },
    upstream_connection_options: {
      tcp_keepalive: { keepalive_probes: 3, keepalive_time: 10, keepalive_interval: 5 },
    },
    ...httpUpstream({
      common_http_protocol_options: { ...upstreamCommon, idle_timeout: '4s' },
      // Relevant for TLS only; required by Envoy.
      upstream_http_protocol_options: { auto_sni: true, auto_san_validation: true },
      // Keeps the request's HTTP version: the host's is unknown.
      use_downstream_protocol_config: {
        http_protocol_options: upstreamHttp1,
        http2_protocol_options: upstreamHttp2,
      },
      // Replaces the listener's upstream filters (`nobody-there.ts`): there is no state of other IDCs.
      http_filters: [
        {
          name: addressesFilter,
          // The routes permit addresses; without them none is permitted.
          typed_config: packAny('envoy.extensions.filters.http.rbac.v3.RBAC', {
            rules: { action: 'ALLOW', policies: {} },
          }),
        },
        removeIsthmusHeaders,
        {
          name: 'envoy.filters.http.upstream_codec',
          typed_config: packAny('envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec', {}),
        },
      ],
    }),
  };
};

/** Resolves the hosts of a virtual host's requests, if their routes lead to the cluster above. */
export const namesLookedUp: PerFilterConfig = {
  [namesFilter]: packAny('envoy.extensions.filters.http.dynamic_forward_proxy.v3.PerRouteConfig', {}),
};

/** The permitted addresses, for all routes to the cluster above. */
export function addressesPermitted(passthrough: Passthrough): PerFilterConfig {
  return {
    [addressesFilter]: packAny('envoy.extensions.filters.http.rbac.v3.RBACPerRoute', {
      rbac: {
        rules: {
          action: 'ALLOW',
          policies: { outside: { permissions: [permitted(passthrough)], principals: [{ any: true }] } },
        },
      },
    }),
  };
}

/**
 * Names in the form of Groups': the listener strips one trailing dot, and a resolver the rest, so that a name
 * with two would be a Group's only for the resolver.
 */
const isPlain: HeaderMatcher = {
  name: ':authority',
  string_match: { safe_regex: { regex: '.*\\.(:[0-9]*)?' } },
  invert_match: true,
};

const requests: readonly Route[] = buildRequestRoutes({
  cluster: passthroughCluster,
  path: { listener: 'outbound', priorities: [{ kind: 'instances' }], retry: passthroughRetry },
  movesOn: false,
  headers: [isPlain],
  inherited: {},
  hashing: {},
  idleTimeoutMs: trafficDefaults.idleTimeoutMs,
  retryBodyBytes: trafficDefaults.retryBodyBytes,
});

/** CONNECT is terminated here: its payload goes to the host. */
const tunnel: Route = {
  match: { connect_matcher: {}, headers: [isPlain] },
  route: {
    cluster: passthroughCluster,
    timeout: '0s',
    idle_timeout: protoDuration(trafficDefaults.idleTimeoutMs),
    upgrade_configs: [{ upgrade_type: 'CONNECT', connect_config: {} }],
  },
};

const { routes: refused = [], response_headers_to_add = [] } = unknownHosts;
const notPlain = refused.map((route): Route => ({ ...route, response_headers_to_add }));

/** The virtual host of all unknown hosts, at a sidecar that passes them through. */
export const passthroughHost: VirtualHost = sharedMessage<VirtualHost>({
  name: 'unknown',
  domains: ['*'],
  routes: [tunnel, ...requests, ...notPlain],
  // Only proxies of the mesh may set it.
  response_headers_to_remove: [outcomeHeader],
  request_body_buffer_limit: trafficDefaults.retryBodyBytes,
  typed_per_filter_config: namesLookedUp,
});

/** Any address but the refused ones; no address is refused too. */
function permitted({ ranges, ports }: Passthrough): Permission {
  const refused = [
    ...ranges.map((range) => upstream({ range })),
    ...ports.map(({ address, port }) =>
      upstream({ ...(address === undefined ? {} : { range: address }), port }),
    ),
  ];
  return {
    and_rules: {
      rules: [
        { or_rules: { rules: [upstream({ range: '0.0.0.0/0' }), upstream({ range: '::/0' })] } },
        { not_rule: { or_rules: { rules: refused } } },
      ],
    },
  };
}

function upstream({ range, port }: { readonly range?: string; readonly port?: number }): Permission {
  return {
    matcher: {
      name: 'envoy.rbac.matchers.upstream_ip_port',
      typed_config: packAny('envoy.extensions.rbac.matchers.upstream_ip_port.v3.UpstreamIpPortMatcher', {
        ...(range === undefined ? {} : { upstream_ip: prefixRange(range) }),
        ...(port === undefined
          ? {}
          : // Both ends are inclusive in Envoy.
            { upstream_port_range: { start: String(port), end: String(port) } }),
      }),
    },
  };
}
