import type { Cluster, Listener } from '../../../protos/gen/envoy.d.ts';
import type { Tunnel } from '../../plan/tcp.ts';
import { egressCluster, groupName, tunnelName } from '../names.ts';
import { tcpAccessLog, tcpProxyFilter } from './tcp-listener.ts';

/**
 * The way of a TCP Group out of its IDC, as a cluster: one endpoint, the tunnel listener of the same Envoy. A
 * TCP proxy tunnels to all of a cluster or to none of it, so the instances cannot stand in one cluster with
 * the egress.
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
 * The listener at the other end of that connection. It asks the egress for a tunnel to the Group by CONNECT
 * (RFC 9110,
 * 9.3.6; over HTTP/2 RFC 9113, 8.5), so that there the same filter and the same routes decide as for HTTP.
 *
 * It stands on a TCP socket, and no listener filter is before it: from an internal listener Envoy 1.40 passes
 * the end of a tunnel on as a reset, and a listener filter drops a connection whose client has ended before
 * it was read (docs/decisions/060-tunnels-listen-on-sockets.md).
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
            // One more than a dead egress gateway and a closing connection take.
            max_connect_attempts: 3,
            tunneling_config: {
              hostname: groupName(plan.group),
              // For the access log: what the gateways answered, with their outcome.
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
