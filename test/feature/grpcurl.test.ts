import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';
import { createXdsServer, type ResourceJson } from '../../src/xds/xds.ts';
import { goTool } from '../support/built-tools.ts';
import { connectXds, typeUrl } from '../support/clients/xds-client.ts';

// grpcurl knows nothing of Envoy's API: what it shows it has from reflection.

const grpcurl = goTool('grpcurl');
const skip = grpcurl === undefined ? 'grpcurl is not built (make go-tools)' : false;
const csds = 'envoy.service.status.v3.ClientStatusDiscoveryService';

t.test('grpcurl reads what is served, and what clients have', { skip, timeout: 60_000 }, async (t) => {
  const server = createXdsServer({ ready: false });
  const address = `127.0.0.1:${await server.listen('127.0.0.1:0')}`;
  const client = connectXds(address, 'delta', { id: 'edge-1' });
  t.teardown(async () => {
    client.close();
    await server.close();
  });
  const run = async (...args: string[]) => {
    const { stdout } = await promisify(execFile)(grpcurl ?? '', ['-plaintext', ...args]);
    return stdout;
  };
  const call = async (request: object, method: string) =>
    JSON.parse(await run('-d', JSON.stringify(request), address, method));

  const listed = (await run(address, 'list')).trim().split('\n');
  t.equal(listed.length, 14);
  t.ok(listed.includes(csds));
  for (const service of listed) t.match(await run(address, 'describe', service), /rpc /, service);
  t.match(await run(address, 'describe', 'envoy.config.cluster.v3.Cluster'), /connect_timeout = 4/);

  t.same(await call({}, 'grpc.health.v1.Health/Check'), { status: 'NOT_SERVING' });
  const manager = {
    '@type':
      'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'edge',
    rds: { route_config_name: 'r', config_source: { ads: {} } },
  };
  server.upsert('edge-1', [
    { '@type': typeUrl('CDS'), name: 'a', connect_timeout: '1s' },
    { '@type': typeUrl('CDS'), name: 'b', connect_timeout: '-1s' },
    {
      '@type': typeUrl('LDS'),
      name: 'l',
      filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
    },
  ] as ResourceJson[]);
  server.release();
  t.same(await call({}, 'grpc.health.v1.Health/Check'), { status: 'SERVING' });
  client.send('CDS');
  const words = 'Error adding/updating cluster(s) b: connect_timeout must be positive';
  client.nack(await client.next(), words);
  client.send('LDS');
  client.ack(await client.next());
  while (server.stats.acks < 1) await new Promise((resolve) => setTimeout(resolve, 5));

  const { config } = await call(
    { node_matchers: [{ node_id: { exact: 'edge-1' } }] },
    `${csds}/FetchClientStatus`,
  );
  t.match(config, [
    {
      node: { id: 'edge-1' },
      genericXdsConfigs: [
        { name: 'a', configStatus: 'SYNCED', clientStatus: 'ACKED', xdsConfig: { connectTimeout: '1s' } },
        { name: 'b', configStatus: 'ERROR', clientStatus: 'NACKED', errorState: { details: words } },
        {
          name: 'l',
          configStatus: 'SYNCED',
          // What stands in an Any in an Any is shown as well.
          xdsConfig: { filterChains: [{ filters: [{ typedConfig: { statPrefix: 'edge' } }] }] },
        },
      ],
    },
  ]);
  const streamed = await call({}, `${csds}/StreamClientStatus`);
  const names = (told: typeof config) => told[0].genericXdsConfigs.map(({ name }: { name: string }) => name);
  t.same(names(streamed.config), names(config));
  const fetched = await call(
    { node: { id: 'edge-1' } },
    'envoy.service.cluster.v3.ClusterDiscoveryService/FetchClusters',
  );
  t.match(fetched, { typeUrl: typeUrl('CDS'), resources: [{ name: 'a' }, { name: 'b' }] });
  await t.rejects(run(address, 'describe', 'no.Such'), /no\.Such/);
});
