import t, { type Test } from 'tap';
import { decodeJson, encodeJson, type ResourceJson } from '../../src/xds/codec/codec.ts';
import { createXdsServer, type XdsServerOptions } from '../../src/xds/xds.ts';
import { connectRaw } from '../support/clients/grpc-call.ts';
import { connectXds, typeUrl, type XdsClient } from '../support/clients/xds-client.ts';

const csds = '/envoy.service.status.v3.ClientStatusDiscoveryService';

const cluster = (name: string, content = 'v1') =>
  ({ '@type': typeUrl('CDS'), name, alt_stat_name: content }) as ResourceJson;
const assignment = (name: string, zone = 'v1') =>
  ({ '@type': typeUrl('EDS'), cluster_name: name, endpoints: [{ locality: { zone } }] }) as ResourceJson;

interface Resource {
  readonly type_url: string;
  readonly name: string;
  readonly version_info?: string;
  readonly xds_config?: Record<string, unknown>;
  readonly last_updated?: string;
  readonly config_status: string;
  readonly client_status: string;
  readonly error_state?: Record<string, unknown>;
}
type Config = { readonly node: { readonly id: string }; readonly generic_xds_configs?: readonly Resource[] };

async function serve(t: Test, options: XdsServerOptions = {}) {
  const server = createXdsServer({ classOf: () => 'k', ...options });
  const address = `127.0.0.1:${await server.listen('127.0.0.1:0')}`;
  const raw = connectRaw(address);
  const clients: XdsClient[] = [];
  t.teardown(async () => {
    for (const client of [...clients, raw]) client.close();
    await server.close();
  });
  const fetch = async (request: object = {}): Promise<readonly Config[]> => {
    const bytes = encodeJson('envoy.service.status.v3.ClientStatusRequest', request);
    const answer = await raw.unary(`${csds}/FetchClientStatus`, bytes);
    const { config = [] } = decodeJson('envoy.service.status.v3.ClientStatusResponse', answer) as {
      config?: readonly Config[];
    };
    return config;
  };
  return {
    server,
    raw,
    fetch,
    connect(node: object) {
      const client = connectXds(address, 'delta', node);
      clients.push(client);
      return client;
    },
    /** Each resource of the only client, as `TYPE NAME STATUS CLIENT-STATUS`. */
    async told() {
      const [config] = await fetch();
      return (config?.generic_xds_configs ?? []).map(
        ({ type_url, name, config_status, client_status }) =>
          `${type_url.split('.').at(-1)} ${name} ${config_status} ${client_status}`,
      );
    },
  };
}

t.test('each resource of a client, from the subscription to a NACK and its correction', async (t) => {
  const { server, connect, told, fetch } = await serve(t);
  server.upsert('k', [cluster('a'), assignment('a'), assignment('b')]);
  const client = connect({ id: 'n', metadata: { role: 'edge' } });
  client.send('CDS', { resource_names_subscribe: ['*'] });
  const clusters = await client.next();
  t.same(await told(), ['Cluster a STALE REQUESTED']);
  client.ack(clusters);
  client.send('EDS', { resource_names_subscribe: ['a', 'b', 'none'] });
  const endpoints = await client.next();
  t.same(await told(), [
    'Cluster a SYNCED ACKED',
    'ClusterLoadAssignment a STALE REQUESTED',
    'ClusterLoadAssignment b STALE REQUESTED',
    'ClusterLoadAssignment none NOT_SENT DOES_NOT_EXIST',
  ]);
  client.ack(endpoints);
  server.upsert('k', [assignment('b', 'bad')]);
  client.nack(await client.next(), 'no such zone');
  const all = [
    'Cluster a SYNCED ACKED',
    'ClusterLoadAssignment a SYNCED ACKED',
    'ClusterLoadAssignment b ERROR NACKED',
    'ClusterLoadAssignment none NOT_SENT DOES_NOT_EXIST',
  ];
  t.same(await told(), all);
  const [config] = await fetch();
  t.match(config, { node: { id: 'n', metadata: { role: 'edge' } } });
  const [, a, b] = config?.generic_xds_configs ?? [];
  t.match(a, { xds_config: { '@type': typeUrl('EDS'), cluster_name: 'a' }, version_info: /^[0-9a-f]{16}$/ });
  t.notOk(a?.error_state);
  t.match(b, {
    xds_config: { endpoints: [{ locality: { zone: 'bad' } }] },
    error_state: {
      details: 'no such zone',
      version_info: b?.version_info,
      failed_configuration: { endpoints: [{ locality: { zone: 'bad' } }] },
    },
  });
  const age = Date.now() - Date.parse(String(a?.last_updated));
  t.ok(age >= -1_000 && age < 60_000, `${age} ms ago`);
  server.upsert('k', [assignment('b', 'good')]);
  client.ack(await client.next());
  t.same((await told())[2], 'ClusterLoadAssignment b SYNCED ACKED');
});

