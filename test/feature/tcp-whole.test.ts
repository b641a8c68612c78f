import t from 'tap';
import { type Exchange, exchange, exchangeServer } from '../support/apps/tcp-exchange.ts';
import { type Loose, startPatched } from '../support/envoys/patched.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, type Mesh, until } from '../support/mesh.ts';

// A TCP connection delivers every byte and each end's end, near and to another IDC, whoever ends first.
const [near, far] = [await exchangeServer(), await exchangeServer()];
for (const server of [near, far]) t.teardown(() => server.close());
const ports = { near: (await freeAddress()).port, far: (await freeAddress()).port };
const world = await startIdcs({
  idcs: ['sh-a', 'sh-b'],
  hopLimit: 1,
  groups: [
    { name: 'near', tcpPort: ports.near, instances: [{ idc: 'sh-a', at: near }] },
    { name: 'far', tcpPort: ports.far, instances: [{ idc: 'sh-b', at: far }] },
  ],
});
t.teardown(() => world.close());

/** A sidecar of more than one worker: a connection to itself may come to another one. */
const outbound = await freeAddress('127.0.0.2');
await (world.meshes.get('sh-a') as Mesh).envoy(
  'wide',
  { role: 'sidecar', idc: 'sh-a', namespace: 'test', outbound },
  { workers: 3 },
);
const at = (port: number, address = outbound.address) => ({ address, port });

const sizes = { '6 bytes': 6, '100 KiB': 102_400, '10 MiB': 10_485_760 };
const counts = { '6 bytes': 50, '100 KiB': 30, '10 MiB': 3 };

/** Who ends first, and what the other does then. */
const orders: Record<string, (bytes: number) => Exchange> = {
  'the server sends and ends first': (bytes) => ({
    server: { sends: bytes },
    client: { begins: 'after-end' },
  }),
  'so, to a client that reads late': (bytes) => ({
    server: { sends: bytes },
    client: { begins: 'after-end', readsAfterMs: 200 },
  }),
  'the client sends and ends first, and the server then answers': (bytes) => ({
    client: { sends: bytes },
    server: { sends: bytes, begins: 'after-end' },
  }),
  'the client sends and ends first, to a server that reads late': (bytes) => ({
    client: { sends: bytes },
    server: { begins: 'after-end', readsAfterMs: 200 },
  }),
};
const reset: Exchange = { server: { sends: 6, leaves: 'reset' }, client: { begins: 'after-end' } };

for (const [where, server] of [
  ['near', near],
  ['far', far],
] as const) {
  t.test(`${where}: every byte arrives, and each end's end`, async (t) => {
    const to = at(ports[where]);
    const one = { client: { sends: 6 }, server: { begins: 'after-end' } } as const;
    await until('it is served', async () => Object.keys(await exchange(to, server, one, 1)).length === 0);
    for (const [order, parts] of Object.entries(orders))
      for (const size of ['6 bytes', '100 KiB', '10 MiB'] as const)
        t.strictSame(await exchange(to, server, parts(sizes[size]), counts[size]), {}, `${size}: ${order}`);
  });

  t.test(`${where}: two hundred connections at once`, async (t) => {
    for (const order of Object.values(orders))
      t.strictSame(await exchange(at(ports[where]), server, order(20_000), 200), {});
  });

  t.test(`${where}: a server's reset is a reset`, async (t) => {
    t.strictSame(await exchange(at(ports[where]), server, reset, 20), {});
  });
}

t.test('near: also what a client sends when the server has ended, and its reset', async (t) => {
  const later: Exchange = {
    server: { sends: 6 },
    client: { sends: 102_400, begins: 'after-end' },
  };
  t.strictSame(await exchange(at(ports.near), near, later, 20), {});
  const resets: Exchange = { client: { sends: 6, leaves: 'reset' }, server: { begins: 'after-end' } };
  t.strictSame(await exchange(at(ports.near), near, resets, 20), {});
});

const internalListener: Loose = {
  name: 'envoy.bootstrap.internal_listener',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener',
  },
};

/** Whether a sidecar that is altered so still loses nothing when the server ends first. */
async function isWhole(t: Tap, address: string, patch: (message: Loose) => void): Promise<boolean> {
  const patched = await startPatched({
    scope: { role: 'sidecar', idc: 'sh-a', namespace: 'test', outbound: await freeAddress(address) },
    yaml: world.registry.get('sh-a') as string,
    bootstrap: { bootstrap_extensions: [internalListener] },
    patch,
  });
  t.teardown(() => patched.close());
  const parts = orders['the server sends and ends first']?.(102_400) as Exchange;
  return Object.keys(await exchange(at(ports.far, address), far, parts, 20)).length === 0;
}
type Tap = { teardown(end: () => Promise<void>): void };

t.test('control: through an internal listener the last bytes are lost', async (t) => {
  t.equal(await isWhole(t, '127.0.0.3', () => {}), true, 'as it is pushed');
  const internal = (message: Loose) => {
    if (!message.name?.startsWith('tunnel/')) return;
    if (message['@type'].endsWith('.Listener')) {
      delete message.address;
      delete message.filter_chains[0].filter_chain_match;
      message.internal_listener = {};
    } else {
      delete message.upstream_bind_config;
      message.load_assignment.endpoints[0].lb_endpoints[0].endpoint.address = {
        envoy_internal_address: { server_listener_name: message.name },
      };
    }
  };
  t.equal(await isWhole(t, '127.0.0.4', internal), false);
});
