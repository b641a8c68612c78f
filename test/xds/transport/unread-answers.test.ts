import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { ResourceJson } from '../../../src/xds/codec/codec.ts';
import { listen, type Stream } from '../../../src/xds/transport/grpc-server.ts';
import { field } from '../../../src/xds/wire/varint.ts';
import { createXdsServer, type RefusedStream } from '../../../src/xds/xds.ts';
import { framed, openHttp2, sotwRequest } from '../../support/attacks/call.ts';
import { connectRaw, frameTypes, type RawConnection } from '../../support/attacks/raw.ts';
import { buffered } from '../../support/buffered.ts';
import { typeUrl } from '../../support/clients/xds-client.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/mesh.ts';

const mib = 2 ** 20;
const answerBytes = 4 * mib;
// 10 s, and a second for each 256 KiB.
const limitMs = 10_000 + 4 * 4 * 1_000;
const fetchClusters = '/envoy.service.cluster.v3.ClusterDiscoveryService/FetchClusters';
const fetchStatus = '/envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus';
const streamStatus = '/envoy.service.status.v3.ClientStatusDiscoveryService/StreamClientStatus';

/**
 * A server with one cluster of some MiB, whose clock stands still until it is moved. Where it is moved at
 * once, nobody has to answer a ping meanwhile (`stall`).
 */
async function serve(t: Test) {
  const clock = manualClock();
  const refused: RefusedStream[] = [];
  const server = createXdsServer({
    ...{ clock, classOf: () => 'k' },
    onStreamRefused: (one) => void refused.push(one),
  });
  const cluster = { '@type': typeUrl('CDS'), name: 'a', alt_stat_name: 'x'.repeat(answerBytes) };
  server.upsert('k', [cluster as ResourceJson]);
  const at = { address: '127.0.0.1', port: await server.listen('127.0.0.1:0') };
  const connections: RawConnection[] = [];
  t.teardown(async () => {
    for (const { socket } of connections) socket.destroy();
    await server.close(0);
  });
  /** Calls a method, and gives the server no window for what it answers. */
  async function callUnread(path: string, request: Buffer, ends = true): Promise<RawConnection> {
    const raw = await connectRaw(at);
    connections.push(raw);
    // SETTINGS_INITIAL_WINDOW_SIZE: 0.
    raw.frame(frameTypes.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]));
    raw.open(1, path);
    raw.frame(frameTypes.data, ends ? 1 : 0, 1, framed(request));
    return raw;
  }
  return { server, clock, at, refused, callUnread };
}

const node = (id: string) => field(1, id);

t.test('a large Fetch that is never read ends, and its memory is freed', async (t) => {
  const { server, clock, refused, callUnread } = await serve(t);
  const before = await buffered();
  const calls: RawConnection[] = [];
  for (let i = 0; i < 8; i += 1)
    calls.push(await callUnread(fetchClusters, sotwRequest({ node: node(`n-${i}`) })));
  await until('all are answered', async () => server.stats.pushes === 8);
  const held = (await buffered()) - before;
  t.ok(held > 3 * mib, `the answers are kept: ${(held / mib).toFixed(1)} MiB`);
  clock.stall(limitMs - 2);
  await sleep(50);
  t.same(
    calls.map((raw) => raw.answer()),
    calls.map(() => undefined),
    'they may be read for a time that grows with their length',
  );
  t.equal(server.stats.streams, 8);
  clock.stall(100);
  await until('all were reset', async () => calls.every((raw) => raw.answer() === 'RST_STREAM 11'));
  await until('no stream is left', async () => server.stats.streams === 0);
  t.match(
    refused,
    Array(8).fill({ error: { message: /^419\d+ bytes of answers were not read within 26\d+ ms$/ } }),
  );
  const after = (await buffered()) - before;
  t.ok(after < mib, `${(after / mib).toFixed(1)} MiB are left`);
});

t.test('a client that reads a little now and then gets no more time', async (t) => {
  const { server, clock, callUnread } = await serve(t);
  const raw = await callUnread(fetchClusters, sotwRequest({ node: node('slow') }));
  await until('it is answered', async () => server.stats.pushes === 1);
  let reads = 0;
  for (; raw.answer() === undefined && reads < 60; reads += 1) {
    // WINDOW_UPDATE of the stream: 1,000 bytes.
    raw.frame(frameTypes.window, 0, 1, Buffer.from([0, 0, 3, 232]));
    await sleep(5);
    clock.pass(1_000);
  }
  await until('it was reset', async () => raw.answer() === 'RST_STREAM 11');
  t.ok(reads >= 25 && reads <= 30, `after ${reads} s`);
});

