import t from 'tap';
import { parseAllDocuments, stringify } from 'yaml';
import { type AdminServer, serveAdmin } from '../../src/api/admin-server.ts';
import type { FollowedWay } from '../../src/cli/explain/follow-way.ts';
import { type ListenAddress, showAddress } from '../../src/model/values/listen-address.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, type Mesh, until } from '../support/mesh.ts';
import { startInstance } from '../support/planes/evacuating.ts';
import { runCli } from '../support/planes/run-cli.ts';

// A request that enters another IDC: what happens there is what the control plane of that IDC says, whose
// registry and whose proxies know what the first one does not; and it is what really happens.

/** An instance that answers its IDC; `health`: what it answers to checks. */
async function instance(idc: string, health = 200) {
  const one = await startInstance(t, ({ url }, response) =>
    response.writeHead(url === '/health' ? health : 200).end(idc),
  );
  return { idc, at: one.at, address: showAddress(one.at), down: one.down };
}

const here = await instance('sh-a');
const [well, sick] = [await instance('sh-b'), await instance('sh-b', 503)];
const far = await instance('sh-c');
const world = await startIdcs({
  idcs: ['sh-a', 'sh-b', 'sh-c'],
  hopLimit: 2,
  groups: [
    { name: 'one', instances: [here, well, sick], health: '/health' },
    // sh-b has no instance of these, and its control plane alone knows that.
    { name: 'two', instances: [well, far] },
    { name: 'three', instances: [well, far], drGroup: { hopLimit: 1 } },
  ],
});
t.teardown(() => world.close());
const idcs = ['sh-a', 'sh-b', 'sh-c'];
const admins = new Map<string, ListenAddress>();
for (const idc of idcs) admins.set(idc, await freeAddress());
const at = (idc: string) => showAddress(admins.get(idc) as ListenAddress);
const servers = new Map<string, AdminServer>();
for (const idc of idcs) {
  const { plane } = world.meshes.get(idc) as Mesh;
  servers.set(idc, await serveAdmin(plane, admins.get(idc) as ListenAddress, undefined));
}
t.teardown(() => Promise.all([...servers.values()].map((server) => server.close())));

/**
 * The registry of an IDC, whose Idcs name their control planes; of sh-b without its instances of two
 * Groups.
 */
function registryOf(idc: string): string {
  const documents = parseAllDocuments(world.registry.get(idc) ?? '').map((one) => one.toJS());
  for (const { kind, metadata, spec } of documents) {
    if (kind === 'Idc') spec.controlPlanes = [at(metadata.name)];
    if (kind === 'ServiceEntry' && idc === 'sh-b' && metadata.name !== 'one')
      spec.endpoints = spec.endpoints.filter(({ locality }: { locality: string }) => locality !== 'sh-b');
  }
  return documents.map((one) => stringify(one)).join('---\n');
}

for (const idc of idcs) (world.meshes.get(idc) as Mesh).save('all.yaml', registryOf(idc));

const explain = (host: string, ...args: string[]) =>
  runCli('explain', '--admin', at('sh-a'), '--from', 'sh-a/caller', '--host', host, ...args);
const explained = async (host: string, ...args: string[]): Promise<FollowedWay> =>
  JSON.parse((await explain(host, ...args, '-o', 'json')).out);

/** What the caller gets, and the trails with which it came to ingress gateways, so many; tries count once. */
async function requested(host: string, crossings = 1) {
  const path = `/${Math.random().toString(36).slice(2)}`;
  const { status, body } = await get(world.outbound, path, { host });
  const trails = () => {
    const peers = world.accessLines().filter((line) => line.path === path && line.listener === 'peer');
    return [...new Set(peers.map(({ trail }) => trail))].sort();
  };
  await until('it is logged', () => trails().length >= crossings);
  return { status, body, trails: trails() };
}

t.test('health in another IDC is as its own control plane says', async (t) => {
  const assumed = ['--if', `${here.address}=down`];
  let way = await explained('one.test', ...assumed);
  await until('sh-b has found out', async () => {
    way = await explained('one.test', ...assumed);
    return way.hops[2]?.choices[0]?.hosts.some(({ health }) => health === 'unhealthy') === true;
  });
  t.match(way, {
    ...{ served: 'away', by: 'sh-b', notAsked: [] },
    hops: [
      { idc: 'sh-a', at: 'sh-a/caller' },
      { idc: 'sh-a', listener: 'sidecar' },
      {
        idc: 'sh-b',
        toldBy: at('sh-b'),
        health: 'proxies',
        readAt: ['sh-b-ingress'],
        trail: ['sh-a', 'sh-b'],
      },
    ],
  });
  t.strictSame(
    way.hops[2]?.choices[0]?.hosts.map(({ address, isUsable }) => [address, isUsable]).sort(),
    [
      [well.address, true],
      [sick.address, false],
    ].sort(),
  );
  t.notMatch(way.notes, [/by the registry of sh-a/]);
  const { out, code } = await explain('one.test', ...assumed);
  t.equal(code, 1);
  t.match(out, '1. sh-a/caller sends it to sh-a/egress-1 (sh-a-egress).');
  t.match(out, / {2}sh-a\/egress-1 \(sh-a-egress\) {2}healthy/, 'as in the sentence');
  t.match(out, '2. An egress gateway of sh-a sends it to sh-b/ingress-1.');
  t.match(out, `3. sh-b/ingress-1 (sh-b-ingress) sends it to ${well.address} in sh-b.`);
  t.match(out, `   As the control plane of sh-b at ${at('sh-b')} says.\n`);
  here.down();
  const really = await requested('one.test');
  t.match(really, { status: 200, body: 'sh-b', trails: ['sh-a,sh-b'] });
});

