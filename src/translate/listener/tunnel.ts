import type { Cluster, Listener } from '../../../protos/gen/envoy.d.ts';
import type { Tunnel } from '../../plan/tcp.ts';
import { egressCluster, groupName, tunnelName } from '../names.ts';
import { tcpAccessLog, tcpProxyFilter } from './tcp-listener.ts';

/**
 * The exit of a TCP Group from its IDC as a cluster: one endpoint, the tunnel listener of the same Envoy. A
 * TCP proxy tunnels to all of a cluster or to none, so instances and egress cannot share a cluster.
 */
export function buildTunnelCluster({ plan, listen, from }: Tunnel): Cluster {
  const name = tunnelName(plan.group);
  const address = { socket_address: { address: listen.address, port_value: listen.port } };
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    per_connection_buffer_limit_bytes: 32_768,
    upstream_bind_config: { source_address: { address: from, port_value: 0 } },
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
  };
}

/**
 * The tunnel listener. It sends CONNECT for the Group to the egress (RFC 9110, 9.3.6; over HTTP/2 RFC 9113,
 * 8.5), where the same filter and routes apply as for HTTP.
 *
 * A TCP socket without listener filters: with an internal listener Envoy 1.40 forwards a tunnel's end as a
 * reset, and a listener filter drops a connection whose client closed before it was read
 * (docs/decisions/060-tunnels-listen-on-sockets.md).
 */
export function buildTunnelListener(
  { plan, listen, from }: Tunnel,
  accessLogFile: string | undefined,
): Listener {
  return {
    name: tunnelName(plan.group),
    address: { socket_address: { address: listen.address, port_value: listen.port } },
    per_connection_buffer_limit_bytes: 32_768,
    filter_chains: [
      {
        filter_chain_match: { source_prefix_ranges: [{ address_prefix: from, prefix_len: 32 }] },
        filters: [
          tcpProxyFilter({
            stat_prefix: 'tunnel',
            cluster: egressCluster,
            // One more than a dead egress gateway and a closing connection use up.
            max_connect_attempts: 3,
            tunneling_config: {
              hostname: groupName(plan.group),
              // For the access log: the gateways' answer, with its outcome.
              propagate_response_headers: true,
            },
            ...tcpAccessLog(
              {
                listener: 'tunnel',
                group: groupName(plan.group),
                answer: '%FILTER_STATE(envoy.tcp_proxy.propagate_response_headers)%',
              },
              accessLogFile,
            ),
          }),
        ],
      },
    ],
  };
}
