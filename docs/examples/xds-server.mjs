// An xDS server in a page: one Envoy, named `edge-1`, listens on 10000 and balances over two instances. Run
//
//   node xds-server.mjs [port]
//
// with Node 20 or newer, and point an Envoy's `ads_config` at the port (18000 when none is given).
import { createXdsServer } from 'isthmus/xds';

const type = (name) => `type.googleapis.com/envoy.${name}`;
const ads = { ads: {}, resource_api_version: 'V3' };

const cluster = {
  '@type': type('config.cluster.v3.Cluster'),
  name: 'checkout',
  type: 'EDS',
  connect_timeout: '0.25s',
  eds_cluster_config: { eds_config: ads },
};

/** @param {number[]} ports */
const endpoints = (ports) => ({
  '@type': type('config.endpoint.v3.ClusterLoadAssignment'),
  cluster_name: 'checkout',
  endpoints: [
    {
      lb_endpoints: ports.map((port_value) => ({
        endpoint: { address: { socket_address: { address: '127.0.0.1', port_value } } },
      })),
    },
  ],
});

const routes = {
  '@type': type('config.route.v3.RouteConfiguration'),
  name: 'routes',
  virtual_hosts: [
    { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'checkout' } }] },
  ],
};

const listener = {
  '@type': type('config.listener.v3.Listener'),
  name: 'entry',
  address: { socket_address: { address: '127.0.0.1', port_value: 10000 } },
  filter_chains: [
    {
      filters: [
        {
          name: 'http',
          typed_config: {
            '@type': type('extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
            stat_prefix: 'entry',
            rds: { route_config_name: 'routes', config_source: ads },
            http_filters: [
              { name: 'router', typed_config: { '@type': type('extensions.filters.http.router.v3.Router') } },
            ],
          },
        },
      ],
    },
  ],
};

const server = createXdsServer({
  onStreamOpen: ({ node, protocol }) => console.log(`${node.id} connected (${protocol})`),
  onAck: ({ stream, type, version, ackedAtMs, sentAtMs }) =>
    console.log(`${stream.node.id} has ${type} ${version} (${Math.round(ackedAtMs - sentAtMs)} ms)`),
  onNack: ({ stream, type, message }) => console.log(`${stream.node.id} refused ${type}: ${message}`),
});

// Node `edge-1` gets these, be it connected or not. A wrong field would throw, and name its path.
server.upsert('edge-1', [cluster, endpoints([8081]), listener, routes]);

const port = await server.listen(`127.0.0.1:${process.argv[2] ?? 18000}`);
console.log(`listening on ${port}`);

// An instance more: pushed at once, and only to those who subscribe to it.
server.upsert('edge-1', [endpoints([8081, 8082])]);

process.once('SIGINT', () => server.close());
process.once('SIGTERM', () => server.close());
