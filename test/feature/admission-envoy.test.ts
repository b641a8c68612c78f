import t, { type Test } from 'tap';
import type { Bootstrap } from '../../protos/gen/envoy.d.ts';
import type { AdmissionLimits } from '../../src/xds/admission/admission-limits.ts';
import { createXdsServer, type ResourceJson, type TurnedAway, type XdsServer } from '../../src/xds/xds.ts';
import { methods, openHttp2 } from '../support/attacks/call.ts';
import { typeUrl } from '../support/clients/xds-client.ts';
import { answering, fetchText, type ProxyProcess, startEnvoy } from '../support/envoys/proxied.ts';
import { until } from '../support/mesh.ts';
import { freePort } from '../support/port.ts';

// What a real Envoy does that is turned away: it keeps what it has, comes back by its back-off, and takes
// what is new then.

const ads = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' } as const;
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

function whole(listenPort: number, targetPort: number): ResourceJson[] {
  const manager = 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3';
  return [
    {
      ...{ '@type': typeUrl('CDS'), name: 'target', type: 'EDS', connect_timeout: '1s' },
      eds_cluster_config: { eds_config: ads },
    },
    endpoints('target', targetPort),
    {
      '@type': typeUrl('LDS'),
      name: 'entry',
      address: { socket_address: { address: '127.0.0.1', port_value: listenPort } },
      filter_chains: [
        {
          filters: [
            {
              name: 'http',
              typed_config: {
                '@type': `${manager}.HttpConnectionManager`,
                stat_prefix: 'http',
                route_config: {
                  virtual_hosts: [
                    {
                      ...{ name: 'all', domains: ['*'] },
                      routes: [{ match: { prefix: '/' }, route: { cluster: 'target' } }],
                    },
                  ],
                },
                http_filters: [
                  {
                    name: 'router',
                    typed_config: {
                      '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
                    },
                  },
                ],
              },
            },
          ],
        },
      ],
    },
  ] as ResourceJson[];
}

/** Times at which an Envoy was turned away, in ms, and with what words. */
type Away = { readonly at: number; readonly limit: string; readonly words: string };

/** A server on a port, whose places others take: two addresses that have one each. */
async function full(
  t: Test,
  port: number,
  admission: Partial<AdmissionLimits>,
  resources: readonly ResourceJson[],
) {
  const away: Away[] = [];
  const server: XdsServer = createXdsServer({
    classOf: () => 'k',
    limits: { admission },
    onTurnedAway: ({ limit, error }: TurnedAway) =>
      void away.push({ at: performance.now(), limit, words: error.message }),
  });
  server.upsert('k', resources);
  await server.listen(`127.0.0.1:${port}`);
  const others = ['127.0.0.2', '127.0.0.3'].map((from) => openHttp2({ address: '127.0.0.1', port }, from));
  const calls = others.map((other) => other.call(methods.delta));
  t.teardown(async () => {
    for (const other of others) other.close();
    await server.close();
  });
  return {
    ...{ server, away },
    hold: () => until('the places are taken', async () => server.levels()[0]?.streams === 2),
    free() {
      for (const call of calls) call.cancel();
      for (const other of others) other.close();
    },
  };
}

for (const [what, admission, words] of [
  ['RESOURCE_EXHAUSTED, its stream has no place', { streamsMax: 2 }, /^all 2 streams are in use/],
  ['GOAWAY, its connection has no place', { connectionsMax: 2 }, /^all connections are in use/],
] as const)
  for (const apiType of ['GRPC', 'DELTA_GRPC'] as const)
    t.test(`${apiType}: an Envoy that is turned away by ${what}`, { timeout: 120_000 }, async (t) => {
      const [xdsPort, listenPort] = [await freePort(), await freePort()];
      const [old, fresh] = [await answering('old'), await answering('fresh')];
      let first: XdsServer | undefined = createXdsServer({ classOf: () => 'k' });
      first.upsert('k', whole(listenPort, old.port));
      await first.listen(`127.0.0.1:${xdsPort}`);
      const envoy: ProxyProcess = await startEnvoy('envoy', xdsPort, apiType);
      t.teardown(async () => {
        await envoy.stop();
        await first?.close();
        for (const { server } of [old, fresh]) {
          server.closeAllConnections();
          server.close();
        }
      });
      const says = async () => (await fetchText(listenPort).catch(() => undefined))?.body;
      await until('it serves', async () => (await says()) === 'old');
      await first.close();
      first = undefined;
      // It stands still until others have all places.
      process.kill(envoy.pid, 'SIGSTOP');
      const next = await full(t, xdsPort, admission, whole(listenPort, fresh.port));
      await next.hold().finally(() => process.kill(envoy.pid, 'SIGCONT'));
      await until('it was turned away thrice', async () => next.away.length >= 3, 60_000);
      t.match(next.away[0]?.words, words);
      for (let i = 0; i < 50; i++) t.equal(await says(), 'old', 'it keeps what it has');
      // Its back-off: a random part of 0.5 s, doubled by each failure, up to 30 s. A loop without one would
      // be hundreds a second.
      const [from, to] = [next.away[0]?.at ?? 0, next.away[2]?.at ?? 0];
      t.ok(to - from > 50, `three in ${Math.round(to - from)} ms`);
      const stats = await envoy.admin('/stats?filter=control_plane.connected_state');
      t.match(stats, /connected_state: 0/, 'and shows that it is not connected');
      next.free();
      await until('it has what is new', async () => (await says()) === 'fresh', 60_000);
      t.match(next.server.status(), [{ node: { id: 'envoy' } }]);
    });

