import type { Cluster, Listener } from '../../../protos/gen/envoy.d.ts';
import type { ListenAddress } from '../../model/values/listen-address.ts';
import { packAny } from '../message-parts.ts';
import { routerFilter } from './http-listener.ts';

/** What the bootstrap of a sidecar in a Pod has besides: what a kubelet asks, and captured connections. */
export interface PodSide {
  /** Port at which `GET /ready` and `GET /stats/prometheus` of the admin interface are answered. */
  readonly readyPort: number;
  /** Port to which outgoing TCP connections are redirected; absent: none are. */
  readonly capturePort?: number;
  /** Whether it listens at IPv6 addresses, too. */
  readonly ipv6: boolean;
}

const adminCluster = 'isthmus-admin';
const outboundCluster = 'isthmus-outbound';
const originalCluster = 'isthmus-original';

/** Static listeners of a sidecar in a Pod. */
export function podListeners({ readyPort, capturePort, ipv6 }: PodSide): Listener[] {
  const ready = readyListener(anyAddress(readyPort, ipv6));
  return capturePort === undefined ? [ready] : [ready, captureListener(anyAddress(capturePort, ipv6))];
}

/** Their clusters. `outbound`: where the sidecar takes requests of its workload. */
export function podClusters(
  { capturePort }: PodSide,
  admin: ListenAddress,
  outbound: ListenAddress | undefined,
): Cluster[] {
  return [
    fixedCluster(adminCluster, admin),
    ...(capturePort === undefined || outbound === undefined
      ? []
      : [
          fixedCluster(outboundCluster, outbound),
          {
            name: originalCluster,
            type: 'ORIGINAL_DST' as const,
            lb_policy: 'CLUSTER_PROVIDED' as const,
            connect_timeout: '5s' as const,
          },
        ]),
  ];
}

function anyAddress(port: number, ipv6: boolean): Pick<Listener, 'address' | 'additional_addresses'> {
  const at = (address: string) => ({ address: { socket_address: { address, port_value: port } } });
  return { ...at('0.0.0.0'), ...(ipv6 ? { additional_addresses: [at('::')] } : {}) };
}

function fixedCluster(name: string, { address, port }: ListenAddress): Cluster {
  const endpoint = { address: { socket_address: { address, port_value: port } } };
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] },
  };
}

/** Two paths of the admin interface, which itself is on loopback: a kubelet asks at the Pod's address. */
function readyListener(at: Pick<Listener, 'address' | 'additional_addresses'>): Listener {
  const paths = ['/ready', '/stats/prometheus'];
  return {
    name: 'ready',
    ...at,
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: packAny(
              'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
              {
                stat_prefix: 'ready',
                route_config: {
                  name: 'ready',
                  virtual_hosts: [
                    {
                      name: 'admin',
                      domains: ['*'],
                      routes: paths.map((path) => ({
                        match: { path, headers: [{ name: ':method', string_match: { exact: 'GET' } }] },
                        route: { cluster: adminCluster },
                      })),
                    },
                  ],
                },
                http_filters: [routerFilter],
              },
            ),
          },
        ],
      },
    ],
  };
}

/**
 * Connections that nftables has redirected. What speaks HTTP in plain text goes to the outbound listener,
 * where its host decides, as if the workload had asked there; all else goes where it was going
 * (docs/decisions/213-capture-hands-http-to-the-outbound-listener.md).
 */
function captureListener(at: Pick<Listener, 'address' | 'additional_addresses'>): Listener {
  const to = (stat_prefix: string, cluster: string) => ({
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: packAny('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', {
      ...{ stat_prefix, cluster },
      // How long a connection may be idle is for its ends to say.
      idle_timeout: '0s',
    }),
  });
  return {
    name: 'capture',
    ...at,
    traffic_direction: 'OUTBOUND',
    listener_filters: [
      {
        name: 'envoy.filters.listener.original_dst',
        typed_config: packAny('envoy.extensions.filters.listener.original_dst.v3.OriginalDst', {}),
      },
      {
        name: 'envoy.filters.listener.http_inspector',
        typed_config: packAny('envoy.extensions.filters.listener.http_inspector.v3.HttpInspector', {}),
      },
    ],
    // Of protocols in which the server speaks first nothing comes: they wait so long.
    listener_filters_timeout: '0.1s',
    continue_on_listener_filters_timeout: true,
    filter_chains: [
      {
        filter_chain_match: { application_protocols: ['http/1.0', 'http/1.1', 'h2c'] },
        filters: [to('capture_http', outboundCluster)],
      },
    ],
    default_filter_chain: { filters: [to('capture_other', originalCluster)] },
  };
}
