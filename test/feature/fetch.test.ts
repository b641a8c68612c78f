import t, { type Test } from 'tap';
import { serveAdmin } from '../../src/api/admin-server.ts';
import type { SidecarScope } from '../../src/model/node.ts';
import type { ResourceJson } from '../../src/xds/codec/codec.ts';
import { createXdsServer } from '../../src/xds/xds.ts';
import { framed, methods, nodeOf, openHttp2, sotwRequest } from '../support/attacks/call.ts';
import { connectRaw, frameTypes } from '../support/attacks/raw.ts';
import { connectXds, typeUrl, type XdsClient, type XdsResponse } from '../support/clients/xds-client.ts';
import { get, startMesh, until } from '../support/mesh.ts';
import { groupYaml, idcYaml } from '../support/objects-yaml.ts';

// A Fetch acknowledges nothing, and its node is no client that has left.

const fetchClusters = '/envoy.service.cluster.v3.ClusterDiscoveryService/FetchClusters';
const scope: SidecarScope = {
  ...{ role: 'sidecar', idc: 'sh-a', namespace: 'shop' },
  outbound: { address: '127.0.0.1', port: 15001 },
};

/** Sends a State of the World request, and leaves when there is a response: how the call ended. */
async function askOnce(t: Test, path: string, id: string, port: number): Promise<string> {
  const connection = openHttp2({ address: '127.0.0.1', port });
  t.teardown(() => connection.close());
  const call = connection.call(path);
  await call.send(sotwRequest({ node: nodeOf(id, scope) }));
  await until('it is answered', async () => call.hasAnswer() || call.hasEnded());
  if (path !== fetchClusters) call.cancel();
  return call.ended;
}

const versionsOf = ({ resources = [] }: XdsResponse) =>
  Object.fromEntries(resources.map(({ name, version }) => [name as string, version]));

/** Takes and acknowledges clusters and endpoints; what the next stream may say that it has. */
async function takeAll(client: XdsClient, names: readonly string[]) {
  client.send('CDS', { resource_names_subscribe: ['*'] });
  const clusters = await client.next();
  client.ack(clusters);
  client.send('EDS', { resource_names_subscribe: names });
  const endpoints = await client.next();
  client.ack(endpoints);
  return { clusters: versionsOf(clusters), endpoints: versionsOf(endpoints) };
}

/** A node has all, leaves, and comes back; something is asked meanwhile in its name. What is it sent? */
async function whoComesBack(t: Test, path: string) {
  const server = createXdsServer({ classOf: () => 'k' });
  server.upsert('k', [
    { '@type': typeUrl('CDS'), name: 'a', type: 'EDS' } as ResourceJson,
    { '@type': typeUrl('EDS'), cluster_name: 'a' } as ResourceJson,
  ]);
  const port = await server.listen('127.0.0.1:0');
  const clients: XdsClient[] = [];
  t.teardown(async () => {
    for (const client of clients) client.close();
    await server.close(0);
  });
  const connect = () => {
    const client = connectXds(`127.0.0.1:${port}`, 'delta', { id: 'n' });
    clients.push(client);
    return client;
  };
  const first = connect();
  const had = await takeAll(first, ['a']);
  await until('it has acknowledged both', async () => server.stats.acks === 2);
  first.close();
  await until('it has left', async () => server.stats.streams === 0);
  await askOnce(t, path, 'n', port);
  await until('no stream is open', async () => server.stats.streams === 0);
  const { unsettled } = server.kept();
  const again = connect();
  again.send('CDS', { resource_names_subscribe: ['*'], initial_resource_versions: had.clusters });
  const clusters = await again.next();
  again.ack(clusters);
  again.send('EDS', { resource_names_subscribe: ['a'], initial_resource_versions: had.endpoints });
  // Whatever its endpoints bring comes before the answer to this.
  again.send('SDS', { resource_names_subscribe: ['none'] });
  const next = await again.next();
  return { unsettled, clusters: versionsOf(clusters), next: next.type_url, endpoints: versionsOf(next) };
}

t.test('what a returning client has is not sent again because of a Fetch', async (t) => {
  t.match(await whoComesBack(t, fetchClusters), { unsettled: 0, clusters: {}, next: typeUrl('SDS') });
  const control = await whoComesBack(t, methods.sotw);
  t.equal(control.unsettled, 1, 'the control: a stream that left without an ACK');
  t.equal(control.next, typeUrl('EDS'));
  t.same(Object.keys(control.endpoints), ['a']);
});

