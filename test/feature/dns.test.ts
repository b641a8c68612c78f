import { createServer, type Server } from 'node:http';
import t from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { startDns } from '../../src/drill/world/dns-server.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { talk, tcpInstance } from '../support/apps/tcp.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, startMesh, until } from '../support/mesh.ts';
import { idcYaml } from '../support/objects-yaml.ts';
import { freePort } from '../support/port.ts';

const entry = (name: string, spec: string) => `
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: shop}
spec: ${spec}
`;

/**
 * Servers on one port of several loopback addresses, each of which answers with its address and the host it
 * was asked for.
 */
async function serversAt(addresses: readonly string[], port: number): Promise<{ close(): void }> {
  const servers = await Promise.all(
    addresses.map(
      (address) =>
        new Promise<Server>((resolve) => {
          const server = createServer((request, response) =>
            response.end(`${address} ${request.headers.host}`),
          ).listen(port, address, () => resolve(server));
        }),
    ),
  );
  return {
    close() {
      for (const server of servers) server.closeAllConnections();
      for (const server of servers) server.close();
    },
  };
}

/** The addresses that answered `count` requests for a host. */
async function answerers(outbound: ListenAddress, host: string, count = 12): Promise<string[]> {
  const found = new Set<string>();
  for (let i = 0; i < count; i += 1) {
    const { status, body } = await get(outbound, '/', { host });
    found.add(status === 200 ? (body.split(' ')[0] as string) : String(status));
  }
  return [...found].sort();
}

t.test('the sidecar resolves names, and follows changes', async (t) => {
  const dns = await startDns();
  const port = await freePort('127.0.1.1');
  const servers = await serversAt(['127.0.1.1', '127.0.1.2', '127.0.1.3'], port);
  const tcp = await tcpInstance('db');
  const tcpPort = await freePort();
  dns.say('api.example.com', { addresses: ['127.0.1.1'] });
  dns.say('one.internal', { addresses: ['127.0.1.1', '127.0.1.2'] });
  dns.say('two.internal', { addresses: ['127.0.1.3'] });
  dns.say('round.example.com', { addresses: ['127.0.1.2', '127.0.1.1'] });
  dns.say('db.example.com', { addresses: [tcp.address] });
  const http = `ports: [{number: ${port}, name: http, protocol: HTTP}]`;
  const mesh = await startMesh('sh-a', {
    'all.yaml': [
      idcYaml,
      // Istio's own example of an external service: no location, no endpoints.
      entry('api', `{hosts: [api.example.com], resolution: DNS, ${http}}`),
      entry(
        'names',
        `{hosts: [names.shop], location: MESH_INTERNAL, resolution: DNS, ${http}, endpoints: [{address: one.internal}, {address: two.internal.}]}`,
      ),
      entry('round', `{hosts: [round.example.com], resolution: DNS_ROUND_ROBIN, ${http}}`),
      entry('silent', `{hosts: [silent.example.com], resolution: DNS, ${http}}`),
      entry(
        'db',
        `{hosts: [db.example.com], resolution: DNS, ports: [{number: ${tcpPort}, targetPort: ${tcp.port}, name: tcp, protocol: TCP}]}`,
      ),
    ].join(''),
  });
  t.teardown(async () => {
    await mesh.close();
    await tcp.kill();
    servers.close();
    await dns.close();
  });
  await tcp.start();
  dns.say('silent.example.com', 'silent');
  const outbound = await freeAddress();
  const scope = { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound } as const;
  const began = systemClock.now();
  await mesh.envoy('caller', scope, { dns: [dns] });
  t.ok(systemClock.now() - began < 30_000, 'a name that no server answers for does not hold the proxy up');

  const { body } = await get(outbound, '/', { host: 'api.example.com' });
  t.equal(body, '127.0.1.1 api.example.com', 'an external host without endpoints is resolved itself');
  t.equal((await get(outbound, '/', { host: 'silent.example.com' })).status, 503);
  t.strictSame(await answerers(outbound, 'names.shop', 24), ['127.0.1.1', '127.0.1.2', '127.0.1.3']);
  t.strictSame(
    await answerers(outbound, 'round.example.com'),
    ['127.0.1.2'],
    'the first address of the answer',
  );
  t.equal(await talk({ address: '127.0.0.1', port: tcpPort }, 'x'), 'db\nx', 'a TCP port');

  // The record's time to live is one second: what it says next is followed.
  dns.say('api.example.com', { addresses: ['127.0.1.2'] });
  await until(
    'the new address is used',
    async () => (await answerers(outbound, 'api.example.com', 2))[0] === '127.0.1.2',
  );
  for (const failure of ['fails', 'silent'] as const) {
    const before = dns.questions('api.example.com');
    dns.say('api.example.com', failure);
    await until(`it asks again: ${failure}`, () => dns.questions('api.example.com') > before + 3);
    t.strictSame(
      await answerers(outbound, 'api.example.com'),
      ['127.0.1.2'],
      `${failure}: the last address stays`,
    );
  }
  dns.say('api.example.com', { addresses: ['127.0.1.3'] });
  await until(
    'it is found again',
    async () => (await answerers(outbound, 'api.example.com', 2))[0] === '127.0.1.3',
  );

  // What came late is found without a push.
  dns.say('silent.example.com', { addresses: ['127.0.1.1'] });
  await until(
    'the late one',
    async () => (await get(outbound, '/', { host: 'silent.example.com' })).status === 200,
  );

  // That a name is gone is an answer, and counts; it is asked for again within seconds all the same.
  dns.say('api.example.com', undefined);
  await until(
    'it is gone',
    async () => (await get(outbound, '/', { host: 'api.example.com' })).status === 503,
  );
  dns.say('api.example.com', { addresses: ['127.0.1.1'] });
  const gone = systemClock.now();
  await until(
    'it is back',
    async () => (await get(outbound, '/', { host: 'api.example.com' })).status === 200,
  );
  t.ok(systemClock.now() - gone < 50_000, 'long before the 60 s of Envoy and Istio');
});

