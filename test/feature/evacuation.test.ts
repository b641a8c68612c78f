import { createServer, type Server } from 'node:http';
import t, { type Test } from 'tap';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { tcpInstance, who } from '../support/apps/tcp.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, type Mesh, until } from '../support/mesh.ts';
import { freePort } from '../support/port.ts';

// Three IDCs; a Group each that: says nothing, prefers its zone, sticks, warms up, is TCP.
const idcs = ['sh-a', 'sh-b', 'sh-c'] as const;
const places = idcs.flatMap((idc) => ['z1', 'z2'].map((zone) => ({ idc, zone, name: `${idc}/${zone}` })));
const servers = new Map<string, Server>();
const addresses = new Map<string, ListenAddress>();
for (const { name } of places) addresses.set(name, await freeAddress());

function start(name: string): Promise<void> {
  const server = createServer((request, response) => {
    request.resume().once('end', () => response.end(name));
  });
  servers.set(name, server);
  const { port, address } = addresses.get(name) as ListenAddress;
  return new Promise((resolve) => server.listen(port, address, resolve));
}

function stop(name: string): Promise<void> {
  const server = servers.get(name) as Server;
  servers.delete(name);
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

for (const { name } of places) await start(name);
const instances = places.map(({ name, ...place }) => ({
  ...place,
  at: addresses.get(name) as ListenAddress,
}));
const tcp = new Map(await Promise.all(idcs.map(async (idc) => [idc, await tcpInstance(idc)] as const)));
for (const one of tcp.values()) await one.start();
const tcpPort = await freePort('127.0.0.1');
const world = await startIdcs({
  idcs,
  hopLimit: 2,
  exposeReady: true,
  groups: [
    ...['plain', 'zoned', 'sticky', 'warm'].map((name) => ({ name, instances, health: '/' })),
    {
      name: 'bytes',
      tcpPort,
      instances: idcs.map((idc) => ({ idc, at: tcp.get(idc) as ListenAddress })),
    },
  ],
});
t.teardown(async () => {
  await world.close();
  for (const name of [...servers.keys()]) await stop(name);
  for (const one of tcp.values()) await one.kill();
});
const policies = {
  zoned: '{localityLbSetting: {enabled: true}}',
  sticky: '{consistentHash: {httpHeaderName: x-user}}',
  warm: '{simple: ROUND_ROBIN, warmup: {duration: 60s, minimumPercent: 5}}',
};
const rules = Object.entries(policies).map(
  ([name, policy]) => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${name}, namespace: test}
spec: {host: ${name}.test, trafficPolicy: {loadBalancer: ${policy}}}
`,
);
for (const mesh of world.meshes.values()) mesh.save('rules.yaml', rules.join('---'));
const caller = await freeAddress('127.0.0.52');
const home = world.meshes.get('sh-a') as Mesh;
const scope = { role: 'sidecar', idc: 'sh-a', namespace: 'test', zone: 'z1', outbound: caller } as const;
await home.envoy('caller-z1', scope);
const edge = world.gateways.get('sh-a')?.edge as ListenAddress;
const bytes = { address: caller.address, port: tcpPort };

/** Writes this evacuation of sh-a, in each IDC's own registry; undefined: none. */
function evacuate(percent: number | undefined, more = ''): void {
  const spec = `{idc: sh-a, percent: ${percent}, expires: '${new Date(Date.now() + 3_600_000).toISOString()}'${more}}`;
  const text = `
apiVersion: isthmus.dev/v1alpha1
kind: Evacuation
metadata: {name: e}
spec: ${spec}
`;
  for (const mesh of world.meshes.values()) mesh.save('evacuation.yaml', percent === undefined ? '' : text);
}

/** What an edge says to who asks whether clients are to come. */
async function ready(idc: string): Promise<number> {
  const at = world.gateways.get(idc)?.edge as ListenAddress;
  return (await get(at, '/.isthmus/ready')).status;
}

/** Who answered so many requests, by IDC; what was no 200 by its status. */
async function spread(
  to: ListenAddress,
  name: string,
  { count = 200, method = 'GET' }: { readonly count?: number; readonly method?: string } = {},
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < count; i += 1) {
    const { status, body } = await get(to, '/', {
      ...{ host: `${name}.test`, method },
      headers: { 'x-user': `user-${i % 50}`, ...(method === 'GET' ? {} : { 'content-length': '0' }) },
    });
    const where = status === 200 ? (body.split('/', 1)[0] as string) : String(status);
    counts[where] = (counts[where] ?? 0) + 1;
  }
  t.comment(`${name} ${method}: ${JSON.stringify(counts)}`);
  return counts;
}

/** Waits until some leave, and the share that does is about this. */
function untilLeaving(percent: number): Promise<void> {
  return until(`${percent} % leave`, async () => {
    const { 'sh-a': stay = 0 } = await spread(caller, 'plain', { count: 40 });
    const left = 40 - stay;
    return left > 0 && Math.abs(left - 0.4 * percent) <= 10;
  });
}

const names = ['plain', 'zoned', 'sticky', 'warm'];

/** Each way to each Group gives away this share: all of it, or within four standard deviations. */
async function shares(t: Test, percent: number, to: string): Promise<void> {
  const slack = 4 * Math.sqrt((200 * percent * (100 - percent)) / 10_000);
  const judge = (what: string, counts: Record<string, number>) => {
    const { 'sh-a': stay = 0, [to]: left = 0 } = counts;
    t.equal(stay + left, 200, `${what}: none failed, and none went elsewhere`);
    t.ok(Math.abs(left - 2 * percent) <= slack, `${what}: ${left / 2} % left, of ${percent}`);
  };
  for (const name of names) judge(name, await spread(caller, name));
  judge('POST', await spread(caller, 'plain', { method: 'POST' }));
  judge('at the edge', await spread(edge, 'plain'));
  const counts: Record<string, number> = {};
  for (let i = 0; i < 200; i += 1) {
    const where = (await who(bytes)) ?? 'none';
    counts[where] = (counts[where] ?? 0) + 1;
  }
  t.comment(`bytes: ${JSON.stringify(counts)}`);
  judge('connections', counts);
}

t.test('no request leaves before', async (t) => {
  await until('warm', async () => (await spread(caller, 'warm', { count: 10 }))['sh-a'] === 10);
  await shares(t, 0, 'sh-b');
  await until(
    'the own zone',
    async () => (await get(caller, '/', { host: 'zoned.test' })).body === 'sh-a/z1',
  );
});

for (const percent of [10, 50, 90])
  t.test(`${percent} % leave, whatever the Group asks of its balancing`, async (t) => {
    evacuate(percent);
    await untilLeaving(percent);
    await shares(t, percent, 'sh-b');
    t.equal(await ready('sh-a'), 200, 'clients may still come');
  });

t.test('at 100 % all leave, and those that come from elsewhere are still served', async (t) => {
  evacuate(100);
  await until('all leave', async () => (await spread(caller, 'plain', { count: 40 }))['sh-b'] === 40);
  await shares(t, 100, 'sh-b');
  await until('the edge says so', async () => (await ready('sh-a')) === 503);
  t.equal(await ready('sh-b'), 200, 'not that of another IDC');
  const { status, body } = await get(edge, '/.isthmus/ready', { host: 'plain.test' });
  t.strictSame([status, body.split('/')[0]], [200, 'sh-b'], "a Group's paths are its own");
});

t.test('session affinity holds while all leave', async (t) => {
  const first = new Map<string, string>();
  for (let i = 0; i < 100; i += 1) {
    const user = `user-${i % 10}`;
    const { body } = await get(caller, '/', { host: 'sticky.test', headers: { 'x-user': user } });
    const where = first.get(user) ?? body;
    first.set(user, where);
    t.equal(body, where, user);
  }
});

t.test(
  'for the others it is the last: with one gone the third serves, with both gone all requests return',
  async (t) => {
    for (const zone of ['z1', 'z2']) await stop(`sh-b/${zone}`);
    await tcp.get('sh-b')?.kill();
    await until('the third', async () => (await spread(caller, 'plain', { count: 40 }))['sh-c'] === 40);
    await shares(t, 100, 'sh-c');
    const from = world.gateways.get('sh-b')?.edge as ListenAddress;
    t.strictSame(
      await spread(from, 'plain'),
      { 'sh-c': 200 },
      'from sh-b as well, though sh-a comes first there',
    );
    for (const zone of ['z1', 'z2']) await stop(`sh-c/${zone}`);
    await tcp.get('sh-c')?.kill();
    for (const method of ['GET', 'POST'])
      for (const name of names)
        t.strictSame(
          await spread(caller, name, { method }),
          { 'sh-a': 200 },
          `${name} ${method}: none failed`,
        );
    t.equal((await get(caller, '/', { host: 'zoned.test' })).body, 'sh-a/z1', 'the own zone first');
    t.strictSame(await spread(edge, 'plain', { method: 'POST' }), { 'sh-a': 200 }, 'at the edge');
    for (const method of ['GET', 'POST'])
      t.strictSame(
        await spread(from, 'plain', { method }),
        { 'sh-a': 200 },
        'and from sh-b: it is still there',
      );
    // The way out takes every connection, and only then learns that nobody is there.
    t.not(await who(bytes), 'sh-a', 'but connections: these come home when it ends');
  },
);

t.test('requests leave again for an IDC that is back, and return at the end', async (t) => {
  for (const zone of ['z1', 'z2']) await start(`sh-b/${zone}`);
  await until('all leave', async () => (await spread(caller, 'plain', { count: 40 }))['sh-b'] === 40);
  evacuate(undefined);
  await until('the edge is ready', async () => (await ready('sh-a')) === 200);
  await until('all are home', async () => (await spread(caller, 'plain', { count: 40 }))['sh-a'] === 40);
  await shares(t, 0, 'sh-b');
});
