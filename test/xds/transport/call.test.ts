import { once } from 'node:events';
import { type ClientHttp2Stream, connect } from 'node:http2';
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { systemClock } from '../../../src/base/clock.ts';
import { MeshError } from '../../../src/base/error.ts';
import { percentEncoded, timeoutMs } from '../../../src/xds/transport/call.ts';
import { listen, type Stream } from '../../../src/xds/transport/grpc-server.ts';
import { frameOf } from '../../../src/xds/wire/frame.ts';
import { manualClock } from '../../support/manual-clock.ts';

const path = '/a.Service/Method';

/**
 * A server of one method, and a client with nothing between it and HTTP/2. `receive` is given each message,
 * and the stream.
 */
async function start(t: Test, receive: (bytes: Buffer, stream: Stream) => void, clock = systemClock) {
  const closed: Stream[] = [];
  const open = (stream: Stream) => ({
    receive: (bytes: Buffer) => receive(bytes, stream),
    closed: () => void closed.push(stream),
  });
  const server = await listen('127.0.0.1:0', undefined, clock, new Map([[path, open]]));
  const client = connect(`http://127.0.0.1:${server.port}`);
  t.teardown(async () => {
    client.destroy();
    await server.close(0);
  });
  const request = (headers: Record<string, string>) =>
    client.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', ...headers });
  return { request, closed, port: server.port };
}

/** The headers of an answer, and what came after its body. */
async function answer(request: ClientHttp2Stream): Promise<Record<string, unknown>> {
  let trailers = {};
  request.on('trailers', (some) => {
    trailers = some;
  });
  const ended = once(request, 'end');
  const [headers] = await once(request, 'response');
  request.resume();
  await ended;
  return { ...headers, ...trailers };
}

t.test('a request that is not gRPC is refused by HTTP, an unknown method by gRPC', async (t) => {
  const { request } = await start(t, () => {});
  const other = request({ 'content-type': 'text/plain' });
  t.match(await answer(other), { ':status': 415 });
  const unknown = request({ ':path': '/a.Service/Nothing' });
  t.match(await answer(unknown), {
    ':status': 200,
    'content-type': 'application/grpc+proto',
    'grpc-status': '12',
    'grpc-message': 'there is no method /a.Service/Nothing',
  });
});

t.test('gRPC is told by its content type, not by one that begins like it', async (t) => {
  const { request } = await start(t, (_, stream) => stream.end());
  const answerTo = (type: string) => {
    const call = request({ 'content-type': type });
    call.end(frameOf(Buffer.from('hello')));
    return answer(call);
  };
  for (const type of ['', '+proto', '+json', ';charset=utf-8', ' ; a=b'])
    t.match(await answerTo(`application/grpc${type}`), { ':status': 200, 'grpc-status': '0' }, type);
  t.match(await answerTo('Application/gRPC+proto'), { 'grpc-status': '0' });
  for (const type of [
    'application/grpcevil',
    'application/grpc-web',
    'application/grpc-web+proto',
    'x application/grpc',
  ])
    t.match(await answerTo(type), { ':status': 415, 'grpc-status': undefined }, type);
});

t.test('a response has gRPC’s headers, its message and its trailing status', async (t) => {
  const { request } = await start(t, (bytes, stream) => {
    stream.write(Buffer.from(`${bytes}, yes`));
    stream.end();
  });
  const call = request({ 'content-type': 'application/grpc+proto' });
  call.write(frameOf(Buffer.from('hello')));
  const chunks: Buffer[] = [];
  call.on('data', (chunk) => chunks.push(chunk));
  t.match(await answer(call), {
    'grpc-encoding': 'identity',
    'grpc-accept-encoding': 'identity,deflate,gzip',
    'grpc-status': '0',
  });
  t.same(Buffer.concat(chunks), frameOf(Buffer.from('hello, yes')));
});

t.test('a call without a request ends', async (t) => {
  const { request, closed } = await start(t, () => {});
  const call = request({});
  call.end();
  t.match(await answer(call), { 'grpc-status': '0' });
  t.equal(closed.length, 1);
});

t.test('a call ends at its deadline, and one without a deadline does not', async (t) => {
  const clock = manualClock();
  const { request, closed } = await start(t, () => {}, clock);
  const [short, long, wrong] = [{ 'grpc-timeout': '2S' }, {}, { 'grpc-timeout': 'soon' }].map(request);
  t.match(await answer(wrong as ClientHttp2Stream), {
    'grpc-status': '13',
    'grpc-message': /'soon' is not valid/,
  });
  clock.pass(1_999);
  t.equal(closed.length, 1);
  clock.pass(1);
  t.match(await answer(short as ClientHttp2Stream), { 'grpc-status': String(status.DEADLINE_EXCEEDED) });
  t.equal(closed.length, 2);
  t.equal(long?.closed, false);
});

t.test('timeouts are parsed as gRPC defines them', async (t) => {
  t.same(['1H', '2M', '3S', '4m', '5u', '6n', '99999999H'].map(timeoutMs), [
    3_600_000,
    120_000,
    3_000,
    4,
    0.005,
    6e-6,
    99_999_999 * 3_600_000,
  ]);
  t.same(['', '1', 'S', '-1S', '1.5S', '123456789S', '1 S'].map(timeoutMs), Array(7).fill(undefined));
});

t.test('other clients read a status as intended, whatever its text', async (t) => {
  const words = 'Größe 100 %, 次\nand 🙂';
  t.equal(percentEncoded('a b~%'), 'a b~%25');
  t.equal(decodeURIComponent(percentEncoded(words)), words);
  const { port } = await start(t, (_, stream) => stream.refuse(new MeshError('not-found', words)));
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  t.teardown(() => client.close());
  const same = (bytes: Buffer) => bytes;
  const error = await new Promise<ServiceError | null>((resolve) =>
    client.makeUnaryRequest(path, same, same, Buffer.from('x'), resolve),
  );
  t.match(error, { code: status.NOT_FOUND, details: words });
});

t.test('each kind of error has its status', async (t) => {
  const codes = {
    ...{ invalid: 3, unsupported: 3, 'not-found': 5, exhausted: 8, late: 4, unavailable: 14, conflict: 9 },
    internal: 13,
  } as const;
  const { request } = await start(t, (bytes, stream) =>
    stream.refuse(new MeshError(bytes.toString() as keyof typeof codes, 'no')),
  );
  for (const [code, status] of Object.entries(codes)) {
    const call = request({});
    call.write(frameOf(Buffer.from(code)));
    t.match(await answer(call), { 'grpc-status': String(status) }, code);
  }
});

t.test('nothing is written to a call that is over', async (t) => {
  const streams: Stream[] = [];
  const { request, closed } = await start(t, (_, stream) => streams.push(stream));
  const call = request({});
  call.on('error', () => {});
  call.write(frameOf(Buffer.from('hello')));
  while (streams.length === 0) await new Promise((resolve) => setImmediate(resolve));
  call.destroy();
  while (closed.length === 0) await new Promise((resolve) => setImmediate(resolve));
  t.doesNotThrow(() => {
    streams[0]?.write(Buffer.from('late'));
    streams[0]?.end();
    streams[0]?.refuse(new MeshError('invalid', 'late'));
  });
  t.equal(closed.length, 1, 'it is told once');
});
