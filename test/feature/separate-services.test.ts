import { Client, credentials } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { decodeJson, encodeJson, type ResourceJson } from '../../src/xds/codec/codec.ts';
import { discoveryMethods } from '../../src/xds/services/discovery-methods.ts';
import { createXdsServer, type XdsServerOptions } from '../../src/xds/xds.ts';
import { connectXds, typeUrl, type XdsClient } from '../support/clients/xds-client.ts';

/** A resource of each type; `content` tells one version from another. */
const resources: Readonly<Record<string, (content: string) => object>> = {
  CDS: (content) => ({ name: 'a', alt_stat_name: content }),
  EDS: (content) => ({ cluster_name: 'a', endpoints: [{ locality: { zone: content } }] }),
  LDS: (content) => ({ name: 'a', stat_prefix: content }),
  RDS: (content) => ({ name: 'a', request_headers_to_remove: [content] }),
  SRDS: (content) => ({ name: 'a', route_configuration_name: content }),
  VHDS: (content) => ({ name: 'a', domains: [content] }),
  ECDS: (content) => ({
    name: 'a',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
      dynamic_stats: content === 'v1',
    },
  }),
  SDS: (content) => ({ name: 'a', generic_secret: { secret: { inline_string: content } } }),
  RTDS: (content) => ({ name: 'a', layer: { content } }),
};

const made = (short: string, content: string) =>
  ({ '@type': typeUrl(short), ...resources[short]?.(content) }) as ResourceJson;

async function serve(t: Test, options: XdsServerOptions = {}) {
  const server = createXdsServer(options);
  const address = `127.0.0.1:${await server.listen('127.0.0.1:0')}`;
  for (const short of Object.keys(resources)) server.upsert('n', [made(short, 'v1')]);
  const clients: XdsClient[] = [];
  t.teardown(async () => {
    for (const client of clients) client.close();
    await server.close();
  });
  const connect = (path: string, protocol: 'sotw' | 'delta') => {
    const client = connectXds(address, protocol, { id: 'n' }, credentials.createInsecure(), path);
    clients.push(client);
    return client;
  };
  return { server, address, connect };
}

const shortOf = (url: string | undefined) =>
  Object.keys(resources).find((short) => typeUrl(short) === url) ?? '';
const separate = discoveryMethods.filter(({ only, once }) => only !== undefined && !once);

t.test('each type has a service, with both protocols if the protocol has them', async (t) => {
  t.equal(separate.length, 17, 'VHDS is Delta alone');
  t.same([...new Set(separate.map(({ only }) => shortOf(only)))].sort(), Object.keys(resources).sort());
});

for (const { path, protocol, only } of separate) {
  const short = shortOf(only);
  t.test(`${path}: first state, change, ACK`, async (t) => {
    const { server, connect } = await serve(t);
    const client = connect(path, protocol);
    const names = protocol === 'sotw' ? { resource_names: ['a'] } : { resource_names_subscribe: ['a'] };
    // The type goes without saying.
    client.send('', names);
    const first = await client.next();
    t.equal(first.type_url, only);
    t.equal(first.resources?.length, 1);
    client.ack(first, ['a']);
    server.upsert('n', [made(short, 'v2')]);
    const second = await client.next();
    t.match(JSON.stringify(second.resources), short === 'ECDS' ? '"name":"a"' : 'v2');
    client.ack(second, ['a']);
    while (server.stats.acks < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    t.match(server.status(), [{ only, protocol, types: [{ type: short, state: 'SYNCED' }] }]);
  });
}

t.test('a service serves no type but its own', async (t) => {
  const { connect } = await serve(t);
  for (const { path, protocol } of [separate[0], separate[1]] as {
    path: string;
    protocol: 'sotw' | 'delta';
  }[]) {
    const client = connect(path, protocol);
    client.send('EDS');
    t.match(await client.ended, {
      code: 3,
      details: /ClusterLoadAssignment.* is not served by this service/,
    });
  }
});

t.test('Fetch: the current resources, once', async (t) => {
  const { server, address } = await serve(t);
  const client = new Client(address, credentials.createInsecure());
  t.teardown(() => client.close());
  const fetch = (path: string, request: object) =>
    new Promise<Record<string, unknown>>((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        (json: object) => Buffer.from(encodeJson('envoy.service.discovery.v3.DiscoveryRequest', json)),
        (bytes: Buffer) => decodeJson('envoy.service.discovery.v3.DiscoveryResponse', bytes),
        request,
        (error, answer) => (error === null ? resolve(answer as Record<string, unknown>) : reject(error)),
      );
    });
  const node = { id: 'n' };
  const once = discoveryMethods.filter((method) => method.once);
  t.equal(once.length, 8);
  for (const { path, only } of once) {
    const answer = await fetch(path, { node, resource_names: ['a', 'none'] });
    t.match(answer, { type_url: only, resources: [{ '@type': only }] });
    t.equal((answer.resources as unknown[]).length, 1);
  }
  const clusters = '/envoy.service.cluster.v3.ClusterDiscoveryService/FetchClusters';
  t.match(await fetch(clusters, { node }), { resources: [{ name: 'a' }] });
  const endpoints = '/envoy.service.endpoint.v3.EndpointDiscoveryService/FetchEndpoints';
  t.notOk(
    'resources' in (await fetch(endpoints, { node, resource_names: ['none'] })),
    'there is no such name',
  );
  await t.rejects(fetch(endpoints, { node }), { code: 3, details: /must name them/ });
  await t.rejects(fetch(clusters, {}), { code: 3, details: /must have a node/ });
  while (server.stats.streams > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  t.same(server.status(), []);
});

for (const protocol of ['sotw', 'delta'] as const)
  t.test(`${protocol}: type URLs that are none of resources end the stream, by name`, async (t) => {
    const { connect } = await serve(t);
    const ads =
      discoveryMethods.find((one) => one.protocol === protocol && one.only === undefined)?.path ?? '';
    for (const url of [
      'type.googleapis.com/envoy.config.cluster.v3.Cluster.CommonLbConfig',
      'type.googleapis.com/envoy.config.core.v3.Node',
      'type.googleapis.com/google.protobuf.Any',
      'type.googleapis.com/envoy.service.discovery.v3.DiscoveryRequest',
      'envoy.config.cluster.v3.Cluster',
      'type.example.com/envoy.config.cluster.v3.Cluster',
    ]) {
      const client = connect(ads, protocol);
      client.send(url);
      const { code, details } = await client.ended;
      t.equal(code, 3);
      t.match(details, `'${url}' is not served: it is not a resource type`);
    }
  });

t.test('nor can they be applied', async (t) => {
  const { server } = await serve(t);
  const router = { '@type': 'type.googleapis.com/envoy.config.core.v3.TransportSocket', name: 'a' };
  const words = { code: 'invalid', message: /TransportSocket' is not a resource type that is served/ };
  t.throws(() => server.upsert('n', [router as ResourceJson]), words);
  t.throws(() => server.remove('n', router['@type'], ['a']), words);
});