t.test('a client that reads gets all of it, and OK', async (t) => {
  const { server, clock, at } = await serve(t);
  const connection = openHttp2(at);
  t.teardown(() => connection.close());
  const call = connection.call(fetchClusters);
  let bytes = 0;
  call.onMessage((message) => {
    bytes += message.length;
  });
  await call.send(sotwRequest({ node: node('reader') }));
  await until('it has ended', async () => {
    // A client that does not end its side is left a moment for the status.
    clock.pass(10);
    return call.hasEnded();
  });
  t.equal(await call.ended, 'status 0: OK');
  t.ok(bytes > answerBytes);
  clock.stall(2 * limitMs);
  t.equal(server.stats.streams, 0);
});

for (const [path, ends] of [
  [fetchStatus, true],
  [streamStatus, true],
  // A stream of which the client has not said that it is over.
  [streamStatus, false],
] as const)
  t.test(`client status that is never read: ${path}, ${ends ? 'half closed' : 'open'}`, async (t) => {
    const { server, clock, at, callUnread } = await serve(t);
    const connection = openHttp2(at);
    t.teardown(() => connection.close());
    const client = connection.call(
      '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources',
    );
    await client.send(sotwRequest({ node: node('one') }));
    await until('it has its cluster', async () => client.hasAnswer());
    const raw = await callUnread(path, Buffer.alloc(0), ends);
    await until('it is answered', async () => {
      // Expensive requests wait for their turn by the clock.
      clock.pass(1);
      return (server.kept().unreadBytes ?? 0) > answerBytes;
    });
    clock.stall(limitMs - 1_000);
    await sleep(50);
    t.equal(raw.answer(), undefined);
    clock.stall(3_000);
    await until('it was reset', async () => raw.answer() === 'RST_STREAM 11');
    await until('nothing of it is kept', async () => server.kept().unreadBytes === 0);
    t.notOk(client.hasEnded(), 'the others stay');
  });

t.test('answers of a stream add up, and reading them all makes a new beginning', async (t) => {
  const clock = manualClock();
  const closed: string[] = [];
  const open = (stream: Stream) => ({
    receive() {
      stream.write(Buffer.alloc(mib));
      stream.expectRead(mib);
    },
    closed: () => void closed.push('closed'),
  });
  const server = await listen('127.0.0.1:0', undefined, clock, new Map([['/a/b', open]]));
  const raw = await connectRaw({ address: '127.0.0.1', port: server.port });
  t.teardown(async () => {
    raw.socket.destroy();
    await server.close(0);
  });
  const window = (stream: number, bytes: number) => {
    const update = Buffer.alloc(4);
    update.writeUInt32BE(bytes);
    raw.frame(frameTypes.window, 0, stream, update);
  };
  const passed = async (ms: number) => {
    await sleep(50);
    clock.stall(ms);
    await sleep(50);
  };
  raw.open(1, '/a/b');
  // 64 KiB may be on their way without a window of their own.
  raw.frame(frameTypes.data, 0, 1, framed(Buffer.alloc(1)));
  await passed(13_900);
  raw.frame(frameTypes.data, 0, 1, framed(Buffer.alloc(1)));
  await passed(3_900);
  t.equal(raw.answer(), undefined, '10 s and 4 s for each of the two');
  window(0, 4 * mib);
  window(1, 4 * mib);
  await passed(30_000);
  t.equal(raw.answer(), undefined, 'all were read');
  raw.frame(frameTypes.data, 0, 1, framed(Buffer.alloc(1)));
  raw.frame(frameTypes.data, 0, 1, framed(Buffer.alloc(1)));
  raw.frame(frameTypes.data, 0, 1, framed(Buffer.alloc(1)));
  await passed(10_000);
  t.equal(raw.answer(), undefined);
  await passed(20_000);
  t.equal(raw.answer(), 'RST_STREAM 11');
  t.same(closed, ['closed']);
});