t.test('an internal Group of names: each IDC has its own, and fails over to the other', async (t) => {
  const dns = await startDns();
  const port = await freePort('127.0.1.1');
  let near = await serversAt(['127.0.1.1'], port);
  const far = await serversAt(['127.0.1.2'], port);
  dns.say('a.internal', { addresses: ['127.0.1.1'] });
  dns.say('b.internal', { addresses: ['127.0.1.2'] });
  const place = (idc: string, address: string) => ({ idc, at: { address, port } });
  const world = await startIdcs({
    idcs: ['sh-a', 'sh-b'],
    hopLimit: 1,
    dns: [dns],
    groups: [
      {
        name: 'shop',
        resolution: 'DNS',
        instances: [place('sh-a', 'a.internal'), place('sh-b', 'b.internal')],
      },
    ],
  });
  t.teardown(async () => {
    await world.close();
    near.close();
    far.close();
    await dns.close();
  });
  const edge = world.gateways.get('sh-a')?.edge as ListenAddress;
  const ways = [
    { name: 'the sidecar', to: world.outbound },
    { name: 'the edge', to: edge },
  ];
  for (const { name, to } of ways) {
    await until(`served at ${name}`, async () => (await answerers(to, 'shop.test', 1))[0] === '127.0.1.1');
    t.strictSame(await answerers(to, 'shop.test'), ['127.0.1.1'], `${name}: the own IDC first`);
  }
  near.close();
  for (const { name, to } of ways)
    t.strictSame(await answerers(to, 'shop.test'), ['127.0.1.2'], `${name}: not one request is lost`);
  near = await serversAt(['127.0.1.1'], port);
  await until('back', async () => (await answerers(world.outbound, 'shop.test', 1))[0] === '127.0.1.1');
  dns.say('a.internal', undefined);
  await until(
    'a name that is gone is nobody',
    async () => (await answerers(world.outbound, 'shop.test', 1))[0] === '127.0.1.2',
  );
});

t.test(
  'external hosts: sidecars reach them directly, also those of other localities; the edge does not',
  async (t) => {
    const port = await freePort('127.0.1.1');
    const near = await serversAt(['127.0.1.1'], port);
    const far = await serversAt(['127.0.1.2'], port);
    const [edge, peer, outbound] = [await freeAddress(), await freeAddress(), await freeAddress()];
    const mesh = await startMesh('sh-a', {
      'all.yaml':
        idcYaml +
        entry(
          'db',
          `{hosts: [api.example.com], resolution: DNS, ports: [{number: ${port}, name: http, protocol: HTTP}],
          endpoints: [{address: 127.0.1.2, locality: eu-1}, {address: 127.0.1.1, locality: sh-a}]}`,
        ),
    });
    t.teardown(async () => {
      await mesh.close();
      near.close();
      far.close();
    });
    await Promise.all([
      mesh.envoy('caller', { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound }),
      mesh.envoy('ingress', { role: 'ingress', idc: 'sh-a', edge, peer }),
    ]);
    t.strictSame(await answerers(outbound, 'api.example.com'), ['127.0.1.1'], 'the own locality first');
    near.close();
    t.strictSame(await answerers(outbound, 'api.example.com'), ['127.0.1.2'], 'then any other');
    t.equal((await get(edge, '/', { host: 'api.example.com' })).status, 404, 'an ingress is no open proxy');
  },
);
