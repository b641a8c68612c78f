import { createServer, type Server } from 'node:http';
import t from 'tap';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, type Mesh, until } from '../support/mesh.ts';
import { freePort } from '../support/port.ts';

const places = [
  { name: 'z1-a', idc: 'sh-a', zone: 'z1' },
  { name: 'z1-b', idc: 'sh-a', zone: 'z1' },
  { name: 'z2-a', idc: 'sh-a', zone: 'z2' },
  { name: 'z2-b', idc: 'sh-a', zone: 'z2' },
  { name: 'far', idc: 'sh-b', zone: 'z1' },
] as const;
type Name = (typeof places)[number]['name'];

const addresses = new Map<Name, ListenAddress>();
for (const { name } of places) addresses.set(name, await freeAddress());
const servers = new Map<Name, Server>();

async function start(name: Name): Promise<void> {
  const server = createServer((_request, response) => response.end(name));
  const at = addresses.get(name) as ListenAddress;
  await new Promise<void>((resolve) => server.listen(at.port, at.address, resolve));
  servers.set(name, server);
}

function stop(name: Name): Promise<void> {
  const server = servers.get(name) as Server;
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Each sidecar listens there at its own address. */
const tcpPort = await freePort('127.0.0.1');
for (const { name } of places) await start(name);
const instances = places.map(({ name, ...place }) => ({
  ...place,
  at: addresses.get(name) as ListenAddress,
}));
const world = await startIdcs({
  idcs: ['sh-a', 'sh-b'],
  hopLimit: 1,
  ingressZones: { 'sh-a': 'z2' },
  groups: [
    { name: 'zoned', instances },
    { name: 'plain', instances },
    { name: 'bytes', instances, tcpPort },
    { name: 'away', instances: instances.filter(({ idc }) => idc === 'sh-a') },
  ],
});
const mesh = world.meshes.get('sh-a') as Mesh;
t.teardown(async () => {
  await world.close();
  for (const { name } of places) await stop(name);
});
mesh.save(
  'rule.yaml',
  ['zoned', 'away', 'bytes']
    .map(
      (name) => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${name}, namespace: test}
spec:
  host: ${name}.test
  trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: true}}}
`,
    )
    .join('---'),
);
const [sidecar1, sidecar2] = [await freeAddress('127.0.0.51'), await freeAddress('127.0.0.52')];
const tcp1 = { address: sidecar1.address, port: tcpPort };
/** In zone z2; clients of the other one come in by its peer listener, as `away` is here alone. */
const [edge, elsewhere] = ['sh-a', 'sh-b'].map((idc) => world.gateways.get(idc)?.edge as ListenAddress) as [
  ListenAddress,
  ListenAddress,
];
const caller = { role: 'sidecar', idc: 'sh-a', namespace: 'test' } as const;
await mesh.envoy('caller-z1', { ...caller, zone: 'z1', outbound: sidecar1 });
await mesh.envoy('caller-z2', { ...caller, zone: 'z2', outbound: sidecar2 });

/** Where 200 requests were answered, by zone, and by IDC beyond; what was no 200 by its status. */
async function spread(from: ListenAddress, name: string, method = 'GET'): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < 200; i += 1) {
    const { status, body } = await get(from, '/', { host: `${name}.test`, method });
    const where = status === 200 ? (body.split('-', 1)[0] as string) : String(status);
    counts[where] = (counts[where] ?? 0) + 1;
  }
  t.comment(`${name}: ${JSON.stringify(counts)}`);
  return counts;
}

t.test('while all are healthy, each zone serves itself', async (t) => {
  await until(
    'the rule is there',
    async () => (await spread(sidecar1, 'zoned')).z1 === 200 && (await spread(sidecar2, 'zoned')).z2 === 200,
  );
  t.strictSame(await spread(edge, 'zoned'), { z2: 200 }, 'at the edge as well');
  t.strictSame(await spread(elsewhere, 'away'), { z2: 200 }, 'and for another IDC');
  t.strictSame(await spread(tcp1, 'bytes'), { z1: 200 }, 'and for connections');
  for (const [what, counts] of [
    ['without the setting', await spread(sidecar1, 'plain')],
    ['without a zone', await spread(world.outbound, 'zoned')],
  ] as const) {
    const { z1 = 0, z2 = 0 } = counts;
    t.equal(z1 + z2, 200, `${what}: the IDC is not left`);
    t.ok(z1 > 50 && z2 > 50, `${what}: all zones alike`);
  }
});

t.test('requests from another IDC fail over to the other zone', async (t) => {
  await stop('z2-a');
  await stop('z2-b');
  t.strictSame(await spread(elsewhere, 'away'), { z1: 200 }, 'none failed');
  t.strictSame(
    await spread(edge, 'zoned', 'POST'),
    { z1: 200 },
    'none failed at the edge, and none left the IDC',
  );
  await start('z2-a');
  await start('z2-b');
  await until('the own zone', async () => (await spread(elsewhere, 'away')).z2 === 200);
  await until('at the sidecar', async () => (await spread(sidecar2, 'zoned')).z2 === 200);
});

t.test('with one of two gone the other serves the zone', async (t) => {
  await stop('z1-a');
  const first = await spread(sidecar1, 'zoned');
  const { z1 = 0, z2 = 0 } = first;
  t.equal(z1 + z2, 200, 'none failed, none left the IDC');
  t.ok(z2 < 20, 'only what met the dead one was tried in the other zone');
  t.strictSame(await spread(tcp1, 'bytes'), { z1: 200 }, 'connections');
});

t.test("with the zone gone the IDC's other zone takes over", async (t) => {
  await stop('z1-b');
  const { z1 = 0, z2 = 0 } = await spread(sidecar1, 'zoned');
  t.strictSame([z1, z2], [0, 200], 'none failed, none left the IDC');
  t.strictSame(await spread(tcp1, 'bytes'), { z2: 200 }, 'connections');
  const control = await spread(sidecar1, 'plain');
  t.comment(`without the setting ${control.far ?? 0} left the IDC`);
});

t.test('with all zones gone another IDC takes over, and a restored zone serves its own', async (t) => {
  await stop('z2-a');
  await stop('z2-b');
  t.strictSame(await spread(sidecar1, 'zoned'), { far: 200 }, 'none failed');
  t.strictSame(await spread(tcp1, 'bytes'), { far: 200 }, 'connections');
  await start('z2-a');
  await start('z2-b');
  await until('the other zone', async () => (await spread(sidecar1, 'zoned')).z2 === 200);
  await start('z1-a');
  await start('z1-b');
  await until('the own zone', async () => (await spread(sidecar1, 'zoned')).z1 === 200);
});
