import type { ServerHttp2Stream } from 'node:http2';
import {
  Client,
  credentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  type StatusObject,
  status,
} from '@grpc/grpc-js';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { FrameReader, frameOf } from '../../src/serve/frame.ts';
import { httpStreamOf } from '../../src/serve/messages.ts';
import { listen, type Stream } from '../../src/serve/server.ts';

const path = '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources';

t.test('a frame is made once for each message', async (t) => {
  const message = Buffer.from('hello');
  t.equal(frameOf(message), frameOf(message));
  t.same([...frameOf(message)], [0, 0, 0, 0, 5, ...message]);
});

/** Two clients on streams of their own; what each was sent, and the buffers that went to HTTP/2. */
async function sendToTwo(t: Test, interceptor: ServerInterceptor) {
  const streams: Stream[] = [];
  const open = (stream: Stream) => {
    streams.push(stream);
    return { receive: () => {}, closed: () => {} };
  };
  const server = await listen('127.0.0.1:0', undefined, systemClock, open, [interceptor]);
  const clients = [1, 2].map(() => new Client(`127.0.0.1:${server.port}`, credentials.createInsecure()));
  t.teardown(async () => {
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
  return { message, heard: await Promise.all(heard) };
}

t.test('streams are sent one frame, not a copy each', async (t) => {
  const written: Buffer[] = [];
  const { message, heard } = await sendToTwo(t, (_, call) => {
    const stream = httpStreamOf(call) as ServerHttp2Stream;
    const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
    stream.write = (chunk: Buffer, ...rest: unknown[]) => {
      written.push(chunk);
      return write(chunk, ...rest);
    };
    return call as ServerInterceptingCall;
  });
  t.equal(written.length, 2);
  t.equal(written[0], written[1]);
  for (const bytes of heard) t.ok(bytes.equals(message));
});

t.test('where grpc-js hides its HTTP/2 stream, it sends the message itself', async (t) => {
  const { message, heard } = await sendToTwo(t, (_, call) => new ServerInterceptingCall(call));
  for (const bytes of heard) t.ok(bytes.equals(message));
});

t.test('messages are cut out of the bytes however they come', async (t) => {
  const message = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.array(message), fc.array(fc.nat(40)), (messages, sizes) => {
      const bytes = Buffer.concat(messages.map(frameOf));
      const taken: Buffer[] = [];
      const reader = new FrameReader(60, (one) => taken.push(Buffer.from(one)));
      let at = 0;
      for (const size of sizes) {
        t.equal(reader.read(bytes.subarray(at, at + size)), undefined);
        at = Math.min(at + size, bytes.length);
      }
      reader.read(bytes.subarray(at));
      return taken.length === messages.length && taken.every((one, i) => one.equals(messages[i] as Buffer));
    }),
  );
});

t.test('what is compressed or too long is given back, whole, after what comes before it', async (t) => {
  for (const odd of [Buffer.from([1, 0, 0, 0, 2, 7, 7]), Buffer.from([0, 0, 0, 0, 99, 7, 7])]) {
    const taken: string[] = [];
    const reader = new FrameReader(10, (one) => taken.push(one.toString()));
    const all = Buffer.concat([frameOf(Buffer.from('good')), odd]);
    t.equal(reader.read(all.subarray(0, 11)), undefined);
    t.same(reader.read(all.subarray(11)), odd);
    t.same(taken, ['good']);
  }
});

/** A server that keeps what it receives, and a stream to it. */
async function receiving(t: Test, options: object, interceptors: ServerInterceptor[] = []) {
  const received: string[] = [];
  const open = () => ({ receive: (bytes: Buffer) => received.push(bytes.toString()), closed: () => {} });
  const server = await listen('127.0.0.1:0', undefined, systemClock, open, interceptors);
  const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure(), options);
  t.teardown(async () => {
    client.close();
    await server.close(100);
  });
  const same = (bytes: Buffer) => bytes;
  return { received, call: client.makeBidiStreamRequest<Buffer, Buffer>(path, same, same) };
}

const gzip = { 'grpc.default_compression_algorithm': 2 };
for (const [name, options, interceptors] of [
  ['as they are', {}, []],
  ['compressed', gzip, []],
  [
    'through grpc-js alone',
    {},
    [(_: unknown, call: ServerInterceptingCall) => new ServerInterceptingCall(call)],
  ],
] as [string, object, ServerInterceptor[]][])
  t.test(`requests are read, and their end is heard: ${name}`, async (t) => {
    const { received, call } = await receiving(t, options, interceptors);
    const messages = ['one', 'two'.repeat(50_000), '', 'four'];
    for (const message of messages) call.write(Buffer.from(message));
    call.end();
    const { code } = await new Promise<StatusObject>((resolve) => call.once('status', resolve).resume());
    t.equal(code, 0);
    t.same(received, messages);
  });

t.test('a request that is too long is refused, by grpc-js', async (t) => {
  const { received, call } = await receiving(t, { 'grpc.max_send_message_length': -1 });
  call.on('error', () => {});
  call.write(Buffer.from('first'));
  call.write(Buffer.alloc(33 * 2 ** 20));
  const { code } = await new Promise<StatusObject>((resolve) => call.once('status', resolve).resume());
  t.equal(code, status.RESOURCE_EXHAUSTED);
  t.same(received, ['first']);
});
