import t from 'tap';
import { createXdsServer, type ResourceJson } from '../../src/xds/xds.ts';
import { typeUrl } from '../support/clients/xds-client.ts';
import { answering, fetchText, startEnvoy } from '../support/envoys/proxied.ts';
import { until } from '../support/mesh.ts';

// Never a second response of a type before the first is answered: so an Envoy must answer each one, whatever
// becomes of its clusters. It keeps the ACK of its clusters back while one of them warms.
const ads = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };
const cluster = (name: string, more: object = {}) => ({
  '@type': typeUrl('CDS'),
  name,
  type: 'EDS',
  connect_timeout: '1s',
  eds_cluster_config: { eds_config: ads },
  ...more,
});
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
const check = {
  health_checks: [
    {
      ...{ timeout: '0.5s', interval: '1s', unhealthy_threshold: 2, healthy_threshold: 1 },
      http_health_check: { path: '/' },
    },
  ],
};

for (const apiType of ['GRPC', 'DELTA_GRPC'] as const) {
  t.test(`a real Envoy answers each response, ${apiType}`, { timeout: 120_000 }, async (t) => {
    // Long enough that nothing below can rest on it.
    const server = createXdsServer({ answerWaitMsMax: 600_000 });
    const xdsPort = await server.listen('127.0.0.1:0');
    const upstream = await answering('a');
    const put = (...resources: ResourceJson[]) => server.upsert('envoy', resources);
    put(cluster('a'), endpoints('a', upstream.port));
    const envoy = await startEnvoy('envoy', xdsPort, apiType);
    t.teardown(async () => {
      await envoy.stop();
      await server.close();
      upstream.server.closeAllConnections();
      upstream.server.close();
    });
    const settled = (what: string, revision: number) =>
      until(what, () => server.isConfirmed(revision) && server.stats.streams === 1);
    const active = () => envoy.admin('/config_dump?resource=dynamic_active_clusters');
    const warming = () => envoy.admin('/stats?filter=warming_clusters');
    await settled('the first state', put(cluster('a')).revision);

    await t.test('a cluster without endpoints', async (t) => {
      const { revision } = put(cluster('lost'));
      // Delta says that they do not exist, and Envoy goes on. State of the World cannot say it, and this
      // Envoy was told to wait for them for ever (`initial_fetch_timeout: 0s`): what is newer waits too, but
      // for the endpoints.
      if (apiType === 'DELTA_GRPC') await settled('it is ACKed', revision);
      else await until('it warms', async () => /warming_clusters: 1/.test(await warming()));
      put(cluster('lost', { connect_timeout: '2s' }));
      await settled('all is ACKed when they come', put(endpoints('lost', upstream.port)).revision);
      await until('it is active', async () => (await active()).includes('"connect_timeout": "2s"'));
      const own = { eds_cluster_config: { eds_config: { ...ads, initial_fetch_timeout: '0.5s' } } };
      await settled('else when it stops waiting', put(cluster('never', own)).revision);
      t.equal(server.stats.nacks, 0);
    });

    await t.test('a cluster whose hosts do not pass their checks', async (t) => {
      const dead = await answering('dead');
      dead.server.close();
      put(cluster('dead', check), endpoints('dead', dead.port));
      await new Promise((resolve) => setImmediate(resolve));
      // While it warms, more is to come of it and of others.
      put(cluster('dead', { ...check, connect_timeout: '2s' }), cluster('a', { connect_timeout: '3s' }));
      await settled('all is ACKed', put(cluster('a', { connect_timeout: '4s' })).revision);
      t.match(await active(), /"connect_timeout": "4s"/);
    });

    await t.test('500 changes, as fast as they come', async (t) => {
      let revision = 0;
      const before = server.stats.pushes;
      for (let i = 1; i <= 500; i += 1) {
        const gone = { remove: { typeUrl: typeUrl('CDS'), name: `extra-${i - 1}` } };
        const added = [{ upsert: cluster(`extra-${i}`) }, { upsert: endpoints(`extra-${i}`, upstream.port) }];
        const changed = { upsert: cluster('a', { connect_timeout: `${i}s` }) };
        revision = server.apply('envoy', [gone, ...added, changed]).revision;
        // Its answers are read meanwhile.
        await new Promise((resolve) => setTimeout(resolve, i % 50 === 0 ? 20 : 0));
        const { pushes, acks } = server.stats;
        if (pushes - acks > 2) t.fail(`${pushes - acks} in flight, of clusters and endpoints`);
      }
      await settled('the last is ACKed', revision);
      const { pushes } = server.stats;
      t.comment(`${pushes - before} responses`);
      t.match(await active(), /"connect_timeout": "500s"/);
      t.match(await warming(), /warming_clusters: 0/);
    });
    t.equal(server.stats.outOfTurn, 0);
    t.equal(server.stats.nacks, 0);
    const { pushes, acks } = server.stats;
    t.equal(acks, pushes, 'each response was answered');
    t.equal((await fetchText(upstream.port)).status, 200);
  });
}
