import type { envoy, Listener, Route } from '../../../protos/gen/envoy.d.ts';
import { type TcpListener, tcpConnectAttempts } from '../../plan/tcp.ts';
import type { GroupPlan, ListenerRole } from '../../plan/types.ts';
import { packAny } from '../message-parts.ts';
import { failoverCluster, tcpListenerName, tlsListenerName } from '../names.ts';
import type { HeaderMatcher } from '../route/header-matchers.ts';
import { jsonAccessLog } from './access-log.ts';

type NetworkFilter = envoy.config.listener.v3.Filter;
type FilterChain = envoy.config.listener.v3.FilterChain;
type TcpProxy = envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy;
type RouteAction = envoy.config.route.v3.RouteAction;

/**
 * A sidecar's listener for its workload's connections to one TCP Group, or to several that SNI distinguishes.
 */
export function buildTcpListener(listener: TcpListener, accessLogFile: string | undefined): Listener {
  const { listen, plans } = listener;
  const [first] = plans;
  return {
    name: first.sni ? tlsListenerName(listen) : tcpListenerName(first.group, listen),
    address: { socket_address: { address: listen.address, port_value: listen.port } },
    per_connection_buffer_limit_bytes: 32_768,
    // The Group's own address may not exist on the machine yet.
    ...(first.addresses.length > 0 ? { freebind: true } : {}),
    ...(first.sni
      ? buildSniChains(plans, accessLogFile)
      : { filter_chains: [buildChain(first, accessLogFile)] }),
  };
}

/**
 * TLS connections by SNI; other names are refused unless there is only one Group. It still has a chain by
 * name: open connections survive when another Group joins.
 */
function buildSniChains(
  plans: TcpListener['plans'],
  accessLogFile: string | undefined,
): Pick<Listener, 'listener_filters' | 'filter_chains' | 'default_filter_chain'> {
  return {
    listener_filters: [tlsInspector],
    filter_chains: plans.map((plan) => ({
      filter_chain_match: { server_names: [plan.group.host] },
      ...buildChain(plan, accessLogFile),
    })),
    ...(plans.length === 1 ? { default_filter_chain: buildChain(plans[0], accessLogFile) } : {}),
  };
}

/** Tells TLS from plaintext, and reads the name that a client asks for. */
export const tlsInspector: envoy.config.listener.v3.ListenerFilter = {
  name: 'envoy.filters.listener.tls_inspector',
  typed_config: packAny('envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector', {}),
};

function buildChain(plan: GroupPlan, accessLogFile: string | undefined): FilterChain {
  return {
    filters: [
      tcpProxyFilter({
        stat_prefix: 'tcp',
        // The same cluster whether it may leave the IDC or not: a changed listener would drain its
        // connections.
        cluster: failoverCluster(plan.group),
        max_connect_attempts: tcpConnectAttempts,
        ...(plan.hash?.by.kind === 'source-ip' ? { hash_policy: [{ source_ip: {} }] } : {}),
        ...tcpAccessLog({ listener: 'tcp' }, accessLogFile),
      }),
    ],
  };
}

/** A TCP proxy as the last filter of a chain, without idle timeout. */
export function tcpProxyFilter(config: TcpProxy): NetworkFilter {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: packAny('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', {
      idle_timeout: '0s',
      // Without a pause all attempts are made before the first failure has ejected the host.
      backoff_options: { base_interval: '0.025s', max_interval: '0.250s' },
      ...config,
    }),
  };
}

/**
 * Routes of a TCP Group: only CONNECT. The egress forwards it; at the gateway of the instances it is
 * terminated, and its payload goes to one of them. At a sidecar it is terminated too: it comes from a
 * workload that uses the sidecar as HTTP proxy (RFC 9110, 9.3.6).
 */
export function buildConnectRoutes(
  cluster: string,
  action: RouteAction,
  ends: boolean,
  headers: readonly HeaderMatcher[] = [],
): Route[] {
  return [
    {
      match: { connect_matcher: {}, ...(headers.length === 0 ? {} : { headers: [...headers] }) },
      route: {
        cluster,
        ...action,
        timeout: '0s',
        upgrade_configs: [{ upgrade_type: 'CONNECT', ...(ends ? { connect_config: {} } : {}) }],
      },
    },
  ];
}

/**
 * The access log of `tcp` and `tunnel` listeners, one JSON line when a connection ends; gateways log its
 * CONNECT.
 */
export function tcpAccessLog(fields: Readonly<Record<string, string>>, file: string | undefined): TcpProxy {
  const all = {
    ...fields,
    flags: '%RESPONSE_FLAGS%',
    details: '%CONNECTION_TERMINATION_DETAILS%',
    failure: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
    duration: '%DURATION%',
    received: '%BYTES_RECEIVED%',
    sent: '%BYTES_SENT%',
    local: '%DOWNSTREAM_LOCAL_ADDRESS%',
    upstream_host: '%UPSTREAM_HOST%',
    upstream_cluster: '%UPSTREAM_CLUSTER%',
    attempts: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
    downstream_remote: '%DOWNSTREAM_REMOTE_ADDRESS%',
  };
  return jsonAccessLog(all, file);
}

/**
 * Whether a listener has routes to a Group. Tunnels begin at workloads and sidecars, and are never handed on.
 */
export function hasRoutes(plan: GroupPlan, listener: ListenerRole): boolean {
  return plan.protocol !== 'tcp' || listener === 'outbound' || listener === 'sidecar' || listener === 'peer';
}
