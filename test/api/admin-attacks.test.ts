import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import type { AdminLimits } from '../../src/api/admin-places.ts';
import { serveAdmin } from '../../src/api/admin-server.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import type { ControlPlane } from '../../src/plane/types.ts';
import { get, until } from '../support/mesh.ts';
import { startServe, usageOf } from '../support/planes/served.ts';

const limits: AdminLimits = { connectionsMax: 20, headersMsMax: 400, requestMsMax: 800 };

/** An admin server with small limits; only pages that ask nothing of the control plane are asked for. */
async function start(t: Test, more: Partial<AdminLimits> = {}): Promise<ListenAddress> {
  const at = { address: '127.0.0.1', port: 0 };
  const server = await serveAdmin({} as ControlPlane, at, undefined, {}, { ...limits, ...more });
  t.teardown(() => server.close());
  return { ...at, port: server.port };
}

/**
 * A connection from an address of loopback that says what it is told to, and what it heard once it has ended.
 */
function open(
  { address, port }: ListenAddress,
  from: string,
  says = '',
): { socket: Socket; heard: Promise<string> } {
  const socket = connect({ host: address, port, localAddress: from });
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.on('error', () => {});
  if (says !== '') socket.write(says);
  return { socket, heard: new Promise((resolve) => socket.once('close', () => resolve(text))) };
}

for (const [is, connectionsMax] of [
  ['', limits.connectionsMax],
  ['; the control: with more places nobody loses one', 1_000],
] as const)
  t.test(`who keeps connections open leaves places for others${is}`, async (t) => {
    const at = await start(t, { connectionsMax, headersMsMax: 60_000, requestMsMax: 60_000 });
    const greedy = Array.from({ length: 60 }, () => open(at, '127.0.0.2', 'GET /livez HTTP/1.1\r\n'));
    t.teardown(() => greedy.forEach(({ socket }) => void socket.destroy()));
    await Promise.all(
      greedy.map(({ socket }) => Promise.race([once(socket, 'connect'), once(socket, 'close')])),
    );
    for (let i = 0; i < 5; i++) t.equal((await get(at, '/livez')).status, 200);
    if (connectionsMax > limits.connectionsMax) {
      t.equal(greedy.filter(({ socket }) => socket.closed).length, 0);
      return;
    }
    await until(
      'the others are gone',
      async () => greedy.filter(({ socket }) => !socket.closed).length <= 20,
    );
    t.match(
      await greedy.find(({ socket }) => socket.closed)?.heard,
      /^$|^HTTP\/1.1 503 [\s\S]*problem\+json/,
    );
  });

t.test('slow headers and a body that never ends keep no connection', async (t) => {
  const at = await start(t);
  const begin = performance.now();
  const [silent, slow, unfinished] = [
    open(at, '127.0.0.2'),
    open(at, '127.0.0.2', 'GET /livez HTTP/1.1\r\nhost: a\r\n'),
    open(at, '127.0.0.2', 'POST /nowhere HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n{'),
  ];
  t.match(await silent.heard, /^$|^HTTP\/1.1 408 /);
  t.match(
    await slow.heard,
    /^HTTP\/1.1 408 [\s\S]*problem\+json[\s\S]*"detail": "the request was not complete in time: /,
  );
  t.match(await unfinished.heard, /^HTTP\/1.1 404 /);
  t.ok(performance.now() - begin < 10_000);
});

t.test('data behind a response is not read', async (t) => {
  const at = await start(t, { headersMsMax: 60_000, requestMsMax: 60_000 });
  const { socket, heard } = open(
    at,
    '127.0.0.2',
    'POST /nowhere HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n',
  );
  const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
  const more = setInterval(() => void socket.write(chunk), 10);
  t.teardown(() => clearInterval(more));
  t.match(await heard, /^HTTP\/1.1 404 [\s\S]*connection: close/i);
});

t.test('HTTP/2 at the admin address, and anything but HTTP, is refused with a reason', async (t) => {
  const at = await start(t);
  for (const says of [
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '\u0016\u0003\u0001\u0002',
    `GET /${'a'.repeat(100_000)} HTTP/1.1\r\n\r\n`,
  ])
    t.match(await open(at, '127.0.0.2', says).heard, /^HTTP\/1.1 4\d\d |^$/);
  t.equal((await get(at, '/livez')).status, 200);
});

t.test(
  'a process that may open no more files goes on, and answers once it may',
  { timeout: 120_000 },
  async (t) => {
    const served = await startServe();
    t.teardown(() => served.close());
    await served.ready();
    const files = (most: string) => execFileSync('prlimit', ['--pid', `${served.pid}`, `--nofile=${most}`]);
    files(`${usageOf(served.pid).files + 5}:`);
    const held = [served.admin, served.xds].flatMap((at) =>
      Array.from({ length: 50 }, () => open(at, '127.0.0.2')),
    );
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    for (const { socket } of held) socket.destroy();
    files('4096:');
    await until(
      'it answers',
      async () => (await get(served.admin, '/readyz').catch(() => undefined))?.status === 200,
    );
    t.equal(await Promise.race([served.exit, 'alive']), 'alive');
  },
);
