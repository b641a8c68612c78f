import { get as getHttp } from 'node:http';
import { connect, createServer } from 'node:net';
import t from 'tap';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, until } from '../support/mesh.ts';

// A server that ends a connection ends its response: what it wrote last arrives, near, over gateways, and
// from the edge.

const bodies = { '6 bytes': 6, '100 KiB': 102_400, '10 MiB': 10_485_760 };

/**
 * Answers `/N` with N bytes and the end of the connection for a length. What asks to upgrade it sends them
 * upgraded, and ends when its client has said that it has them, as a websocket's Close frames do (RFC 6455,
 * 7.1.1).
 */
async function instance(): Promise<ListenAddress> {
  const at = await freeAddress();
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (head) => {
      const text = head.toString('latin1');
      const bytes = Number(/^GET \/(\d+)/.exec(text)?.[1]);
      const upgrades = /^upgrade: websocket/im.test(text);
      socket.write(
        upgrades
          ? 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'
          : 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n',
      );
      if (!upgrades) socket.end('x'.repeat(bytes));
      else socket.once('data', () => socket.end()).write('x'.repeat(bytes));
    });
  });
  await new Promise<void>((resolve) => server.listen(at.port, at.address, resolve));
  t.teardown(() => server.close());
  return at;
}

const world = await startIdcs({
  idcs: ['sh-a', 'sh-b'],
  hopLimit: 1,
  groups: [
    { name: 'near', instances: [{ idc: 'sh-a', at: await instance() }] },
    { name: 'far', instances: [{ idc: 'sh-b', at: await instance() }] },
  ],
});
t.teardown(() => world.close());

/** Bytes of a response's body; whether it ended as it should. */
function download(to: ListenAddress, host: string, bytes: number): Promise<string> {
  return new Promise((resolve) => {
    const request = getHttp({
      host: to.address,
      port: to.port,
      path: `/${bytes}`,
      headers: { host },
      agent: false,
    });
    request.on('error', (error) => resolve(error.message));
    request.on('response', (response) => {
      let got = 0;
      response.on('data', (data) => {
        got += data.length;
      });
      response.on('error', (error) => resolve(`${got}, ${error.message}`));
      response.on('end', () => resolve(`${response.statusCode} ${got}`));
    });
  });
}

/** The same of an upgraded connection, which the client does not end. */
function upgrade(to: ListenAddress, host: string, bytes: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: to.address, port: to.port });
    const headers = ['connection: upgrade', 'upgrade: websocket', 'sec-websocket-version: 13'];
    const key = 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==';
    socket.write([`GET /${bytes} HTTP/1.1`, `host: ${host}`, ...headers, key, '', ''].join('\r\n'));
    let [head, got] = ['', 0];
    socket.setEncoding('latin1');
    socket.on('data', (data: string) => {
      const wasHead = head.endsWith('\r\n\r\n');
      const rest = wasHead ? '' : head + data;
      if (!wasHead) head = rest.slice(0, rest.indexOf('\r\n\r\n') + 4);
      got += wasHead ? data.length : rest.length - head.length;
      if (got === bytes) socket.write('c');
    });
    socket.on('error', (error) => resolve(`${got}, ${error.message}`));
    socket.on('end', () => resolve(`${head.slice(9, 12)} ${got}`));
  });
}

const edge = world.gateways.get('sh-a')?.edge as ListenAddress;
for (const [from, to, host] of [
  ['near', world.outbound, 'near.test'],
  ['in another IDC', world.outbound, 'far.test'],
  ['from the edge, near', edge, 'near.test'],
  ['from the edge, in another IDC', edge, 'far.test'],
] as const) {
  t.test(`${from}: a response that ends with its connection, and an upgraded connection`, async (t) => {
    await until('it is served', async () => (await download(to, host, 6)) === '200 6');
    for (const [size, bytes] of Object.entries(bodies)) {
      const all = Array.from({ length: bytes > 1_000_000 ? 3 : 20 }, () => download(to, host, bytes));
      t.strictSame([...new Set(await Promise.all(all))], [`200 ${bytes}`], `${size}: responses`);
      t.equal(await upgrade(to, host, bytes), `101 ${bytes}`, `${size}: upgraded`);
    }
  });
}