/** An Envoy without ADS: it asks for the endpoints of each of so many clusters on a stream of its own. */
async function withoutAds(
  t: Test,
  apiType: 'GRPC' | 'DELTA_GRPC',
  count: number,
  admission: Partial<AdmissionLimits> = {},
) {
  const source = {
    api_config_source: {
      api_type: apiType,
      transport_api_version: 'V3',
      grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
    },
    resource_api_version: 'V3',
    initial_fetch_timeout: '0s',
  } as const;
  const away: TurnedAway[] = [];
  const server = createXdsServer({
    ...{ classOf: () => 'k', limits: { admission } },
    onTurnedAway: (one) => void away.push(one),
  });
  const names = Array.from({ length: count }, (_, i) => `c-${i}`);
  const put = (connect_timeout: string) =>
    server.upsert(
      'k',
      names.map(
        (name) =>
          ({
            ...{ '@type': typeUrl('CDS'), name, type: 'EDS', connect_timeout },
            eds_cluster_config: { eds_config: source },
          }) as ResourceJson,
      ),
    );
  put('1s');
  server.upsert(
    'k',
    names.map((name, i) => endpoints(name, 1_000 + i) as ResourceJson),
  );
  const port = await server.listen('127.0.0.1:0');
  const envoy = await startEnvoy('envoy', port, apiType, {
    dynamic_resources: { cds_config: source },
    static_resources: { clusters: [xdsCluster(port)] },
  });
  t.teardown(async () => {
    await envoy.stop();
    await server.close();
  });
  const stats = () => envoy.admin('/stats?filter=cluster_manager.(warming|active)_clusters').catch(() => '');
  return {
    ...{ server, put, away },
    warming: () => until('they warm', async () => /warming_clusters: [1-9]/.test(await stats()), 60_000),
    async warm() {
      const begin = performance.now();
      const whole = async () => {
        const text = await stats();
        return text.includes(`active_clusters: ${count + 1}`) && text.includes('warming_clusters: 0');
      };
      await until('all are warm', whole, 120_000);
      const level = server.levels()[0];
      t.comment(
        `${Math.round(performance.now() - begin)} ms: ${level?.streams} streams on ${level?.connections} connections`,
      );
    },
  };
}

/**
 * Envoy's own limit on requests at once, 1,024, would keep it from opening a new stream for each cluster
 * beside the old ones.
 */
function xdsCluster(port: number) {
  const options = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  const [max_requests, max_pending_requests] = [10_000, 10_000];
  return {
    ...({ name: 'xds', type: 'STATIC', connect_timeout: '1s' } as const),
    circuit_breakers: { thresholds: [{ max_requests, max_pending_requests }] },
    typed_extension_protocol_options: {
      [options]: {
        '@type': `type.googleapis.com/${options}`,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: { ...endpoints('xds', port), '@type': undefined },
  } as NonNullable<NonNullable<Bootstrap['static_resources']>['clusters']>[number];
}

for (const apiType of ['GRPC', 'DELTA_GRPC'] as const)
  t.test(`${apiType}: an Envoy without ADS, with 1,000 clusters`, { timeout: 400_000 }, async (t) => {
    const { put, warming, warm, away, server } = await withoutAds(t, apiType, 1_000);
    await warm();
    t.equal(server.stats.streams, 1_001, 'a stream for each cluster');
    put('2s');
    await warming();
    await warm();
    t.same(
      away.map(({ limit, error }) => `${limit}: ${error.message}`),
      [],
      'nobody is turned away',
    );
  });

t.test('the control: with fewer openings it is refused', { timeout: 120_000 }, async (t) => {
  const { away } = await withoutAds(t, 'GRPC', 200, { openingBurst: 20, openingsPerSecond: 1 });
  await until('it is told', async () => away.some(({ limit }) => limit === 'openings'), 60_000);
  t.match(
    away.find(({ limit }) => limit === 'openings')?.error.message,
    /^streams are opened faster than 1 a second/,
  );
});
