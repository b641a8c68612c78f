import t from 'tap';
import { createXdsServer, type Nack, type ResourceJson } from '../../src/xds/xds.ts';
import { typeUrl } from '../support/clients/xds-client.ts';
import { answering, fetchText, startEnvoy } from '../support/envoys/proxied.ts';
import { freePort } from '../support/port.ts';

const ads = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };
const cluster = (name: string, connectTimeout = '1s') => ({
  '@type': typeUrl('CDS'),
  name,
  type: 'EDS',
  connect_timeout: connectTimeout,
  eds_cluster_config: { eds_config: ads, service_name: `endpoints-${name}` },
});
const endpoints = (name: string, port: number) => ({
  '@type': typeUrl('EDS'),
  cluster_name: `endpoints-${name}`,
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
const manager =
  'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const router = 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router';
const listener = (port: number, prefix = 'http') => ({
  '@type': typeUrl('LDS'),
  name: 'entry',
  address: { socket_address: { address: '127.0.0.1', port_value: port } },
  filter_chains: [
    {
      filters: [
        {
          name: 'http',
          typed_config: {
            '@type': manager,
            stat_prefix: prefix,
            rds: { route_config_name: 'routes', config_source: ads },
            http_filters: [{ name: 'router', typed_config: { '@type': router } }],
          },
        },
      ],
    },
  ],
});

/** Polls until `check` holds; an error counts as no. Fails after 20 s, ten times what it takes when slow. */
async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000;
  while (!(await check().catch(() => false))) {
    if (performance.now() > end) throw new Error(`not within 20 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

for (const apiType of ['GRPC', 'DELTA_GRPC'] as const) {
  t.test(`a real Envoy, ${apiType}`, { timeout: 120_000 }, async (t) => {
    const nacks: Nack[] = [];
    const server = createXdsServer({ onNack: (nack) => void nacks.push(nack) });
    const xdsPort = await server.listen('127.0.0.1:0');
    const [a, b, port] = [await answering('a'), await answering('b'), await freePort()];
    const put = (...resources: ResourceJson[]) => server.upsert('envoy', resources);
    put(cluster('a'), endpoints('a', a.port), listener(port), routes('a'));
    const envoy = await startEnvoy('envoy', xdsPort, apiType);
    const bodies: string[] = [];
    const failures: string[] = [];
    let stopped = false;
    const settled = (revision: number) =>
      until('all ACKed', async () => server.unconfirmed(revision).length === 0);
    t.teardown(async () => {
      stopped = true;
      await envoy.stop();
      await server.close();
      for (const upstream of [a, b]) upstream.server.closeAllConnections();
      for (const upstream of [a, b]) upstream.server.close();
    });
    await until('the listener answers', async () => (await fetchText(port)).status === 200);

    const load = async () => {
      while (!stopped) {
        const answer = await fetchText(port).catch((error: Error) => ({ status: 0, body: error.message }));
        if (answer.status === 200) bodies.push(answer.body);
        else failures.push(`${answer.status} ${answer.body}`);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    };
    const loads = [load(), load()];
    const active = async () => envoy.admin('/config_dump?resource=dynamic_active_clusters');

    await t.test('a cluster that changes while its endpoints do not is in use again at once', async (t) => {
      const start = performance.now();
      for (const timeout of ['2s', '3s', '4s', '5s']) {
        put(cluster('a', timeout));
        await until(timeout, async () => (await active()).includes(`"connect_timeout": "${timeout}"`));
      }
      // Not after the 5 s for which a missing answer is waited for, nor after Envoy's fetch timeout of 15 s.
      t.ok(performance.now() - start < 4_000, `${performance.now() - start} ms for four changes`);
      t.match(await envoy.admin('/stats?filter=warming_clusters'), /warming_clusters: 0/);
      t.equal(server.stats.outOfTurn, 0);
      t.same(failures, []);
    });

    await t.test('a listener that changes keeps its routes', async (t) => {
      const { revision } = put(listener(port, 'http2'));
      await settled(revision);
      await until('the new listener serves', async () =>
        /http\.http2\.downstream_rq_2xx: [1-9]/.test(
          await envoy.admin('/stats?filter=http2.downstream_rq_2xx'),
        ),
      );
      t.same(failures, []);
    });

    await t.test('clusters come before the routes to them, and go after', async (t) => {
      for (const [to, from, target] of [
        ['b', 'a', b.port],
        ['a', 'b', a.port],
        ['b', 'a', b.port],
      ] as const) {
        const { revision } = server.apply('envoy', [
          { remove: { typeUrl: typeUrl('CDS'), name: from } },
          { remove: { typeUrl: typeUrl('EDS'), name: `endpoints-${from}` } },
          { upsert: routes(to) },
          { upsert: endpoints(to, target) },
          { upsert: cluster(to) },
        ]);
        await settled(revision);
        const seen = bodies.length;
        await until(`${to} answers`, async () => bodies.slice(seen + 2).includes(to));
        await until(`${from} is gone`, async () => !(await active()).includes(`"name": "${from}"`));
      }
      t.same(failures, []);
    });

    await t.test('what Envoy refuses leaves the last good in force', async (t) => {
      put(cluster('b', '-1s'));
      await until('the NACK', async () => nacks.length > 0);
      t.match(nacks, [{ type: 'CDS', message: /positive duration/, names: ['b'] }]);
      t.match(server.status()[0]?.types[0], { type: 'CDS', state: 'NACKED' });
      const { revision } = put(cluster('b', '7s'));
      await settled(revision);
      t.same(failures, []);
    });

    await t.test('a proxy continues with a server that comes back', async (t) => {
      await server.close();
      const again = createXdsServer();
      t.teardown(() => again.close());
      const toA = [cluster('a', '9s'), endpoints('a', a.port), listener(port, 'http2'), routes('a')];
      const asItWas = [cluster('b', '7s'), endpoints('b', b.port), listener(port, 'http2'), routes('b')];
      // State of the World does not say which clusters the client has: those that went meanwhile go at once,
      // before the route that named them. Delta does say it, and they are held.
      again.upsert('envoy', apiType === 'GRPC' ? asItWas : toA);
      await again.listen(`127.0.0.1:${xdsPort}`);
      await until('it is back', async () => again.stats.acks >= 3);
      again.upsert('envoy', toA);
      await until('a serves', async () => bodies.at(-1) === 'a');
      t.same(failures, []);
    });
    stopped = true;
    await Promise.all(loads);
    t.ok(bodies.length > 20, `${bodies.length} requests`);
    t.same(failures, []);
  });
}
