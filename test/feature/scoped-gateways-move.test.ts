import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { stringify } from 'yaml';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { keptConnection } from '../support/clients/kept-connection.ts';
import { runLoad } from '../support/clients/run-load.ts';
import { type BeforeScopes, startBeforeScopes } from '../support/envoys/before-scopes.ts';
import { startIdcs } from '../support/idcs.ts';
import { get, until } from '../support/mesh.ts';

// All proxies of two IDCs have one table for each listener, from a control plane of before, and come to one
// with a table for each host: no request is lost at any of the five listeners, and connections that stay with
// old ones see what comes and goes.

// biome-ignore lint/suspicious/noExplicitAny: a test reaches into messages.
type Loose = any;

/** The proxy's route tables, by name. */
async function tablesOf(admin: ListenAddress): Promise<string[]> {
  const { body } = await get(admin, '/config_dump?resource=dynamic_route_configs');
  const { configs = [] } = JSON.parse(body) as Loose;
  return configs.map(({ route_config }: Loose) => route_config.name).sort();
}

const listenersOf: Readonly<Record<string, readonly string[]>> = {
  caller: ['outbound'],
  'sh-a-ingress': ['edge', 'peer'],
  'sh-a-egress': ['ingress', 'sidecar'],
  'sh-b-ingress': ['edge', 'peer'],
  'sh-b-egress': ['ingress', 'sidecar'],
};

/** The objects of a Group whose only instance is in sh-b, so that each request passes three proxies. */
function farGroup(name: string, { address, port }: ListenAddress): string {
  const serviceEntry = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name, namespace: 'test' },
    spec: {
      hosts: [`${name}.test`],
      location: 'MESH_INTERNAL',
      resolution: 'STATIC',
      ports: [{ number: 80, name: 'main', protocol: 'HTTP' }],
      endpoints: [{ address, ports: { main: port }, locality: 'sh-b' }],
    },
  };
  const drGroup = {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'DrGroup',
    metadata: { name },
    spec: { hosts: [`${name}.test`], idcs: [{ name: 'sh-a' }, { name: 'sh-b' }], hopLimit: 1 },
  };
  return [serviceEntry, drGroup].map((object) => stringify(object)).join('---\n');
}

for (const mode of ['delta', 'sotw'] as const)
  t.test(`gateways and a sidecar move over, ${mode}`, { timeout: 300_000 }, async (t) => {
    const app = createServer((_, response) => response.end('ok'));
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
    t.teardown(() => app.close());
    const at = { address: '127.0.0.1', port: (app.address() as AddressInfo).port };
    const befores = new Map<number, Promise<BeforeScopes>>();
    const world = await startIdcs({
      ...{ idcs: ['sh-a', 'sh-b'], hopLimit: 1, mode },
      groups: [{ name: 'one', instances: [{ idc: 'sh-b', at }] }],
      async xds(plane) {
        const before = befores.get(plane.port) ?? startBeforeScopes(plane);
        befores.set(plane.port, before);
        return [(await before).xds, plane];
      },
    });
    t.teardown(() => world.close());
    const tables = (proxy: string) => tablesOf(world.admins.get(proxy) as ListenAddress);
    for (const [proxy, listeners] of Object.entries(listenersOf))
      t.strictSame(await tables(proxy), listeners, `${proxy}: one table for each listener`);

    const edge = world.gateways.get('sh-a')?.edge as ListenAddress;
    const entries = { sidecar: world.outbound, edge };
    const kept = Object.entries(entries).map(([name, to]) => ({ name, ...keptConnection(to) }));
    const fresh = Object.entries(entries).map(([name, to]) => ({ name, ...keptConnection(to) }));
    t.teardown(() => [...kept, ...fresh].map(({ close }) => close()));
    for (const { name, ask } of kept)
      await until(`${name} serves`, async () => (await ask('one.test')) === 200);
    const loads = Object.values(entries).map((to) => runLoad(to, 'one.test'));

    for (const before of befores.values()) await (await before).close();
    for (const [proxy, listeners] of Object.entries(listenersOf))
      await until(`${proxy} has a table for each host`, async () => {
        const now = await tables(proxy);
        return listeners.every((listener) => now.includes(`${listener}/*`));
      });
    const all = (text: string) => {
      for (const [idc, mesh] of world.meshes)
        mesh.save('all.yaml', `${world.registry.get(idc)}\n---\n${text}`);
    };
    all(farGroup('two', at));
    for (const { name, ask } of fresh)
      await until(`${name}: a new connection sees a new Group`, async () => (await ask('two.test')) === 200);
    for (const { name, ask } of kept) {
      t.equal(await ask('one.test'), 200);
      await until(`${name}: so does one of before`, async () => (await ask('two.test')) === 200);
    }
    all('');
    for (const { name, ask } of kept)
      await until(`${name}: and that it is gone`, async () => (await ask('two.test')) === 404);
    for (const load of loads) {
      const { requests, failed } = await load.stop();
      t.ok(requests > 20, `${requests} requests`);
      t.equal(failed, 0, 'none is lost');
    }
  });
