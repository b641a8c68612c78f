import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import { Client, credentials } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { type Cause, createXdsServer, type XdsServerOptions } from '../../src/xds/xds.ts';
import { connectXds, typeUrl, type XdsClient } from '../support/clients/xds-client.ts';

const cluster = (name: string, content = 'v1') => ({
  '@type': typeUrl('CDS'),
  name,
  alt_stat_name: content,
});
const assignment = (name: string, zone = 'v1') => ({
  '@type': typeUrl('EDS'),
  cluster_name: name,
  endpoints: [{ locality: { zone } }],
});

async function serve(t: Test, options: XdsServerOptions = {}) {
  const server = createXdsServer(options);
  const port = await server.listen('127.0.0.1:0');
  const clients: XdsClient[] = [];
  t.teardown(async () => {
    for (const client of clients) client.close();
    await server.close();
  });
  const connect = (protocol: 'sotw' | 'delta', ...given: [node?: object | undefined]) => {
    const node = given.length === 0 ? { id: 'n' } : given[0];
    const client = connectXds(`127.0.0.1:${port}`, protocol, node);
    clients.push(client);
    return client;
  };
  return { server, port, connect };
}

for (const protocol of ['sotw', 'delta'] as const) {
  t.test(`${protocol}: a change reaches the client, and its ACK comes back timed`, async (t) => {
    const acked = Promise.withResolvers<readonly Cause[]>();
    const onAck = ({ causes }: { causes: readonly Cause[] }) => causes.length > 0 && acked.resolve(causes);
    const { server, connect } = await serve(t, { onAck });
    server.upsert('n', [cluster('a')]);
    const client = connect(protocol);
    client.send('CDS');
    const first = await client.next();
    t.match(first, { type_url: typeUrl('CDS'), resources: [{ name: 'a' }] });
    client.ack(first);
    server.upsert('n', [cluster('a', 'v2')], { at: 42 });
    const second = await client.next();
    t.not(second.nonce, first.nonce);
    client.ack(second);
    t.same(await acked.promise, [{ at: 42 }]);
    t.match(server.status(), [{ node: { id: 'n' }, protocol, types: [{ type: 'CDS', state: 'SYNCED' }] }]);
    t.match(server.stats, { streams: 1, pushes: 2, acks: 2, nacks: 0, streamsTouched: 1 });
  });

  t.test(`${protocol}: a NACK is told with the client's words`, async (t) => {
    const nacked = Promise.withResolvers<string>();
    const { server, connect } = await serve(t, { onNack: ({ message }) => nacked.resolve(message) });
    server.upsert('n', [cluster('a')]);
    const client = connect(protocol);
    client.send('CDS');
    client.nack(await client.next(), 'not that one');
    t.equal(await nacked.promise, 'not that one');
    server.upsert('n', [cluster('a', 'v2')]);
    client.ack(await client.next());
  });

  t.test(`${protocol}: a type that Envoy's API does not have ends the stream, by name`, async (t) => {
    const { connect } = await serve(t);
    const client = connect(protocol);
    client.send('type.googleapis.com/envoy.config.Nonsense');
    t.match(await client.ended, { code: 3, details: /envoy\.config\.Nonsense/ });
  });

  t.test(`${protocol}: a first request must say who asks`, async (t) => {
    const { connect } = await serve(t);
    for (const node of [undefined, {}, { cluster: 'c' }]) {
      const client = connect(protocol, node);
      client.send('CDS');
      t.match(await client.ended, { code: 3, details: /node/ });
    }
  });

  t.test(`${protocol}: a client that stops asking, or goes, leaves nothing behind`, async (t) => {
    const closed = Promise.withResolvers<void>();
    const { server, connect } = await serve(t, { onStreamClose: () => closed.resolve() });
    server.upsert('n', [cluster('a')]);
    const client = connect(protocol);
    client.send('CDS');
    await client.next();
    client.end();
    t.match(await client.ended, { code: 0 });
    await closed.promise;
    t.match(server.stats, { streams: 0 });
    t.same(server.status(), []);
  });
}

t.test('a class is made when its first node comes', async (t) => {
  const { server, connect } = await serve(t, {
    classOf: (node) => node.cluster,
    onUnknownClass: ({ nodeClass }) => server.upsert(nodeClass, [cluster(`for-${nodeClass}`)]),
  });
  const client = connect('delta', { id: 'x', cluster: 'edge' });
  client.send('CDS');
  t.match(await client.next(), { resources: [{ name: 'for-edge' }] });
  t.same(server.classNames(), ['edge']);
  t.throws(() => server.dropClass('edge'), { code: 'conflict' });
});

