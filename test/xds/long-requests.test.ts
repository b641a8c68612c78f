import t, { type Test } from 'tap';
import { FrameReader, messageInSlices } from '../../src/xds/wire/frame.ts';
import { createXdsServer } from '../../src/xds/xds.ts';
import { deltaRequest, methods, namesOf, nodeOf, openHttp2 } from '../support/attacks/call.ts';
import { typeUrl } from '../support/clients/xds-client.ts';
import { watchLoopTurns } from '../support/loop-turns.ts';
import { until } from '../support/mesh.ts';

const { copy } = Buffer.prototype;
const { concat } = Buffer;

const type = typeUrl('EDS');
const resources = [
  { '@type': typeUrl('CDS'), name: 'name-1', type: 'EDS' },
  { '@type': type, cluster_name: 'name-1', endpoints: [] },
];

/**
 * The longest turn of the event loop while a client asks for 100,000 names and is answered, the least of some
 * rounds, in ms of CPU.
 */
async function longestMs(sliceMs: number): Promise<number> {
  const server = createXdsServer({ classOf: () => 'k', limits: { pace: { sliceMs, allBurstMs: 1e9 } } });
  server.upsert('k', resources);
  const at = { address: '127.0.0.1', port: await server.listen('127.0.0.1:0') };
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round += 1) {
    const client = openHttp2(at);
    const call = client.call(methods.delta);
    const request = deltaRequest({ node: nodeOf('a', {}), type, names: namesOf(100_000, `name-${round}`) });
    let bytes = 0;
    call.onMessage((message) => {
      bytes += message.length;
    });
    const turns = watchLoopTurns();
    void call.send(request);
    await until('it is answered', async () => bytes > 1_000_000);
    least = Math.min(least, turns.stop());
    client.close();
  }
  await server.close(100);
  return least;
}

t.test('a request of 100,000 names takes no long turn of the event loop; at once it does', async (t) => {
  const [sliced, atOnce] = [await longestMs(2), await longestMs(1e9)];
  t.comment(`${sliced} ms, ${atOnce} ms at once`);
  t.ok(sliced < atOnce / 2, `${sliced} ms, ${atOnce} ms at once`);
});

/** The same while a tool asks for the state of 30 clients, each with a node of thousands of fields. */
async function statusMs(sliceMs: number): Promise<number> {
  const server = createXdsServer({ classOf: () => 'k', limits: { pace: { sliceMs, allBurstMs: 1e9 } } });
  server.upsert('k', resources);
  const at = { address: '127.0.0.1', port: await server.listen('127.0.0.1:0') };
  const fields = Object.fromEntries(namesOf(3_000, 'key').map((key) => [key, 'x'.repeat(50)]));
  const clients = Array.from({ length: 30 }, () => openHttp2(at));
  for (const [i, client] of clients.entries()) {
    const call = client.call(methods.delta);
    void call.send(deltaRequest({ node: nodeOf(`many-${i}`, fields), type, names: ['name-1'] }));
    await until('it is answered', async () => call.hasAnswer());
  }
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round += 1) {
    const client = openHttp2(at);
    const call = client.call('/envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus');
    const turns = watchLoopTurns();
    void call.send(Buffer.alloc(0));
    await call.ended;
    t.ok(call.hasAnswer());
    least = Math.min(least, turns.stop());
    client.close();
  }
  for (const client of clients) client.close();
  await server.close(100);
  return least;
}

t.test('the state of many clients takes no long turn of the event loop; at once it does', async (t) => {
  const [sliced, atOnce] = [await statusMs(2), await statusMs(1e9)];
  t.ok(sliced < atOnce / 2, `${sliced} ms, ${atOnce} ms at once`);
});

const long = Buffer.alloc(31 * 2 ** 20, 'x');

/** Bytes that each step copies between Buffers. CPU time would also show page faults. */
function copiedBytes(t: Test, steps: Iterable<unknown>): number[] {
  let bytes = 0;
  const copies = t.intercept(Buffer.prototype, 'copy', {
    value(this: Buffer, ...args: Parameters<Buffer['copy']>) {
      const copied = copy.apply(this, args);
      bytes += copied;
      return copied;
    },
  });
  const joins = t.intercept(Buffer, 'concat', {
    value(...args: Parameters<typeof Buffer.concat>) {
      const joined = concat(...args);
      bytes += joined.length;
      return joined;
    },
  });
  const counts = [];
  for (const _ of steps) {
    counts.push(bytes);
    bytes = 0;
  }
  copies.restore();
  joins.restore();
  return counts;
}

t.test('a message of 31 MiB is put together as it comes, not at once', async (t) => {
  const framed = Buffer.concat([Buffer.from([0, 0, 0, 0, 0]), long]);
  framed.writeUInt32BE(long.length, 1);
  let taken: Buffer | undefined;
  const reader = new FrameReader({
    bytesMax: () => 32 * 2 ** 20,
    mayTake: () => true,
    take(message) {
      taken = message;
    },
    waiting() {},
  });
  const counts = copiedBytes(
    t,
    (function* () {
      for (let at = 0; at < framed.length; at += 16 * 1024) {
        reader.read(framed.subarray(at, at + 16 * 1024));
        yield;
      }
    })(),
  );
  t.ok(taken?.equals(long));
  const [most, all] = [Math.max(...counts), counts.reduce((sum, count) => sum + count, 0)];
  t.ok(all >= long.length, `${all} bytes copied in all`);
  t.ok(most <= long.length / 16 + 64 * 1024, `${most} bytes copied at most in one step`);
});

t.test('an answer of 31 MiB is put together in slices', async (t) => {
  const parts = Array.from({ length: 310 }, (_, i) => long.subarray(i * 100_000, (i + 1) * 100_000));
  for (const some of [[long], parts]) {
    const work = messageInSlices(some);
    let steps = 0;
    let step = work.next();
    for (; step.done !== true; step = work.next()) steps += 1;
    t.ok(steps > 25, `${steps} steps`);
    t.ok(step.value.equals(Buffer.concat(some)));
  }
});
