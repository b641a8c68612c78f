import { createServer, type Server } from 'node:http';
import t from 'tap';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { freeAddress, get, until } from '../support/mesh.ts';
import { startTwoIdcs } from '../support/two-idcs.ts';

// A host's second ServiceEntry fails over as its first one does, each port to where its own instances are.
const servers = new Map<string, Server>();

async function start(name: string): Promise<ListenAddress> {
  const at = await freeAddress();
  const server = createServer((request, response) =>
    response.end(`${name} ${request.headers['x-isthmus-trail']}`),
  );
  servers.set(name, server);
  await new Promise<void>((resolve) => server.listen(at.port, at.address, resolve));
  return at;
}

const group = { name: 'shop', idc: 'sh-a', protocol: 'HTTP' } as const;
const world = await startTwoIdcs([group]);
const home = createServer((_, response) => response.end('home')).listen(world.socket(group));
servers.set('home', home);
t.teardown(async () => {
  await world.close();
  for (const server of servers.values()) {
    server.closeAllConnections();
    server.close();
  }
});

/** One more ServiceEntry of shop.test, with port 81 and one instance. */
const sibling = (name: string, at: ListenAddress, idc: string) => `
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: test}
spec:
  hosts: [shop.test]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 81, name: admin, protocol: HTTP}]
  endpoints: [{address: ${at.address}, ports: {admin: ${at.port}}, locality: ${idc}}]
`;
const [near, far] = [await start('near'), await start('far')];

async function ask(host: string): Promise<string> {
  const { status, body } = await get(world.outbound, '/', { host });
  return status === 200 ? body : `status ${status}`;
}

t.test(
  'a port whose only instance is in the other IDC crosses, and the first port stays at home',
  async (t) => {
    await until('home', async () => (await ask('shop.test')) === 'home');
    world.edit((yaml) => yaml + sibling('z-far', far, 'sh-b'));
    await until('the other IDC', async () => (await ask('shop.test:81')).startsWith('far'));
    t.match(await ask('shop.test:81'), /sh-a/, 'by a crossing');
    t.equal(await ask('shop.test'), 'home');
  },
);

t.test('a third adds an instance in the own IDC; when that dies the other IDC serves again', async (t) => {
  world.edit((yaml) => yaml + sibling('z-near', near, 'sh-a'));
  await until('the instance at home', async () => (await ask('shop.test:81')).startsWith('near'));
  const server = servers.get('near') as Server;
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  const seen = new Set<string>();
  for (let i = 0; i < 20; i++) seen.add((await ask('shop.test:81')).split(' ', 1)[0] ?? '');
  t.strictSame([...seen], ['far'], 'no request is lost');
});
