import { createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer as createTcpServer } from 'node:net';
import t from 'tap';
import { healthDefaults } from '../../src/plan/health/health.ts';
import { type Probe, probe } from '../../src/probe/probe.ts';
import { startGrpc } from '../support/apps/grpc-health.ts';
import { freeAddress, until } from '../support/mesh.ts';

const { statuses } = healthDefaults;
const at = await freeAddress();
const url = (path: string) => `http://${at.address}:${at.port}${path}`;

t.test('HTTP: healthy as a proxy defines it', async (t) => {
  const server = createServer((request, response) => {
    const status = Number(request.url?.slice(1));
    response.writeHead(status, status === 302 ? { location: '/200' } : {}).end();
  });
  await new Promise<void>((resolve) => server.listen(at.port, at.address, resolve));
  t.teardown(() => server.close());
  for (const status of [200, 204, 299]) t.equal(await probe({ url: url(`/${status}`), statuses }), undefined);
  for (const status of [302, 401, 503])
    t.match(await probe({ url: url(`/${status}`), statuses }), `answers ${status}`);
  t.equal(await probe({ url: url('/401'), statuses: [{ from: 401, to: 403 }] }), undefined);
  t.match(await probe({ url: url('/200'), statuses: [{ from: 401, to: 403 }] }), /answers 200/);
});

t.test('a response head that trickles in is no response', async (t) => {
  const there = await freeAddress();
  const server = createTcpServer((socket) => {
    const text = `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(1_000)}\r\n\r\n`;
    let sent = 0;
    const timer = setInterval(() => socket.write(text[sent++] ?? ''), 20);
    socket.on('error', () => {}).on('close', () => clearInterval(timer));
  });
  await new Promise<void>((resolve) => server.listen(there.port, there.address, resolve));
  t.teardown(() => server.close());
  const began = performance.now();
  t.match(
    await probe({ url: `http://${there.address}:${there.port}/`, statuses }, 300),
    /no answer in 300 ms/,
  );
  t.ok(performance.now() - began < 3_000, 'the whole of it would take 20 s');
});

t.test('the rest of an answer is not waited for', async (t) => {
  const there = await freeAddress();
  const closed: string[] = [];
  const server = createServer((request, response) => {
    response.writeHead(200).write('a beginning');
    request.socket.on('close', () => closed.push('closed'));
  });
  await new Promise<void>((resolve) => server.listen(there.port, there.address, resolve));
  t.teardown(() => server.close());
  t.equal(await probe({ url: `http://${there.address}:${there.port}/`, statuses }, 300), undefined);
  await until('its connection is closed', () => closed.length > 0);
});

t.test('HTTP/2 without HTTP/1.1', async (t) => {
  const there = await freeAddress();
  const server = createHttp2Server((request, response) => {
    response.writeHead(request.url === '/up?x=1' ? 204 : 500).end();
  });
  await new Promise<void>((resolve) => server.listen(there.port, there.address, resolve));
  t.teardown(() => server.close());
  const base = `http://${there.address}:${there.port}`;
  t.equal(await probe({ url: `${base}/up?x=1`, statuses }), undefined);
  t.match(await probe({ url: `${base}/down`, statuses }), /answers 500/);
});

t.test('grpc.health.v1', async (t) => {
  const [there, without] = [await freeAddress(), await freeAddress()];
  const server = await startGrpc('a', there);
  const bare = await startGrpc('b', without, false);
  t.teardown(() => {
    server.stop();
    bare.stop();
  });
  server.serving.set('shop.Down', 'NOT_SERVING');
  const grpc = (service: string): Probe => ({ grpc: { host: there.address, port: there.port, service } });
  t.equal(await probe(grpc('')), undefined);
  t.match(await probe(grpc('shop.Down')), /shop.Down: NOT_SERVING/);
  t.match(await probe(grpc('shop.Other')), /grpc-status 5 no such service/);
  t.match(
    await probe({ grpc: { host: without.address, port: without.port, service: '' } }),
    /grpc-status 12/,
    'a server without grpc.health.v1',
  );
  server.serving.set('', 'NOT_SERVING');
  t.match(await probe(grpc('')), /NOT_SERVING/);
});

t.test('no server, and no gRPC', async (t) => {
  const nobody = await freeAddress();
  t.match(await probe({ url: `http://${nobody.address}:${nobody.port}/up`, statuses }), /ECONNREFUSED/);
  t.match(await probe({ grpc: { host: nobody.address, port: nobody.port, service: '' } }), /ECONNREFUSED/);
  t.match(await probe({ host: nobody.address, port: nobody.port }), /ECONNREFUSED/);
});

t.test('a target is named by its address, an IPv6 address in brackets', async (t) => {
  const { port } = await freeAddress();
  t.match(await probe({ host: '127.0.0.1', port }), new RegExp(`^127\\.0\\.0\\.1:${port}: `));
  t.match(await probe({ host: '::1', port }), new RegExp(`^\\[::1\\]:${port}: `));
});
