import t, { type Test } from 'tap';
import { createXdsServer, type ResourceJson } from '../../src/xds/xds.ts';
import { typeUrl } from '../support/clients/xds-client.ts';
import { startEnvoy } from '../support/envoys/proxied.ts';
import { type Relay, startRelay } from '../support/envoys/relay.ts';
import { until } from '../support/mesh.ts';

// An Envoy that loses its server while a cluster warms: it asks the next server for no clusters until the
// endpoints have come, which it reports to have (istio 31943, envoy 9934).

const ads = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };
const cluster = (name: string, timeout = '1s') => ({
  '@type': typeUrl('CDS'),
  name,
  type: 'EDS',
  connect_timeout: timeout,
  eds_cluster_config: { eds_config: ads },
});
const endpoints = (name: string) => ({ '@type': typeUrl('EDS'), cluster_name: name, endpoints: [] });
const countOf = (relay: Relay, type: string) =>
  relay.responses
    .filter(({ type_url }) => type_url === typeUrl(type))
    .reduce((sum, { resources = [] }) => sum + resources.length, 0);

/** An Envoy behind a relay, in front of two servers with the same state, and with one cluster. */
async function start(t: Test, apiType: 'GRPC' | 'DELTA_GRPC') {
  const [one, two] = [createXdsServer(), createXdsServer()];
  const [first, second] = [await one.listen('127.0.0.1:0'), await two.listen('127.0.0.1:0')];
  const put = (...resources: ResourceJson[]) => [one, two].map((server) => server.upsert('envoy', resources));
  put(cluster('a'), endpoints('a'));
  const relay = await startRelay(apiType === 'GRPC' ? 'sotw' : 'delta', first);
  const envoy = await startEnvoy('envoy', relay.port, apiType);
  t.teardown(async () => {
    await envoy.stop();
    relay.close();
    await Promise.all([one.close(), two.close()]);
  });
  const isActive = async (text: string) =>
    (await envoy.admin('/config_dump?resource=dynamic_active_clusters')).includes(text);
  const warming = async (count: number) =>
    (await envoy.admin('/stats?filter=warming_clusters')).includes(`warming_clusters: ${count}`);
  await until('it has its cluster', () => isActive('"connect_timeout": "1s"'), 20_000);
  return { two, second, put, relay, isActive, warming };
}

for (const apiType of ['GRPC', 'DELTA_GRPC'] as const) {
  t.test(`a cluster that warms without endpoints goes on at another server, ${apiType}`, async (t) => {
    const { second, put, relay, isActive, warming } = await start(t, apiType);
    relay.withhold(typeUrl('EDS'));
    put(cluster('a', '2s'));
    await until('it warms', () => warming(1));
    relay.moveTo(second);
    await until('it is in use', () => isActive('"connect_timeout": "2s"'), 20_000);
    t.not(relay.requests[0]?.type_url, typeUrl('CDS'), 'it did not ask for clusters first');
    put(cluster('b'), endpoints('b'));
    await until('what comes next arrives', () => isActive('"name": "b"'), 20_000);
    t.ok(await warming(0));
  });
}

t.test('a cluster that warms, and that the other server has no more', async (t) => {
  const { two, second, put, relay, isActive, warming } = await start(t, 'DELTA_GRPC');
  relay.withhold(typeUrl('EDS'));
  put(cluster('a', '2s'));
  await until('it warms', () => warming(1));
  two.remove('envoy', typeUrl('CDS'), ['a']);
  two.remove('envoy', typeUrl('EDS'), ['a']);
  relay.moveTo(second);
  await until('it is gone', async () => !(await isActive('"name": "a"')) && (await warming(0)), 20_000);
  two.upsert('envoy', [cluster('b'), endpoints('b')]);
  await until('what comes next arrives', () => isActive('"name": "b"'), 20_000);
});

t.test('an Envoy whose clusters are warm asks for them first, and is sent nothing again', async (t) => {
  const { second, put, relay, isActive } = await start(t, 'DELTA_GRPC');
  relay.moveTo(second);
  await until('it is back', () => relay.requests.some(({ type_url }) => type_url === typeUrl('EDS')), 20_000);
  put(cluster('b'), endpoints('b'));
  await until('what comes next arrives', () => isActive('"name": "b"'), 20_000);
  t.equal(relay.requests[0]?.type_url, typeUrl('CDS'));
  t.equal(countOf(relay, 'EDS'), 1, 'those of b');
});