t.test('nothing is answered before the release', async (t) => {
  const { server, connect } = await serve(t, { ready: false });
  server.upsert('n', [cluster('old')]);
  const client = connect('sotw');
  client.send('CDS');
  const answer = client.next();
  server.set('n', typeUrl('CDS'), [cluster('new')]);
  server.release();
  t.match(await answer, { resources: [{ name: 'new' }] });
});

t.test('set replaces a type; a fault changes nothing', async (t) => {
  const { server } = await serve(t);
  server.set('n', typeUrl('CDS'), [cluster('a'), cluster('b')]);
  t.match(server.set('n', typeUrl('CDS'), [cluster('b'), cluster('c')]), { changed: 2 });
  t.throws(() => server.set('n', typeUrl('CDS'), [assignment('a')]), { code: 'invalid' });
  const bad = { '@type': typeUrl('CDS'), name: 'd', connect_timeout: 'soon' };
  t.throws(() => server.upsert('n', [cluster('e'), bad]), { message: /Cluster\(d\)\.connect_timeout/ });
  t.match(server.remove('n', typeUrl('CDS'), ['e', 'b']), { changed: 1 }, 'e was not put');
});

t.test('bytes that are no request end that stream alone', async (t) => {
  const { server, port, connect } = await serve(t);
  server.upsert('n', [cluster('a')]);
  const good = connect('sotw');
  good.send('CDS');
  good.ack(await good.next());
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  t.teardown(() => client.close());
  const path = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
  const raw = client.makeBidiStreamRequest(
    path,
    (bytes: Buffer) => bytes,
    (bytes: Buffer) => bytes,
  );
  raw.on('error', () => {});
  raw.write(Buffer.from([0x1a, 0xff, 0x01]));
  const status = await new Promise((resolve) => raw.on('status', resolve));
  t.match(status, { code: 3, details: /not a discovery request/ });
  server.upsert('n', [cluster('a', 'v2')]);
  t.match(await good.next(), { resources: [{ name: 'a' }] });
});

t.test('streams in one state share one response', { timeout: 60_000 }, async (t) => {
  const { server, connect } = await serve(t, { classOf: () => 'all' });
  const names = Array.from({ length: 20 }, (_, i) => `c${i}`);
  server.upsert(
    'all',
    names.map((name) => assignment(name)),
  );
  const clients = Array.from({ length: 100 }, (_, i) => connect(i % 2 ? 'sotw' : 'delta', { id: `n${i}` }));
  for (const [i, client] of clients.entries())
    client.send('EDS', i % 2 ? { resource_names: names } : { resource_names_subscribe: names });
  for (const client of clients) client.ack(await client.next(), names);
  const built = server.stats.responsesBuilt;
  t.equal(built, 2, 'one for each protocol');
  t.match(server.upsert('all', [assignment('c7', 'v2')]), { changed: 1, streams: 100 });
  for (const client of clients) t.equal((await client.next()).resources?.length, 1);
  t.equal(server.stats.responsesBuilt, built + 2);
});

t.test('a silent connection is dropped within 15 s', { timeout: 60_000 }, async (t) => {
  const closed = Promise.withResolvers<void>();
  const { server, port } = await serve(t, { onStreamClose: () => closed.resolve() });
  server.upsert('n', [cluster('a')]);
  // A wire between client and server that can be cut without either end being told.
  const sockets: Socket[] = [];
  const wire = createServer((near) => {
    const far = connectTcp(port, '127.0.0.1');
    sockets.push(near.pipe(far).pipe(near), far);
    for (const socket of [near, far]) socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => wire.listen(0, '127.0.0.1', resolve));
  const client = connectXds(`127.0.0.1:${(wire.address() as AddressInfo).port}`, 'delta', { id: 'n' });
  t.teardown(() => {
    client.close();
    for (const socket of sockets) socket.destroy();
    wire.close();
  });
  client.send('CDS');
  await client.next();
  for (const socket of sockets) {
    socket.unpipe();
    socket.pause();
  }
  const start = performance.now();
  await closed.promise;
  t.ok(performance.now() - start < 15_000, `${performance.now() - start} ms`);
});

t.test('an address in use is reported', async (t) => {
  const { port } = await serve(t);
  const second = createXdsServer();
  await t.rejects(second.listen(`127.0.0.1:${port}`), {
    code: 'unavailable',
    message: `cannot listen on 127.0.0.1:${port}: another process listens there (EADDRINUSE); give another address, or stop the process that uses it`,
  });
  await second.close();
});

t.test('a client that has had responses gets the reason why its stream ends', async (t) => {
  const { server, connect } = await serve(t);
  server.upsert('n', [cluster('a')]);
  const client = connect('delta');
  client.send('CDS');
  client.ack(await client.next());
  client.send('type.googleapis.com/envoy.nothing');
  t.match(await client.ended, { code: 3, details: /envoy\.nothing/ });
});
