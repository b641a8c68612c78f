import t from 'tap';
import { startDns } from '../../src/drill/world/dns-server.ts';
import type { NodeScope } from '../../src/model/node.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { idc, service, toYaml } from '../registry/objects.ts';
import { rawExchange } from '../support/clients/raw-http.ts';
import { startBeforeScopes } from '../support/envoys/before-scopes.ts';
import { freeAddress, startMesh, until } from '../support/mesh.ts';

// Hosts as clients may write them, at each listener: a proxy with a table for each host answers as one with a
// table for all, in status, outcome, and in what the application sees.

// Knows no name: what the machine's own says of these hosts, and when, is no part of the test.
const dns = await startDns();
t.teardown(() => dns.close());
const mesh = await startMesh('sh-a', {});
t.teardown(() => mesh.close());
const app = (name: string) =>
  mesh.app((request, response) => response.end(`${name} ${request.headers.host}`));
const [shop, second, wild, deep, own, mixed, unknown] = (await Promise.all(
  ['shop', 'shop 8080', 'wild', 'deep', 'own', 'mixed', 'unknown'].map(app),
)) as [
  ListenAddress,
  ListenAddress,
  ListenAddress,
  ListenAddress,
  ListenAddress,
  ListenAddress,
  ListenAddress,
];

/** A Group of these ports, in the other IDC if it has no instance here. */
function group(host: string, ports: Readonly<Record<number, ListenAddress>>, locality = 'sh-a') {
  const list = Object.entries(ports);
  return service(host.replaceAll(/[.*]/g, '-').replace(/^-+/, '').toLowerCase(), host, {
    workloadSelector: undefined,
    ports: list.map(([number]) => ({ number: Number(number), name: `p${number}`, protocol: 'HTTP' })),
    endpoints: [
      {
        address: '127.0.0.1',
        locality,
        ports: Object.fromEntries(list.map(([number, { port }]) => [`p${number}`, port])),
      },
    ],
  });
}

const near = ['shop.test', '*.wild.test', '*.deep.wild.test', 'own.wild.test', 'mixed.test'];
const far = ['far.test', '*.far.test'];
const drGroup = {
  apiVersion: 'isthmus.dev/v1alpha1',
  kind: 'DrGroup',
  metadata: { name: 'all' },
  spec: { hosts: [...near, ...far], idcs: [{ name: 'sh-a' }, { name: 'sh-b' }], hopLimit: 1 },
};
mesh.save(
  'all.yaml',
  toYaml(
    ...[idc('sh-a'), idc('sh-b'), drGroup],
    group('shop.test', { 80: shop, 8080: second }),
    group('*.wild.test', { 80: wild }),
    group('*.deep.wild.test', { 80: deep }),
    group('own.wild.test', { 80: own }),
    group('Mixed.test', { 80: mixed }),
    ...far.map((host) => group(host, { 80: { address: '', port: 1 } }, 'sh-b')),
  ),
);

/** The listeners of a proxy, each at an address of its own. */
async function listeners(names: readonly string[]): Promise<Record<string, ListenAddress>> {
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await freeAddress()])));
}

/** Proxies of each role; their listeners by a name that says which it is. */
async function startProxies(form: string, xds: readonly ListenAddress[]) {
  const at = (await listeners(['refusing', 'passing', 'edge', 'peer', 'sidecar', 'ingress'])) as Record<
    'refusing' | 'passing' | 'edge' | 'peer' | 'sidecar' | 'ingress',
    ListenAddress
  >;
  const caller = { role: 'sidecar', idc: 'sh-a', namespace: 'shop' } as const;
  const scopes: Readonly<Record<string, NodeScope>> = {
    refusing: { ...caller, outbound: at.refusing },
    passing: { ...caller, outbound: at.passing, unknownHosts: 'pass' },
    ingress: { role: 'ingress', idc: 'sh-a', edge: at.edge, peer: at.peer },
    egress: { role: 'egress', idc: 'sh-a', sidecar: at.sidecar, ingress: at.ingress },
  };
  await Promise.all(
    Object.entries(scopes).map(([name, scope]) => mesh.envoy(`${name}-${form}`, scope, { xds })),
  );
  return at;
}

const before = await startBeforeScopes(mesh.plane.xds);
t.teardown(() => before.close());
await until('the control plane is ready', () => mesh.plane.status().ready);
const old = await startProxies('before', [before.xds]);
const now = await startProxies('now', [mesh.plane.xds]);