t.test('a Fetch that is not read holds nothing up, and is in no list of clients', async (t) => {
  const opened: string[] = [];
  const server = createXdsServer({
    classOf: () => 'k',
    onStreamOpen: ({ node }) => void opened.push(`open ${node.id}`),
    onStreamClose: ({ node }) => void opened.push(`close ${node.id}`),
  });
  const cluster = (text: string) =>
    ({ '@type': typeUrl('CDS'), name: 'a', alt_stat_name: text.repeat(2 ** 20) }) as ResourceJson;
  server.upsert('k', [cluster('x')]);
  const port = await server.listen('127.0.0.1:0');
  const raw = await connectRaw({ address: '127.0.0.1', port });
  t.teardown(async () => {
    raw.socket.destroy();
    await server.close(0);
  });
  // SETTINGS_INITIAL_WINDOW_SIZE: 0.
  raw.frame(frameTypes.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]));
  raw.open(1, fetchClusters);
  raw.frame(frameTypes.data, 1, 1, framed(sotwRequest({ node: nodeOf('look', scope) })));
  await until('it is answered', async () => server.stats.pushes === 1);
  const { revision } = server.upsert('k', [cluster('y')]);
  t.equal(server.stats.streams, 1, 'it counts as a stream');
  t.ok(server.isConfirmed(revision));
  t.same(server.unconfirmed(revision), []);
  t.same(server.status(), []);
  raw.socket.destroy();
  await until('it is gone', async () => server.stats.streams === 0);
  t.same(opened, []);
  t.equal(server.kept().classes, 1);
});

t.test('a control plane counts no proxy for it, and waits for none', async (t) => {
  const mesh = await startMesh('sh-a', { 'idc.yaml': idcYaml, 'g.yaml': groupYaml('g') });
  const admin = await serveAdmin(mesh.plane, { address: '127.0.0.1', port: 0 }, undefined);
  const { port } = mesh.plane.xds;
  const proxy = connectXds(`127.0.0.1:${port}`, 'delta', { id: 'proxy', metadata: { isthmus: scope } });
  t.teardown(async () => {
    proxy.close();
    await admin.close();
    await mesh.close();
  });
  const seen = async () => {
    const page = await get({ address: '127.0.0.1', port: admin.port }, '/metrics');
    const of = (metric: string) => {
      const line = page.body.split('\n').find((one) => one.startsWith(metric)) ?? '';
      return Number(line.split(' ').at(-1));
    };
    const level = (name: string) => of(`isthmus_xds_level{of="${name}"`);
    return {
      ...{ proxies: of('isthmus_proxies{role="sidecar"'), gone: level('goneNodes') },
      ...{ awaited: level('awaitedNodes'), unsettled: level('unsettled'), streams: level('streams') },
    };
  };
  await until('it is ready', () => mesh.plane.readiness().ready);
  await takeAll(proxy, ['instances/g.shop:80']);
  t.equal(await askOnce(t, fetchClusters, 'look', port), 'status 0: OK');
  t.equal(await askOnce(t, fetchClusters, 'proxy', port), 'status 0: OK');
  await until('one stream is left', async () => (await seen()).streams === 1);
  t.match(await seen(), { proxies: 1, gone: 0, awaited: 0, unsettled: 0 });
  t.match(mesh.plane.status(), { proxies: [{ id: 'proxy' }], gone: [] });
  proxy.close();
  await until('the proxy is gone', async () => (await seen()).gone === 1);
  const [gone] = mesh.plane.status().gone;
  await askOnce(t, fetchClusters, 'look', port);
  await askOnce(t, fetchClusters, 'proxy', port);
  await until('no stream is left', async () => (await seen()).streams === 0);
  t.match(await seen(), { proxies: 0, gone: 1, awaited: 1, unsettled: 0 }, 'the proxy is, as before');
  const [still, ...others] = mesh.plane.status().gone;
  t.same(others, []);
  t.equal(still?.id, 'proxy');
  t.ok((still?.goneForMs ?? 0) > (gone?.goneForMs ?? 0), 'since it left');
});
