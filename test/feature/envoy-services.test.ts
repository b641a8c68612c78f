import { get } from 'node:https';
import type { TLSSocket } from 'node:tls';
import t from 'tap';
import { createXdsServer, type Nack, type ResourceJson } from '../../src/xds/xds.ts';
import { createAuthority } from '../support/certificates.ts';
import { typeUrl } from '../support/clients/xds-client.ts';
import { answering, startEnvoy } from '../support/envoys/proxied.ts';
import { until } from '../support/mesh.ts';
import { freePort } from '../support/port.ts';

// A real Envoy that has no ADS: each type by its own service, on streams of its own.

const router = { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' };
const mutation = 'type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation';
const managerType =
  'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const tlsType = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext';

const endpoints = (name: string, port: number) => ({
  '@type': typeUrl('EDS'),
  cluster_name: name,
  endpoints: [
    {
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
    { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: target } }] },
  ],
});
const header = (value: string) => ({
  '@type': typeUrl('ECDS'),
  name: 'header',
  typed_config: {
    '@type': mutation,
    mutations: { response_mutations: [{ append: { header: { key: 'x-ecds', value } } }] },
  },
});

for (const apiType of ['GRPC', 'DELTA_GRPC'] as const) {
  t.test(`a real Envoy without ADS, ${apiType}`, { timeout: 120_000 }, async (t) => {
    const source = {
      api_config_source: {
        api_type: apiType,
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
      },
      resource_api_version: 'V3',
      initial_fetch_timeout: '0s',
    } as const;
    const cluster = (name: string, connectTimeout = '1s') => ({
      '@type': typeUrl('CDS'),
      name,
      type: 'EDS',
      connect_timeout: connectTimeout,
      eds_cluster_config: { eds_config: source },
    });
    const listener = (port: number) => ({
      '@type': typeUrl('LDS'),
      name: 'entry',
      address: { socket_address: { address: '127.0.0.1', port_value: port } },
      filter_chains: [
        {
          transport_socket: {
            name: 'tls',
            typed_config: {
              '@type': tlsType,
              common_tls_context: {
                tls_certificate_sds_secret_configs: [{ name: 'certificate', sds_config: source }],
              },
            },
          },
          filters: [
            {
              name: 'http',
              typed_config: {
                '@type': managerType,
                stat_prefix: 'http',
                rds: { route_config_name: 'routes', config_source: source },
                http_filters: [
                  { name: 'header', config_discovery: { config_source: source, type_urls: [mutation] } },
                  { name: 'router', typed_config: router },
                ],
              },
            },
          ],
        },
      ],
    });
    const authority = createAuthority();
    const secret = (name: string) => {
      const { cert, key } = authority.issue(name);
      return {
        '@type': typeUrl('SDS'),
        name: 'certificate',
        tls_certificate: { certificate_chain: { inline_string: cert }, private_key: { inline_string: key } },
      };
    };
    const nacks: Nack[] = [];
    const acked = new Set<string>();
    const options = {
      onNack: (nack: Nack) => void nacks.push(nack),
      onAck: ({ type, stream }: { type: string; stream: { only?: string } }) =>
        void acked.add(`${type} ${stream.only === typeUrl(type)}`),
    };
    let server = createXdsServer(options);
    const xdsPort = await server.listen('127.0.0.1:0');
    const [a, b, port] = [await answering('a'), await answering('b'), await freePort()];
    const put = (...resources: ResourceJson[]) => server.upsert('envoy', resources);
    const whole = () => [
      ...[cluster('a'), endpoints('a', a.port), listener(port), routes('a'), header('one'), secret('one')],
      { '@type': typeUrl('RTDS'), name: 'layer', layer: { 'a.key': 'one' } },
    ];
    put(...(whole() as ResourceJson[]));
    const envoy = await startEnvoy('envoy', xdsPort, apiType, {
      dynamic_resources: { cds_config: source, lds_config: source },
      layered_runtime: { layers: [{ name: 'rtds', rtds_layer: { name: 'layer', rtds_config: source } }] },
    });
    t.teardown(async () => {
      await envoy.stop();
      await server.close();
      authority.close();
      for (const upstream of [a, b]) {
        upstream.server.closeAllConnections();
        upstream.server.close();
      }
    });
    const ask = () =>
      new Promise<{ body: string; header: string | undefined; name: string }>((resolve, reject) => {
        get({ host: '127.0.0.1', port, agent: false, rejectUnauthorized: false }, (response) => {
          const name = String((response.socket as TLSSocket).getPeerCertificate().subject?.CN);
          let body = '';
          response.setEncoding('utf8').on('data', (text: string) => {
            body += text;
          });
          response.on('end', () => resolve({ body, header: String(response.headers['x-ecds']), name }));
        }).on('error', reject);
      });
    const answers = (wanted: object) =>
      until(JSON.stringify(wanted), async () => {
        const got = await ask().catch(() => undefined);
        return Object.entries(wanted).every(([key, value]) => got?.[key as 'body'] === value);
      });

    await t.test('each type comes by its own service', async (t) => {
      await answers({ body: 'a', header: 'one', name: 'one' });
      await until('the runtime', async () => (await envoy.admin('/runtime')).includes('one'));
      const types = ['CDS', 'ECDS', 'EDS', 'LDS', 'RDS', 'RTDS', 'SDS'];
      await until('all ACKed', () => acked.size === types.length);
      t.same(
        [...acked].sort(),
        types.map((type) => `${type} true`),
      );
      t.same(nacks, []);
    });

    await t.test('each changes', async () => {
      put(endpoints('a', b.port));
      await answers({ body: 'b' });
      put(cluster('c'), endpoints('c', a.port), routes('c') as ResourceJson);
      await answers({ body: 'a' });
      put(header('two') as ResourceJson);
      await answers({ header: 'two' });
      put(secret('two') as ResourceJson);
      await answers({ name: 'two' });
      put({ '@type': typeUrl('RTDS'), name: 'layer', layer: { 'a.key': 'two' } } as ResourceJson);
      await until('the runtime', async () => (await envoy.admin('/runtime')).includes('two'));
    });

    await t.test('a cluster that changes while its endpoints do not is in use again at once', async () => {
      put(cluster('c', '7s'));
      await until('it changed', async () =>
        (await envoy.admin('/config_dump?resource=dynamic_active_clusters')).includes('7s'),
      );
      await answers({ body: 'a' });
    });

    await t.test('what it refuses leaves the last good in force', async (t) => {
      put(cluster('c', '-1s'));
      await until('the NACK', () => nacks.length > 0);
      t.match(nacks, [{ type: 'CDS', message: /positive duration/ }]);
      const status = server.status().find(({ only }) => only === typeUrl('CDS'));
      t.match(status?.types, [{ type: 'CDS', state: 'NACKED' }]);
      await answers({ body: 'a' });
      put(cluster('c', '8s'));
      await until('it is in force', async () =>
        (await envoy.admin('/config_dump?resource=dynamic_active_clusters')).includes('8s'),
      );
    });

    await t.test('a proxy continues with a server that comes back', async () => {
      await server.close();
      server = createXdsServer(options);
      acked.clear();
      put(...([...whole(), cluster('c', '8s'), endpoints('c', a.port), routes('c')] as ResourceJson[]));
      await server.listen(`127.0.0.1:${xdsPort}`);
      // Delta says what it has of what it takes by wildcard: that is answered too, or it would wait longer
      // next time.
      await until('it is back', () => acked.size >= 7);
      await answers({ body: 'a' });
      put(routes('a') as ResourceJson, endpoints('a', b.port));
      await answers({ body: 'b' });
    });
  });
}
