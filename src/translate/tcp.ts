import type { envoy, Listener, Route } from '../../protos/gen/envoy.d.ts';
import { type TcpListener, tcpConnectAttempts } from '../plan/tcp.ts';
import type { GroupPlan, ListenerRole } from '../plan/types.ts';
import { any } from './any.ts';
import { failoverCluster, tcpListenerName } from './names.ts';

type NetworkFilter = envoy.config.listener.v3.Filter;
type TcpProxy = envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy;
type RouteAction = envoy.config.route.v3.RouteAction;

/** A sidecar's listener for its workload's connections to one TCP Group. */
export function buildTcpListener({ plan, listen }: TcpListener, accessLogFile: string | undefined): Listener {
  return {
    name: tcpListenerName(plan.group, listen),
    address: { socket_address: { address: listen.address, port_value: listen.port } },
    per_connection_buffer_limit_bytes: 32_768,
    // An address of the Group's own need not be on the machine yet.
    ...(plan.addresses.length > 0 ? { freebind: true } : {}),
    filter_chains: [
      {
        filters: [
          tcpProxyFilter({
            stat_prefix: 'tcp',
            // Whether it may leave the IDC or not: a listener that changed would cut its connections in the end.
            cluster: failoverCluster(plan.group),
            max_connect_attempts: tcpConnectAttempts,
            ...tcpAccessLog('tcp', accessLogFile),
          }),
        ],
      },
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
 * Routes of a TCP Group at a gateway: tunnels by CONNECT and nothing else. The egress passes the CONNECT on; where it
 * meets the instances, it ends, and what is inside goes to one of them.
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

/** What `tcp` and `tunnel` log of a connection when it ends, as JSON lines; the gateways log its CONNECT. */
export function tcpAccessLog(listener: 'tcp' | 'tunnel', file: string | undefined): TcpProxy {
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
              listener,
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
              ...(listener === 'tunnel'
                ? {
                    group: '%DYNAMIC_METADATA(isthmus:group)%',
                    answer: '%FILTER_STATE(envoy.tcp_proxy.propagate_response_headers)%',
                  }
                : {}),
            },
          },
        }),
      },
    ],
  };
}

/** Whether a listener has routes to a Group. Tunnels begin at sidecars alone, and nobody hands them on. */
export function hasRoutes(plan: GroupPlan, listener: ListenerRole): boolean {
  return plan.protocol !== 'tcp' || listener === 'sidecar' || listener === 'peer';
}
