import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import t from 'tap';
import { createXdsServer } from '../../src/xds/xds.ts';
import { typeUrl } from '../support/clients/xds-client.ts';

const bytes = (buffer: Buffer) => buffer;

/** A gRPC server that answers its own name. */
async function greeter(name: string): Promise<{ port: number; server: Server }> {
  const server = new Server();
  const hello = {
    path: '/greeter/Hello',
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
  server.addService({ hello }, {
    hello: (_call: unknown, done: (error: null, answer: Buffer) => void) => done(null, Buffer.from(name)),
  } as never);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
  return { port, server };
}

const ads = { ads: {}, resource_api_version: 'V3' };
const cluster = (name: string) => ({
  '@type': typeUrl('CDS'),
  name,
  type: 'EDS',
  eds_cluster_config: { eds_config: ads },
});
const endpoints = (name: string, port: number) => ({
  '@type': typeUrl('EDS'),
  cluster_name: name,
  endpoints: [
    {
      locality: { region: 'r', zone: 'z' },
      load_balancing_weight: 1,
      lb_endpoints: [
        { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } } },
      ],
    },
  ],
});
const routes = (target: string) => ({
  '@type': typeUrl('RDS'),
  name: 'routes',
  virtual_hosts: [
    { name: 'all', domains: ['*'], routes: [{ match: { prefix: '' }, route: { cluster: target } }] },
  ],
});
const listener = {
  '@type': typeUrl('LDS'),
  name: 'greeter',
  api_listener: {
    api_listener: {
      '@type':
        'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
      rds: { route_config_name: 'routes', config_source: ads },
      http_filters: [
        {
          name: 'router',
          typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
        },
      ],
    },
  },
};

t.test("gRPC's own xDS client follows endpoints and routes", { timeout: 60_000 }, async (t) => {
  const nacks: string[] = [];
  const xds = createXdsServer({ onNack: ({ type, message }) => void nacks.push(`${type}: ${message}`) });
  const xdsPort = await xds.listen('127.0.0.1:0');
  const [one, two, three] = [await greeter('one'), await greeter('two'), await greeter('three')];
  xds.upsert('grpc', [listener, routes('a'), cluster('a'), endpoints('a', one.port)]);
  const bootstrap = {
    xds_servers: [
      {
        server_uri: `127.0.0.1:${xdsPort}`,
        channel_creds: [{ type: 'insecure' }],
        server_features: ['xds_v3'],
      },
    ],
    node: { id: 'grpc', locality: {} },
  };
  const main = fileURLToPath(new URL('grpc-xds-main.ts', import.meta.url));
  const env = { ...process.env, GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(bootstrap) };
  const child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(async () => {
    child.kill();
    await xds.close();
    for (const { server } of [one, two, three]) server.forceShutdown();
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const seen = new Set<string>();
  const until = async (wanted: string) => {
    for (;;) {
      const { value, done } = await answers.next();
      if (done) throw new Error(`the client ended before it saw ${wanted}`);
      seen.add(value);
      if (value === wanted) return;
    }
  };
  await until('one');
  xds.upsert('grpc', [endpoints('a', two.port)]);
  await until('two');
  xds.upsert('grpc', [cluster('b'), endpoints('b', three.port), routes('b')]);
  await until('three');
  t.same([...seen], ['one', 'two', 'three'], 'and no error between them');
  t.same(nacks, []);
  t.match(xds.status(), [{ protocol: 'sotw', types: { length: 4 } }]);
});
