import type { Cluster, envoy, Route, VirtualHost } from '../../protos/gen/envoy.d.ts';
import { sharedMessage } from '../base/shared-message.ts';
import { outcomeHeader } from '../model/trail.ts';
import { lookups, type Passthrough, passthroughRetry } from '../plan/passthrough.ts';
import { trafficDefaults } from '../plan/retries/retry.ts';
import { any, protoDuration } from './any.ts';
import { httpUpstream } from './cluster/cluster.ts';
import { dnsLookup } from './cluster/dns.ts';
import { upstreamCommon, upstreamHttp1, upstreamHttp2 } from './leniency.ts';
import { prefixRange } from './listener/client-address.ts';
import type { HttpFilter } from './listener/http-filter.ts';
import { removeIsthmusHeaders } from './listener/http-listener.ts';
import { passthroughCluster } from './names.ts';
import { buildRequestRoutes, type HeaderMatcher } from './route/request-routes.ts';
import { unknownHosts } from './route/unknown-hosts.ts';

/*
 * Hosts that requests alone name (docs/decisions/087-unknown-hosts-pass-through.md). Envoy's dynamic forward
 * proxy makes a cluster of each, for a while, which looks the name up; each address is an endpoint of its
 * own. Each try has its address checked after it was chosen, before anything connects to it.
 */

type Permission = envoy.config.rbac.v3.Permission;
type PerFilterConfig = NonNullable<VirtualHost['typed_per_filter_config']>;

const namesFilter = 'isthmus.names';
const addressesFilter = 'isthmus.addresses';

/** Of an outbound listener. It is there for the routes that ask for it. */
export const passthroughFilter: HttpFilter = {
  name: namesFilter,
  disabled: true,
  typed_config: any('envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig', {
    sub_cluster_config: { cluster_init_timeout: protoDuration(lookups.answerMs) },
  }),
};

/** What the cluster of each such host is made after. */
export const buildPassthroughCluster = (): Cluster => {
  const { type: _, ...lookup } = dnsLookup('every');
  return {
    name: passthroughCluster,
    ...lookup,
    lb_policy: 'CLUSTER_PROVIDED',
    cluster_type: {
      name: 'envoy.clusters.dynamic_forward_proxy',
      typed_config: any('envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig', {
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
      // Of use where there is TLS alone; Envoy insists.
      upstream_http_protocol_options: { auto_sni: true, auto_san_validation: true },
      // HTTP/1.1 stays HTTP/1.1 and HTTP/2 stays HTTP/2: nobody has said what the host speaks.
      use_downstream_protocol_config: {
        http_protocol_options: upstreamHttp1,
        http2_protocol_options: upstreamHttp2,
      },
      // In place of the listener's (`nobody-there.ts`): of other IDCs there is nothing to tell.
      http_filters: [
        {
          name: addressesFilter,
          // The routes say which addresses are let through: without them none is.
          typed_config: any('envoy.extensions.filters.http.rbac.v3.RBAC', {
            rules: { action: 'ALLOW', policies: {} },
          }),
        },
        removeIsthmusHeaders,
        {
          name: 'envoy.filters.http.upstream_codec',
          typed_config: any('envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec', {}),
        },
      ],
    }),
  };
};

/** Looks the hosts of a virtual host's requests up, where their routes lead to the cluster above. */
export const namesLookedUp: PerFilterConfig = {
  [namesFilter]: any('envoy.extensions.filters.http.dynamic_forward_proxy.v3.PerRouteConfig', {}),
};

/** Which addresses are let through, for all routes that lead to the cluster above. */
export function addressesPermitted(passthrough: Passthrough): PerFilterConfig {
  return {
    [addressesFilter]: any('envoy.extensions.filters.http.rbac.v3.RBACPerRoute', {
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
 * Names as those of Groups are written: the listener takes one dot off the end, and a resolver any that is
 * left, so that a name with two would be a Group's to it and not to the routes.
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

/** CONNECT ends here: what is inside goes to the host, whatever it is. */
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

/** The virtual host of all hosts that no Group has, at a sidecar that passes them through. */
export const passthroughHost: VirtualHost = sharedMessage<VirtualHost>({
  name: 'unknown',
  domains: ['*'],
  routes: [tunnel, ...requests, ...notPlain],
  // What only proxies of the mesh say is not taken from others.
  response_headers_to_remove: [outcomeHeader],
  request_body_buffer_limit: trafficDefaults.retryBodyBytes,
  typed_per_filter_config: namesLookedUp,
});

/** Any address but those that are refused; what has none is refused. */
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
      typed_config: any('envoy.extensions.rbac.matchers.upstream_ip_port.v3.UpstreamIpPortMatcher', {
        ...(range === undefined ? {} : { upstream_ip: prefixRange(range) }),
        ...(port === undefined
          ? {}
          : // Envoy takes both ends in.
            { upstream_port_range: { start: String(port), end: String(port) } }),
      }),
    },
  };
}
