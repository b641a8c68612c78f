// The library `isthmus/xds` with the very resources that bench/peers/go-control-plane serves: clusters and
// their endpoints.
import { createXdsServer, type ResourceJson } from '../../src/xds/xds.ts';
import { addressOf, hostOf, serveControl, serverFlags } from './control.ts';

const { port, http, groups, endpoints } = serverFlags();
const nodeClass = 'all';
// As `isthmus serve` has it.
const xds = createXdsServer({ classOf: () => nodeClass, collectYoungMemory: true });
const numbers = Array.from({ length: groups }, (_, i) => i);
xds.upsert(nodeClass, [...numbers.map(cluster), ...numbers.map((i) => assignment(i, addressOf(i, 0)))]);
await xds.listen(`127.0.0.1:${port}`);
serveControl(
  http,
  (i, address) => void xds.upsert(nodeClass, [assignment(i, address)]),
  () => ({ xds: xds.stats }),
);

function cluster(i: number): ResourceJson {
  return {
    '@type': 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
    name: hostOf(i),
    type: 'EDS',
    connect_timeout: '5s',
    eds_cluster_config: { eds_config: { resource_api_version: 'V3', ads: {} } },
  };
}

function assignment(i: number, first: string): ResourceJson {
  return {
    '@type': 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
    cluster_name: hostOf(i),
    endpoints: [0, 1, 2].map((zone) => ({
      locality: { region: 'region-1', zone: `zone-${zone}` },
      lb_endpoints: Array.from({ length: endpoints }, (_, e) => e)
        .filter((e) => e % 3 === zone)
        .map((e) => {
          const address = e === 0 ? first : addressOf(i, e);
          return { endpoint: { address: { socket_address: { address, port_value: 8443 } } } };
        }),
    })),
  };
}
