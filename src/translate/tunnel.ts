import type { Cluster, envoy, Listener } from '../../protos/gen/envoy.d.ts';
import type { GroupPlan } from '../plan/types.ts';
import { any } from './any.ts';
import { egressCluster, groupName, tunnelCluster, tunnelListener } from './names.ts';
import { tcpAccessLog, tcpProxyFilter } from './tcp.ts';

type TransportSocket = envoy.config.core.v3.TransportSocket;

/** Key of the metadata in which a Group's name reaches the tunnel, and its one field. */
const metadataKey = 'isthmus';

/**
 * The way of a TCP Group out of its IDC, as a cluster: one endpoint inside the same Envoy, the tunnel listener. A TCP
 * proxy tunnels to all of a cluster or to none of it, so the instances cannot stand in one cluster with the egress.
 */
export function buildTunnelCluster(plan: GroupPlan): Cluster {
  const name = tunnelCluster(plan.group);
  const address = { envoy_internal_address: { server_listener_name: tunnelListener, endpoint_id: name } };
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
    metadata: { filter_metadata: { [metadataKey]: { group: groupName(plan.group) } } },
    transport_socket: tunnelSocket,
  };
}

/** Hands the Group's name, from the cluster's metadata, on to the tunnel listener. */
const tunnelSocket: TransportSocket = {
  name: 'envoy.transport_sockets.internal_upstream',
  typed_config: any('envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport', {
    passthrough_metadata: [{ kind: { cluster: {} }, name: metadataKey }],
    transport_socket: {
      name: 'envoy.transport_sockets.raw_buffer',
      typed_config: any('envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer', {}),
    },
  }),
};

/**
 * One listener for all TCP Groups, which only the Envoy that it is in can reach. It asks the egress for a tunnel to
 * the Group by CONNECT (RFC 9110, 9.3.6; over HTTP/2 RFC 9113, 8.5), so that there the same filter and the same
 * routes decide as for HTTP.
 */
export function buildTunnelListener(accessLogFile: string | undefined): Listener {
  return {
    name: tunnelListener,
    internal_listener: {},
    filter_chains: [
      {
        filters: [
          tcpProxyFilter({
            stat_prefix: tunnelListener,
            cluster: egressCluster,
            // One more than a dead egress gateway and a closing connection take.
            max_connect_attempts: 3,
            tunneling_config: {
              hostname: `%DYNAMIC_METADATA(${metadataKey}:group)%`,
              // For the access log: what the gateways answered, with their outcome.
              propagate_response_headers: true,
            },
            ...tcpAccessLog(tunnelListener, accessLogFile),
          }),
        ],
      },
    ],
  };
}