t.test('an assumption goes with the request: what only the other IDC knows may be up or down', async (t) => {
  const nobody = await explained('one.test', '--if', `${here.address}=down`, 'one.test@sh-b=down');
  t.match(nobody, { served: 'nobody', status: 503 });
  const up = await explained('one.test', '--if', `${here.address}=down`, `${sick.address}=up`);
  t.match(
    up.hops.at(-1)?.choices[0]?.hosts.find(({ address }) => address === sick.address),
    { health: 'healthy', isUsable: true, why: 'assumed' },
  );
});

t.test('a gateway of another IDC may be named by its place or its node id, whoever is asked', async (t) => {
  const admin = ['--admin', at('sh-b')];
  for (const name of ['sh-b/ingress-1', 'sh-b/sh-b-ingress', 'sh-b-ingress'])
    for (const more of [[], admin]) {
      const { out, err } = await explain('one.test', '--if', `${here.address}=down`, `${name}=down`, ...more);
      t.match(out, /^Assumed down: the ingress gateway of sh-b at /m, `${name} ${more}: ${err}`);
      t.match(out, /^sh-c serves it|^NOBODY serves it/m, name);
    }
  const way = await explained('one.test', '--if', 'sh-b/sh-b-ingress=down');
  t.match(way.assumed, [{ name: 'sh-b/sh-b-ingress', state: 'down' }], 'as it was given');
  const wrong = await explain('one.test', '--if', 'sh-b/sh-b-ingres=down', ...admin);
  t.equal(wrong.code, 2);
  t.match(wrong.err, /^isthmus: no IDC, gateway or instance of one\.test is named 'sh-b\/sh-b-ingres': /);
  t.notMatch(wrong.err, 'this control plane is of sh-b', 'what hides the cause');
  const edge = await runCli(
    'explain',
    '--admin',
    at('sh-b'),
    '--from',
    'sh-b/ingress-1',
    '--host',
    'one.test',
  );
  t.match(edge.out, /^GET \/ to one\.test:80 from sh-b\/ingress-1 \(sh-b-ingress\):/);
  t.match(edge.out, /^1\. sh-b\/ingress-1 \(sh-b-ingress\) sends it to /m);
});

t.test('nobody there: the first control plane decides anew, as the egress gateway really does', async (t) => {
  for (const [host, trails, toldBy] of [
    // sh-b hands it on itself.
    ['two.test', ['sh-a,sh-b', 'sh-a,sh-b,sh-c'], ['sh-b', 'sh-b', 'sh-c']],
    // It may not: sh-a asks sh-c.
    ['three.test', ['sh-a,sh-b', 'sh-a,sh-c'], ['sh-b', undefined, 'sh-c']],
  ] as const) {
    const really = await requested(host, trails.length);
    t.match(really, { status: 200, body: 'sh-c' });
    t.strictSame(really.trails, trails);
    const way = await explained(host);
    t.match(way, { served: 'away', by: 'sh-c', notAsked: [] }, host);
    const peers = way.hops.filter(({ listener }) => listener === 'peer');
    t.strictSame(
      peers.map(({ trail }) => trail.join()),
      trails,
      host,
    );
    t.strictSame(
      way.hops.slice(2).map((hop) => hop.toldBy),
      toldBy.map((idc) => idc && at(idc)),
      host,
    );
  }
  t.match(
    await (world.meshes.get('sh-a') as Mesh).plane.explain('two.test', {
      from: 'sh-a/caller',
      path: '/',
      method: 'GET',
    }),
    { by: 'sh-b' },
    'the control: what sh-a alone supposes is wrong',
  );
});

t.test('a control plane that does not answer, or that nobody names, is told', async (t) => {
  await servers.get('sh-b')?.close();
  servers.delete('sh-b');
  const { out, code } = await explain('three.test');
  t.equal(code, 1);
  t.match(
    out,
    `! What happens in sh-b is not as its own control plane says: the control plane at ${at('sh-b')} does not answer`,
  );
  t.match(out, /^Note: What happens in sh-b is by the registry of sh-a/m);
  t.match(await explained('three.test'), { by: 'sh-b', notAsked: [{ idc: 'sh-b' }] });

  const a = world.meshes.get('sh-a') as Mesh;
  a.save('all.yaml', registryOf('sh-a').replaceAll(/ +controlPlanes:\n.*\n/g, ''));
  await until('it has read the file', async () =>
    /names no control plane/.test((await explain('three.test')).out),
  );
  const { plane } = world.meshes.get('sh-b') as Mesh;
  servers.set('sh-b', await serveAdmin(plane, admins.get('sh-b') as ListenAddress, undefined));
  const given = await explained('three.test', '--admin', at('sh-b'), '--admin', at('sh-c'));
  t.match(given, { by: 'sh-c', notAsked: [] }, 'those that the user names');
});
