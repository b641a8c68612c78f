import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Client, credentials, type StatusObject, status } from '@grpc/grpc-js';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { systemClock } from '../../../src/base/clock.ts';
import { MeshError } from '../../../src/base/error.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { listen, type Stream, type XdsLimits } from '../../../src/xds/transport/grpc-server.ts';
import { FrameReader, frameOf } from '../../../src/xds/wire/frame.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const path = '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources';

t.test('a frame is made once for each message', async (t) => {
  const message = Buffer.from('hello');
  t.equal(frameOf(message), frameOf(message));
  t.same([...frameOf(message)], [0, 0, 0, 0, 5, ...message]);
});

/** What all HTTP/2 streams of servers have in common. */
async function streamPrototype(): Promise<ServerHttp2Stream> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const [stream] = await Promise.all([once(server, 'stream'), client.request()]);
  client.destroy();
  server.close();
  return Object.getPrototypeOf(stream[0]);
}

t.test('streams are sent one frame, not a copy each', async (t) => {
  const streams: Stream[] = [];
  const open = (stream: Stream) => {
    streams.push(stream);
    return { receive: () => {}, closed: () => {} };
  };
  const written: Buffer[] = [];
  const prototype = await streamPrototype();
  const { write } = prototype;
  Object.defineProperty(prototype, 'write', {
    configurable: true,
    value(this: ServerHttp2Stream, ...args: Parameters<typeof write>) {
      written.push(args[0]);
      return write.apply(this, args);
    },
  });
  const server = await listen('127.0.0.1:0', undefined, systemClock, new Map([[path, open]]));
  const clients = [1, 2].map(() => new Client(`127.0.0.1:${server.port}`, credentials.createInsecure()));
  t.teardown(async () => {
    Reflect.deleteProperty(prototype, 'write');
    for (const client of clients) client.close();
    await server.close(100);
  });
  const same = (bytes: Buffer) => bytes;
  const heard = clients.map((client) => {
    const call = client.makeBidiStreamRequest<Buffer, Buffer>(path, same, same);
    call.on('error', () => {});
    call.write(Buffer.from('who I am'));
    return new Promise<Buffer>((resolve) => call.once('data', resolve));
  });
  while (streams.length < 2) await new Promise((resolve) => setImmediate(resolve));
  const message = Buffer.alloc(100_000, 'm');
  for (const stream of streams) stream.write(message);
  for (const bytes of await Promise.all(heard)) t.ok(bytes.equals(message));
  t.equal(written.length, 2);
  t.equal(written[0], written[1]);
});

function taker(
  bytesMax: number,
  take: (message: Buffer, isCompressed: boolean) => void,
  waiting = (_: number) => {},
) {
  return { bytesMax: () => bytesMax, take, waiting, mayTake: () => true };
}

t.test('messages are framed whatever the chunks', async () => {
  const message = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.array(message), fc.array(fc.nat(40)), (messages, sizes) => {
      const bytes = Buffer.concat(messages.map(frameOf));
      const taken: Buffer[] = [];
      const reader = new FrameReader(taker(60, (one) => taken.push(Buffer.from(one))));
      let at = 0;
      for (const size of sizes) {
        reader.read(bytes.subarray(at, at + size));
        at = Math.min(at + size, bytes.length);
      }
      reader.read(bytes.subarray(at));
      return taken.length === messages.length && taken.every((one, i) => one.equals(messages[i] as Buffer));
    }),
  );
});

t.test(
  'messages of megabytes are, however they come, whatever is behind them, and when they must wait',
  async (t) => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const random = seededRandom(seed);
      const pick = (max: number) => Math.floor(random() * max);
      const messages = Array.from({ length: 4 }, (_, i) =>
        Buffer.alloc(pick(2) * pick(3 * 2 ** 20) + pick(9), i + 97),
      );
      const bytes = Buffer.concat(messages.map(frameOf));
      const taken: Buffer[] = [];
      let waits = 0;
      const reader = new FrameReader({
        ...taker(2 ** 22, (one) => taken.push(Buffer.from(one))),
        mayTake() {
          waits += 1;
          return random() < 0.5;
        },
      });
      const most = [20_000, 300_000, 4_000_000][seed % 3] as number;
      for (let at = 0; at < bytes.length; ) {
        const end = at + 1 + pick(most);
        // A copy: what was read is another stream's soon.
        const chunk = Buffer.from(bytes.subarray(at, end));
        reader.read(chunk);
        at = end;
      }
      for (let i = 0; i < 100; i += 1) reader.goOn();
      const same = taken.length === 4 && taken.every((one, i) => one.equals(messages[i] as Buffer));
      t.ok(same && waits >= 4, `seed ${seed}: ${taken.map(({ length }) => length)}`);
    }
  },
);

