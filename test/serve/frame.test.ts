import type { ServerHttp2Stream } from 'node:http2';
import { Client, credentials, ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { frameOf, httpStreamOf, messageOf } from '../../src/serve/frame.ts';
import { listen, type Stream } from '../../src/serve/server.ts';

const path = '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources';

t.test('a frame is made once for each message', async (t) => {
  const message = Buffer.from('hello');
  t.equal(frameOf(message), frameOf(message));
  t.same([...frameOf(message)], [0, 0, 0, 0, 5, ...message]);
  t.same(messageOf(frameOf(message)), message);
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
