import type { envoy, Listener, Route } from '../../../protos/gen/envoy.d.ts';
import { type TcpListener, tcpConnectAttempts } from '../../plan/tcp.ts';
import type { GroupPlan, ListenerRole } from '../../plan/types.ts';
import { any } from '../any.ts';
import { failoverCluster, tcpListenerName, tlsListenerName } from '../names.ts';

type NetworkFilter = envoy.config.listener.v3.Filter;
type FilterChain = envoy.config.listener.v3.FilterChain;
type TcpProxy = envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy;
type RouteAction = envoy.config.route.v3.RouteAction;

/**
 * A sidecar's listener for its workload's connections to one TCP Group, or to several that TLS tells apart.
 */
export function buildTcpListener(listener: TcpListener, accessLogFile: string | undefined): Listener {
  const { listen, plans } = listener;
  const [first] = plans;
  return {
    name: first.sni ? tlsListenerName(listen) : tcpListenerName(first.group, listen),
    address: { socket_address: { address: listen.address, port_value: listen.port } },
    per_connection_buffer_limit_bytes: 32_768,
    // An address of the Group's own need not be on the machine yet.
    ...(first.addresses.length > 0 ? { freebind: true } : {}),
    ...(first.sni
      ? buildSniChains(plans, accessLogFile)
      : { filter_chains: [buildChain(first, accessLogFile)] }),
  };
}

/**
 * TLS connections by the name that they are for; any other name is refused, but where there is just one
 * Group. It has a chain by its name all the same: what is open does not change when another Group joins.
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

const tlsInspector: envoy.config.listener.v3.ListenerFilter = {
  name: 'envoy.filters.listener.tls_inspector',
  typed_config: any('envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector', {}),
};

function buildChain(plan: GroupPlan, accessLogFile: string | undefined): FilterChain {
  return {
    filters: [
      tcpProxyFilter({
        stat_prefix: 'tcp',
        // Whether it may leave the IDC or not: a listener that changed would cut its connections in the end.
        cluster: failoverCluster(plan.group),
        max_connect_attempts: tcpConnectAttempts,
        ...(plan.hash?.by.kind === 'source-ip' ? { hash_policy: [{ source_ip: {} }] } : {}),
        ...tcpAccessLog({ listener: 'tcp' }, accessLogFile),
      }),
    ],
  };
}

/** A TCP proxy as the last filter of a chain. A connection may be quiet for as long as its ends like. */
export function tcpProxyFilter(config: TcpProxy): NetworkFilter {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: any('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', {
      idle_timeout: '0s',
      // Without it all attempts are made before the first one's failure has ejected anybody.
      backoff_options: { base_interval: '0.025s', max_interval: '0.250s' },
      ...config,
    }),
  };
}

/**
 * Routes of a TCP Group: tunnels by CONNECT and nothing else. The egress passes the CONNECT on; where it
 * meets the instances, it ends, and what is inside goes to one of them. At the sidecar it ends too: there it
 * comes from a workload that takes the sidecar for its HTTP proxy (RFC 9110, 9.3.6).
 */
export function buildConnectRoutes(cluster: string, action: RouteAction, ends: boolean): Route[] {
  return [
    {
      match: { connect_matcher: {} },
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
 * What `tcp` and `tunnel` log of a connection when it ends, as JSON lines, with fields of their own; the
 * gateways log its CONNECT.
 */
export function tcpAccessLog(fields: Readonly<Record<string, string>>, file: string | undefined): TcpProxy {
  if (file === undefined) return {};
  return {
    access_log: [
      {
        name: 'envoy.access_loggers.file',
        typed_config: any('envoy.extensions.access_loggers.file.v3.FileAccessLog', {
          path: file,
          log_format: {
            json_format: {
              time: '%START_TIME%',
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
            },
          },
        }),
      },
    ],
  };
}

/**
 * Whether a listener has routes to a Group. Tunnels begin at workloads and sidecars, and nobody hands them
 * on.
 */
export function hasRoutes(plan: GroupPlan, listener: ListenerRole): boolean {
  return plan.protocol !== 'tcp' || listener === 'outbound' || listener === 'sidecar' || listener === 'peer';
}