/** Reads a message in two parts, as another stream would meanwhile. */
function useScratch(): void {
  const frame = frameOf(Buffer.alloc(1_000, 255));
  const other = new FrameReader(taker(1_000, () => {}));
  other.read(frame.subarray(0, 9));
  other.read(frame.subarray(9));
}

t.test('a reader that must wait before each message takes the same, one at a time', async (t) => {
  const message = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.array(message), fc.array(fc.nat(200)), (messages, sizes) => {
      const bytes = Buffer.concat(messages.map(frameOf));
      const taken: Buffer[] = [];
      let turns = 1;
      const reader = new FrameReader({
        ...taker(60, (one) => taken.push(Buffer.from(one))),
        mayTake() {
          turns -= 1;
          return turns >= 0;
        },
      });
      let at = 0;
      for (const size of [...sizes, bytes.length]) {
        const before = taken.length;
        turns = 1;
        reader.read(bytes.subarray(at, at + size));
        useScratch();
        t.ok(taken.length <= before + 1);
        at = Math.min(at + size, bytes.length);
      }
      for (let n = taken.length + 1; n <= messages.length; n++) {
        turns = 1;
        reader.goOn();
        useScratch();
        t.equal(taken.length, n);
      }
      return taken.every((one, i) => one.equals(messages[i] as Buffer));
    }),
  );
});

t.test(
  'what is compressed is told; what is too long or no frame is refused, after what comes before it',
  async (t) => {
    for (const [odd, message] of [
      [[0, 0, 0, 0, 99, 7, 7], /a request has 99 bytes: at most 10 are read/],
      [[2, 0, 0, 0, 2, 7, 7], /a gRPC frame begins with 2/],
    ] as [number[], RegExp][]) {
      const taken: string[] = [];
      const reader = new FrameReader(
        taker(10, (one, isCompressed) => taken.push(`${one.toString()} ${isCompressed}`)),
      );
      const compressed = Buffer.from([1, 0, 0, 0, 2, 55, 55]);
      const all = Buffer.concat([frameOf(Buffer.from('good')), compressed, Buffer.from(odd)]);
      reader.read(all.subarray(0, 11));
      t.throws(() => reader.read(all.subarray(11)), { message });
      t.same(taken, ['good false', '77 true']);
    }
  },
);

/** A server that keeps what it receives, and a stream to it. */
async function receiving(t: Test, options: object, limits: XdsLimits = {}) {
  const received: string[] = [];
  const streams: Stream[] = [];
  const open = (stream: Stream) => {
    streams.push(stream);
    return { receive: (bytes: Buffer) => received.push(bytes.toString()), closed: () => {} };
  };
  const server = await listen('127.0.0.1:0', undefined, systemClock, new Map([[path, open]]), { limits });
  const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure(), options);
  t.teardown(async () => {
    client.close();
    await server.close(100);
  });
  const same = (bytes: Buffer) => bytes;
  return { received, streams, call: client.makeBidiStreamRequest<Buffer, Buffer>(path, same, same) };
}

const gzip = { 'grpc.default_compression_algorithm': 2 };
for (const [name, options] of [
  ['as they are', {}],
  ['compressed', gzip],
] as [string, object][])
  t.test(`requests are read, and their end is heard: ${name}`, async (t) => {
    const { received, call } = await receiving(t, options);
    const messages = ['one', 'two'.repeat(50_000), '', 'four'];
    for (const message of messages) call.write(Buffer.from(message));
    call.end();
    const { code } = await new Promise<StatusObject>((resolve) => call.once('status', resolve).resume());
    t.equal(code, 0);
    t.same(received, messages);
  });

