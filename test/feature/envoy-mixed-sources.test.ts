import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { createXdsServer } from '../../src/xds/xds.ts';
import { typeUrl } from '../support/clients/xds-client.ts';
import { startEnvoy } from '../support/envoys/proxied.ts';
import { until } from '../support/mesh.ts';

// An Envoy with clusters from elsewhere, here a file, and endpoints by ADS. A changed cluster warms until its
// endpoints come again: Envoy asks for them by a request that repeats the newest nonce and the same names.
// Without a response the cluster is never in use, or without endpoints after `initial_fetch_timeout`.

const ads = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' } as const;
const folder = mkdtempSync(join(tmpdir(), 'isthmus-clusters-'));
const file = join(folder, 'clusters.json');

/** Replaces the file as Envoy watches it: by a rename. */
function save(timeout: string): void {
  const cluster = {
    '@type': typeUrl('CDS'),
    name: 'a',
    type: 'EDS',
    connect_timeout: timeout,
    eds_cluster_config: { eds_config: ads },
  };
  writeFileSync(join(folder, 'next'), JSON.stringify({ version_info: timeout, resources: [cluster] }));
  renameSync(join(folder, 'next'), file);
}

t.test('a cluster from a file that changes is in use again, its endpoints by ADS', async (t) => {
  const server = createXdsServer();
  const port = await server.listen('127.0.0.1:0');
  const endpoints = { '@type': typeUrl('EDS'), cluster_name: 'a', endpoints: [] };
  server.upsert('envoy', [endpoints]);
  save('1s');
  const envoy = await startEnvoy('envoy', port, 'GRPC', {
    dynamic_resources: {
      ads_config: {
        api_type: 'GRPC',
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
      },
      cds_config: { path_config_source: { path: file }, resource_api_version: 'V3' },
    },
  });
  t.teardown(async () => {
    await envoy.stop();
    await server.close();
    rmSync(folder, { recursive: true });
  });
  const isActive = async (timeout: string) =>
    (await envoy.admin('/config_dump?resource=dynamic_active_clusters')).includes(
      `"connect_timeout": "${timeout}"`,
    );
  await until('it has its cluster', () => isActive('1s'), 20_000);
  for (const timeout of ['2s', '3s', '4s']) {
    save(timeout);
    await until(`the cluster is in use with ${timeout}`, () => isActive(timeout), 20_000);
  }
});