/** What comes back for a host: status, outcome, and the body of an application. */
async function ask(to: ListenAddress, host: string, head = 'GET / HTTP/1.1'): Promise<string> {
  const asked = `${head}\r\n${host === 'none' ? '' : `Host: ${host}\r\n`}Connection: close\r\n\r\n`;
  const { status, head: lines, rest } = await rawExchange(to, asked);
  const outcome = lines.find((line) => line.toLowerCase().startsWith('x-isthmus-outcome:'))?.split(' ')[1];
  const body = status === 200 ? rest.replaceAll(/\r\n[0-9a-f]*(\r\n)*|^[0-9a-f]+\r\n/g, '') : '';
  return [status, outcome ?? '', body].join(' ').trim();
}

// Without the trail filter, which says that a request begins here, the egress has no route for it.
for (const { sidecar } of [old, now])
  await until('the egress has its filter', async () => /^503/.test(await ask(sidecar, 'far.test')));

/** What a host gets at a sidecar; `-`: nobody has it. */
const cases: Readonly<Record<string, string>> = {
  'shop.test': 'shop',
  'SHOP.test': 'shop',
  'shop.test:80': 'shop',
  'shop.test:8080': 'shop 8080',
  'Shop.Test:8080': 'shop 8080',
  'shop.test:9999': 'shop',
  'shop.test:': 'shop',
  'shop.test.': 'shop',
  'shop.test.:8080': 'shop 8080',
  'SHOP.TEST.': 'shop',
  'shop.test..': '-',
  'mixed.test': 'mixed',
  'Mixed.test': 'mixed',
  'a.wild.test': 'wild',
  'A.Wild.Test': 'wild',
  'a.b.wild.test': 'wild',
  'a.wild.test:80': 'wild',
  'a.wild.test:9999': 'wild',
  'A.wild.test:9999': 'wild',
  'a.wild.test.': 'wild',
  'a.wild.test..': '-',
  'a.deep.wild.test': 'deep',
  'A.Deep.wild.test:80': 'deep',
  'deep.wild.test': 'wild',
  'own.wild.test': 'own',
  'OWN.wild.test': 'own',
  'own.wild.test.': 'own',
  'Own.Wild.Test.:80': 'own',
  'a.own.wild.test': 'wild',
  'wild.test': '-',
  '.wild.test': '-',
  'nobody.test': '-',
  'NOBODY.test': '-',
  'nobody.test:80': '-',
  'xshop.test': '-',
  test: '-',
  // What the keys and the table of other hosts are made of.
  '*': '-',
  '*:80': '-',
  '*:shop.test': '-',
  '*:shop.test:80': '-',
  '*:a.wild.test:80': 'wild',
  '*.wild.test': 'wild',
  '*.shop.test': '-',
  'outbound/shop.test': '-',
  '[::1]': '-',
  '[::1]:80': '-',
  '127.0.0.1': '-',
  'shop.test:80:80': '-',
  none: '-',
};

for (const [host, name] of Object.entries(cases))
  t.test(`Host: ${host}`, async (t) => {
    const got = await ask(now.refusing, host);
    t.match(got, name === '-' ? /^4\d\d/ : new RegExp(`^200 +${name} `), 'at a sidecar');
    for (const listener of ['refusing', 'passing', 'edge', 'peer', 'sidecar', 'ingress'] as const)
      t.equal(await ask(now[listener], host), await ask(old[listener], host), `at ${listener}, as before`);
  });

t.test('hosts that nobody declared, and those of the other IDC', async (t) => {
  const { port } = unknown;
  // Where the control plane is, nothing passes to: that it was looked up is what counts here.
  for (const host of [`localhost:${port}`, `LocalHost:${port}`, `127.0.0.1:${port}`])
    t.equal(await ask(now.passing, host), '403 refused-address', `${host} is looked up`);
  for (const host of [
    `localhost:${port}`,
    `LocalHost:${port}`,
    'far.test',
    'FAR.test:80',
    'a.far.test',
    'A.far.test.',
  ])
    for (const listener of ['refusing', 'passing', 'edge', 'peer', 'sidecar', 'ingress'] as const)
      t.equal(await ask(now[listener], host), await ask(old[listener], host), `${host} at ${listener}`);
  for (const host of ['far.test', 'FAR.test:80', 'a.far.test', 'A.far.test.'])
    t.match(await ask(now.sidecar, host), /^503/, `${host}: the egress knows it`);
});

t.test('HTTP/1.0 without a host', async (t) => {
  for (const listener of ['refusing', 'passing', 'edge', 'peer', 'sidecar', 'ingress'] as const)
    t.equal(
      await ask(now[listener], 'none', 'GET / HTTP/1.0'),
      await ask(old[listener], 'none', 'GET / HTTP/1.0'),
      `at ${listener}`,
    );
});