t.test('selecting nodes: by id, by metadata, any of several', async (t) => {
  const { server, connect, fetch } = await serve(t);
  server.upsert('k', [cluster('a')]);
  for (const id of ['edge-1', 'edge-2', 'caller-1']) {
    const client = connect({ id, metadata: { isthmus: { role: id.split('-')[0], well: true } } });
    client.send('CDS');
    await client.next();
  }
  const ids = async (...node_matchers: object[]) =>
    (await fetch({ node_matchers })).map(({ node }) => node.id).sort();
  const role = (value: object) => ({
    node_metadatas: [{ path: [{ key: 'isthmus' }, { key: 'role' }], value }],
  });
  t.same(await ids(), ['caller-1', 'edge-1', 'edge-2']);
  t.same(await ids({ node_id: { exact: 'edge-2' } }), ['edge-2']);
  t.same(await ids({ node_id: { prefix: 'EDGE', ignore_case: true } }), ['edge-1', 'edge-2']);
  t.same(await ids({ node_id: { suffix: '-1' } }), ['caller-1', 'edge-1']);
  t.same(await ids({ node_id: { contains: 'all' } }, { node_id: { exact: 'edge-1' } }), [
    'caller-1',
    'edge-1',
  ]);
  t.same(await ids(role({ string_match: { exact: 'caller' } })), ['caller-1']);
  t.same(await ids({ ...role({ string_match: { exact: 'edge' } }), node_id: { suffix: '1' } }), ['edge-1']);
  t.same(await ids(role({ present_match: false })), []);
  const well = { path: [{ key: 'isthmus' }, { key: 'well' }], value: { bool_match: true } };
  t.equal((await ids({ node_metadatas: [well] })).length, 3);
  await t.rejects(ids({ node_id: { safe_regex: { regex: '(a+)+$' } } }), {
    code: 3,
    details: /matched by exact, prefix, suffix or contains/,
  });
  const many = (count: number) => Array.from({ length: count }, () => ({ node_id: { exact: 'edge-1' } }));
  t.same(await ids(...many(100)), ['edge-1']);
  await t.rejects(ids(...many(101)), { code: 3, details: /have 101 conditions: at most 100 are tried/ });
  await t.rejects(ids({ node_metadatas: [{ ...well, path: Array(100).fill({ key: 'a' }) }] }), { code: 3 });
  await t.rejects(ids({ node_id: { exact: 'x'.repeat(17_000) } }), {
    code: 3,
    details: /at most 16384 are read/,
  });
});

t.test('without contents; and never those of secrets', async (t) => {
  const { server, connect, fetch } = await serve(t);
  const secret = {
    '@type': typeUrl('SDS'),
    name: 's',
    generic_secret: { secret: { inline_string: 'hush' } },
  };
  server.upsert('k', [cluster('a'), secret as ResourceJson]);
  const client = connect({ id: 'n' });
  client.send('CDS');
  await client.next();
  client.send('SDS', { resource_names_subscribe: ['s'] });
  client.nack(await client.next(), 'bad key');
  while (server.stats.nacks === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const [whole] = await fetch();
  t.match(whole?.generic_xds_configs, [
    { name: 'a', xds_config: { name: 'a' } },
    { name: 's', config_status: 'ERROR', error_state: { details: 'bad key' } },
  ]);
  t.notMatch(JSON.stringify(whole), 'hush');
  const [bare] = await fetch({ exclude_resource_contents: true });
  t.same(
    bare?.generic_xds_configs?.map(({ name, xds_config }) => [name, xds_config]),
    [
      ['a', undefined],
      ['s', undefined],
    ],
  );
});

t.test('streams of one node on one connection are one client, those on others are others', async (t) => {
  const { connect, fetch, server, raw } = await serve(t);
  server.upsert('k', [cluster('a'), assignment('a')]);
  const ask = (path: string, names: readonly string[]) => {
    const request = { node: { id: 'n' }, resource_names_subscribe: names };
    const bytes = encodeJson('envoy.service.discovery.v3.DeltaDiscoveryRequest', request);
    return raw.open(`/envoy.service.${path}`, bytes).next();
  };
  await ask('cluster.v3.ClusterDiscoveryService/DeltaClusters', []);
  await ask('endpoint.v3.EndpointDiscoveryService/DeltaEndpoints', ['a']);
  t.equal(server.stats.streams, 2);
  const [config, ...more] = await fetch();
  t.match(config, { node: { id: 'n' }, generic_xds_configs: { length: 2 } });
  t.same(more, []);
  const other = connect({ id: 'n' });
  other.send('CDS');
  await other.next();
  t.same(
    (await fetch()).map(({ generic_xds_configs = [] }) => generic_xds_configs.length),
    [2, 1],
  );
});

t.test('a response that would be too large is refused with a reason', async (t) => {
  const { server, connect, fetch } = await serve(t);
  server.upsert(
    'k',
    Array.from({ length: 11_000 }, (_, i) => cluster(`c${i}`)),
  );
  for (const id of ['one', 'two']) {
    const client = connect({ id });
    client.send('CDS');
    await client.next();
  }
  await t.rejects(fetch(), {
    code: 8,
    details: /more than 20000 resources: match fewer nodes by node_matchers/,
  });
  const [one] = await fetch({ node_matchers: [{ node_id: { exact: 'one' } }] });
  t.equal(one?.generic_xds_configs?.length, 11_000);
});

t.test('with tools: false they are off', async (t) => {
  const { fetch, raw } = await serve(t, { tools: false });
  await t.rejects(fetch(), { code: 12 });
  const reflected = raw.stream('/grpc.reflection.v1.ServerReflection/ServerReflectionInfo');
  t.match(await reflected.ended, { code: 12 });
});
