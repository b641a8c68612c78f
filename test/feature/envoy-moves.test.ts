import t from 'tap';
import { type Ack, createXdsServer, type Nack, type StreamInfo } from '../../src/xds/xds.ts';
import { typeUrl } from '../support/clients/xds-client.ts';
import { answering, fetchText, startEnvoy } from '../support/envoys/proxied.ts';
import { freePort } from '../support/port.ts';

// A real Envoy under load changes its class again and again: no request fails, nothing that both classes have
// is sent or warmed again, and each move is acknowledged once for each type that it changes.

const ads = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };
const group = (name: string, port: number) => [
  {
    '@type': typeUrl('CDS'),
    name,
    type: 'EDS',
    connect_timeout: '1s',
    eds_cluster_config: { eds_config: ads, service_name: `endpoints-${name}` },
  },
  {
    '@type': typeUrl('EDS'),
    cluster_name: `endpoints-${name}`,
    endpoints: [
      {
        lb_endpoints: [
          { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } } },
        ],
      },
    ],
  },
];
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
const listener = (port: number) => ({
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
            stat_prefix: 'entry',
            rds: { route_config_name: 'routes', config_source: ads },
            http_filters: [{ name: 'router', typed_config: { '@type': router } }],
          },
        },
      ],
    },
  ],
});
const moves = 18;

/** Polls until `check` holds; an error counts as no. Fails after a minute, many times what it takes. */
async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await check().catch(() => false))) {
    if (performance.now() > end) throw new Error(`not within a minute: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

for (const apiType of ['GRPC', 'DELTA_GRPC'] as const) {
  t.test(`a real Envoy is moved, ${apiType}`, { timeout: 280_000 }, async (t) => {
    const [nacks, acks, opened]: [Nack[], Ack[], StreamInfo[]] = [[], [], []];
    const server = createXdsServer({
      classOf: () => 'stable',
      onNack: (nack) => void nacks.push(nack),
      onAck: (ack) => void acks.push(ack),
      onStreamOpen: (stream) => void opened.push(stream),
    });
    const xdsPort = await server.listen('127.0.0.1:0');
    const [a, b, port] = [await answering('a'), await answering('b'), await freePort()];
    const shared = Array.from({ length: 50 }, (_, i) => group(`both-${i}`, a.port)).flat();
    const [stable, next] = [group('changed', a.port), group('changed', b.port)];
    server.upsert('stable', [...shared, ...stable, ...group('a', a.port), listener(port), routes('a')]);
    server.upsert('next', [...shared, ...next, ...group('b', b.port), listener(port), routes('b')]);
    const envoy = await startEnvoy('envoy', xdsPort, apiType);
    let stopped = false;
    t.teardown(async () => {
      stopped = true;
      await envoy.stop();
      await server.close();
      for (const upstream of [a, b]) upstream.server.closeAllConnections();
      for (const upstream of [a, b]) upstream.server.close();
    });
    await until('the listener answers', async () => (await fetchText(port)).status === 200);
    const [bodies, failures]: [string[], string[]] = [[], []];
    const load = async () => {
      while (!stopped) {
        const answer = await fetchText(port).catch((error: Error) => ({ status: 0, body: error.message }));
        if (answer.status === 200) bodies.push(answer.body);
        else failures.push(`${answer.status} ${answer.body}`);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    };
    const loads = [load(), load()];
    const active = () => envoy.admin('/config_dump?resource=dynamic_active_clusters');
    const counter = async (name: string) =>
      Number(/: (\d+)/.exec(await envoy.admin(`/stats?filter=^cluster_manager.${name}$`))?.[1]);
    const before = { added: await counter('cluster_added'), modified: await counter('cluster_modified') };
    const sent = server.stats.bytes;

    for (let i = 0; i < moves; i += 1) {
      const [to, from] = i % 2 === 0 ? ['b', 'a'] : ['a', 'b'];
      const cause = { at: performance.now() };
      const { revision, streams } = server.move(
        opened.map(({ id }) => id),
        to === 'b' ? 'next' : 'stable',
        cause,
      );
      t.equal(streams, 1);
      t.notOk(server.isConfirmed(revision));
      await until('all ACKed', async () => server.isConfirmed(revision));
      const seen = bodies.length;
      await until(`${to} answers`, async () => bodies.slice(seen + 2).includes(to));
      await until(`${from} is gone`, async () => !(await active()).includes(`"name": "${from}"`));
      const types = acks.filter(({ causes }) => causes.includes(cause)).map(({ type }) => type);
      // Of clusters there are two responses: the move is over with the removal.
      t.same(types.sort(), ['CDS', 'EDS', 'RDS']);
    }
    stopped = true;
    await Promise.all(loads);
    t.same(failures, [], `0 of ${bodies.length} requests failed`);
    t.same(nacks, []);
    t.equal(await counter('cluster_added'), before.added + moves, 'one cluster was added by each move');
    t.equal(await counter('cluster_modified'), before.modified, 'none was changed');
    t.same(server.differences(opened[0]?.id ?? 0), []);
    t.comment(`${bodies.length} requests, ${Math.round((server.stats.bytes - sent) / moves)} bytes a move`);
  });
}
