import { createServer } from 'node:http';
import t from 'tap';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { type Idcs, startIdcs, type WorldOptions } from '../support/idcs.ts';
import { get, type Mesh, until } from '../support/mesh.ts';

// How a limit changes: with the runtime layers of a bootstrap, without them, and as ingress gateways go.

/** An instance that remembers by which connections requests came, and answers after a while. */
let used = new Set<unknown>();
const server = createServer((request, response) => {
  used.add(request.socket);
  setTimeout(() => response.end('one'), 300);
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const instance: ListenAddress = { address: '127.0.0.1', port: (server.address() as { port: number }).port };
t.teardown(() => {
  server.closeAllConnections();
  server.close();
});

function start(more: Partial<WorldOptions>): Promise<Idcs> {
  return startIdcs({
    idcs: ['sh-a', 'sh-b'],
    hopLimit: 1,
    groups: [
      {
        name: 'one',
        instances: [{ idc: 'sh-b', at: instance }],
        drGroup: { capacity: { concurrentPerInstance: 2 } },
      },
    ],
    ...more,
  });
}

/** Of so many requests at once, how many the other IDC takes. */
async function taken(world: Idcs, count: number): Promise<number> {
  const all = Array.from({ length: count }, () =>
    get(world.outbound, '/', { host: 'one.test', method: 'POST' }),
  );
  return (await Promise.all(all)).filter(({ status }) => status === 200).length;
}

const problemsOf = (world: Idcs) => world.meshes.get('sh-b')?.plane.status().problems ?? [];

/** Raises the limit from 2 to 3: whether requests still come by connections that were there before. */
async function staysConnected(world: Idcs): Promise<boolean> {
  const mesh = world.meshes.get('sh-b') as Mesh;
  const text = world.registry.get('sh-b') ?? '';
  await until('two at once are taken', async () => (await taken(world, 5)) === 2);
  const before = used;
  mesh.save('all.yaml', text.replaceAll('concurrentPerInstance: 2', 'concurrentPerInstance: 3'));
  await until('three at once are taken', async () => {
    used = new Set();
    return (await taken(world, 5)) === 3;
  });
  const stays = [...used].some((socket) => before.has(socket));
  mesh.save('all.yaml', text);
  await until('two at once are taken again', async () => (await taken(world, 5)) === 2);
  return stays;
}

t.test('with the runtime layers connections stay', async (t) => {
  const world = await start({});
  t.teardown(() => world.close());
  t.ok(await staysConnected(world));
  t.notOk(problemsOf(world).some(({ message }) => message.includes('runtime layer')));
});

t.test(
  'a bootstrap of an earlier version: the limit holds, a change renews connections, and status says so',
  async (t) => {
    const world = await start({
      patchIngress(text) {
        const bootstrap = JSON.parse(text);
        delete bootstrap.layered_runtime;
        delete bootstrap.node.metadata.isthmus.runtime;
        return JSON.stringify(bootstrap);
      },
    });
    t.teardown(() => world.close());
    t.notOk(await staysConnected(world));
    t.match(
      problemsOf(world).filter(({ message }) => message.includes('runtime layer')),
      [{ severity: 'warning', where: 'sh-b-ingress', message: /isthmus bootstrap/ }],
    );
  },
);

t.test('a gateway that accepts no connection gets no part', async (t) => {
  // Each Idc names an ingress gateway more than there is: half of the limit would be one at a time.
  const world = await start({ deadGateways: true });
  t.teardown(() => world.close());
  await until('two at once are taken by the only one', async () => (await taken(world, 5)) === 2);
});