for (const known of [false, true])
  t.test(
    `a request that is too long is refused in words: ${known ? 'known' : 'unknown'} client`,
    async (t) => {
      // grpc-js before 1.14 reads no answer while more than 10 MB of its own wait.
      const intake = { unknownBytesMax: 2 ** 20, messageBytesMax: 3 * 2 ** 20 };
      const { received, call, streams } = await receiving(t, {}, { intake });
      call.on('error', () => {});
      const ended = new Promise<StatusObject>((resolve) => call.once('status', resolve).resume());
      call.write(Buffer.from('first'));
      while (received.length === 0) await new Promise((resolve) => setImmediate(resolve));
      const most = known ? intake.messageBytesMax : intake.unknownBytesMax;
      if (known) streams[0]?.known();
      call.write(Buffer.alloc(most));
      call.write(Buffer.alloc(most + 1));
      const { code, details } = await ended;
      t.equal(code, status.RESOURCE_EXHAUSTED);
      t.equal(details, `a request has ${most + 1} bytes: at most ${most} are read`);
      t.same(
        received.map((one) => one.length),
        [5, most],
      );
    },
  );

// A thirtieth to a hundredth of its length, deflated.
const similar = Array.from({ length: 8_300 }, () => [randomBytes(12), Buffer.alloc(1_020, 'x')]);

for (const [what, message, most] of [
  ['more than may be sent', Buffer.concat(similar.flat()), 8 * 2 ** 20],
  ['a hundred times its length', Buffer.alloc(2 * 2 ** 20), 256 * 1024],
] as const)
  t.test(`what inflates to ${what} is refused, and nothing of it kept`, async (t) => {
    const { received, call } = await receiving(t, { 'grpc.max_send_message_length': -1, ...gzip });
    call.on('error', () => {});
    const ended = new Promise<StatusObject>((resolve) => call.once('status', resolve).resume());
    call.write(message);
    const { code, details } = await ended;
    t.equal(code, status.RESOURCE_EXHAUSTED);
    t.equal(details, `a request has more than ${most} bytes when it is inflated`);
    t.same(received, []);
  });

t.test('a compressed message is shorter than others, whatever it inflates to', async (t) => {
  const { received, call } = await receiving(t, { 'grpc.max_send_message_length': -1, ...gzip });
  call.on('error', () => {});
  const ended = new Promise<StatusObject>((resolve) => call.once('status', resolve).resume());
  call.write(randomBytes(300 * 1024));
  const { code, details } = await ended;
  t.equal(code, status.RESOURCE_EXHAUSTED);
  t.match(details, /^a request has \d+ bytes, compressed: at most 262144 are read$/);
  t.same(received, []);
});

t.test('a message that comes byte by byte is kept in little more than its length', async (t) => {
  const message = Buffer.alloc(40_000, 'm');
  const frame = frameOf(message);
  const taken: Buffer[] = [];
  let most = 0;
  const waiting = (bytes: number) => {
    most = Math.max(most, bytes);
  };
  const reader = new FrameReader(taker(message.length, (one) => taken.push(Buffer.from(one)), waiting));
  const before = process.memoryUsage().arrayBuffers;
  let grown = 0;
  for (let at = 0; at < frame.length; at++) {
    // As node reads: each byte is a view of a buffer of its own. Held, they are 640 MB.
    const read = Buffer.allocUnsafeSlow(16 * 1024);
    read[0] = frame[at] as number;
    reader.read(read.subarray(0, 1));
    if (at % 5_000 > 0) continue;
    collectGarbage();
    grown = Math.max(grown, process.memoryUsage().arrayBuffers - before);
  }
  t.equal(most, frame.length - 1);
  t.ok(taken[0]?.equals(message));
  t.ok(grown < 1e8, `${grown} bytes`);
});

t.test('a refused stream is closed, though its client keeps sending', async (t) => {
  const streams: Stream[] = [];
  const open = (stream: Stream) => {
    streams.push(stream);
    return { receive: () => stream.refuse(new MeshError('invalid', 'no')), closed: () => {} };
  };
  const server = await listen('127.0.0.1:0', undefined, systemClock, new Map([[path, open]]));
  const client = connect(`http://127.0.0.1:${server.port}`);
  t.teardown(async () => {
    client.destroy();
    await server.close(100);
  });
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
  const request = client.request(headers);
  request.write(frameOf(Buffer.from('who I am')));
  const answer = once(request, 'response');
  request.resume();
  await once(request, 'close');
  t.match((await answer)[0], { 'grpc-status': String(status.INVALID_ARGUMENT), 'grpc-message': 'no' });
  t.equal(request.rstCode, 0);
});
