import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import t from 'tap';
import { echoes, openWebsocket, startSlowInstance } from '../support/apps/streams.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, until } from '../support/mesh.ts';

// A stream may be quiet for an hour: what tells that its client is gone without a word is TCP keepalive.

/**
 * Whether the kernel's timer of the connections accepted at a port is that of keepalive (proc_net_tcp: `tr`
 * is 2).
 */
function keptAlive(port: number): boolean[] {
  const local = port.toString(16).toUpperCase().padStart(4, '0');
  return readFileSync('/proc/self/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, from, , state]) => from?.endsWith(`:${local}`) && state === '01')
    .map(([, , , , , timer]) => timer?.startsWith('02') ?? false);
}

t.test(
  'connections of clients are kept alive by TCP, at the sidecar and at the edge',
  { timeout: 120_000 },
  async (t) => {
    const web = await freeAddress();
    const server = await startSlowInstance(web);
    const world = await startIdcs({
      idcs: ['sh-a', 'sh-b'],
      hopLimit: 1,
      groups: [{ name: 'web', instances: [{ idc: 'sh-a', at: web }] }],
    });
    t.teardown(async () => {
      server.close();
      await world.close();
    });
    const edge = (world.gateways.get('sh-a') as { edge: typeof web }).edge;
    for (const to of [world.outbound, edge]) {
      let socket = await openWebsocket(to, 'web.test');
      await until('the path is open', async () => {
        socket ??= await openWebsocket(to, 'web.test');
        return socket !== undefined && (await echoes(socket));
      });
      await until('its timer is that of keepalive', () => keptAlive(to.port).some((kept) => kept));
      socket?.destroy();
    }
  },
);

t.test('the control: a listener without it', async (t) => {
  const at = await freeAddress();
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(at.port, at.address, resolve));
  const client = connect(at.port, at.address);
  t.teardown(() => {
    client.destroy();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await until('it is accepted', () => sockets.length === 1);
  t.strictSame(keptAlive(at.port), [false]);
});
