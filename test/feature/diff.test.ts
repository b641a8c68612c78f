import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { ShownResource } from '../../src/contract/lines/config-lines.ts';
import type { NodeScope } from '../../src/model/node.ts';
import { showAddress } from '../../src/model/values/listen-address.ts';
import { drGroup, idc, service, toYaml, workload } from '../registry/objects.ts';
import { freeAddress, startMesh, until } from '../support/mesh.ts';
import { idcYaml } from '../support/objects-yaml.ts';
import { runCli } from '../support/planes/run-cli.ts';
import { startServe } from '../support/planes/served.ts';

// `isthmus diff`, against a real control plane with real Envoys: what it says would be pushed is what is then
// pushed, resource by resource.

const group = (name: string, spec: object = {}) =>
  service(name, `${name}.shop`, { workloadSelector: { labels: { app: name } }, ...spec });
// Instances accept connections, or probes would change the limits of their Groups meanwhile.
const open = createServer((socket) => socket.destroy());
await once(open.listen(0, '0.0.0.0'), 'listening');
t.teardown(() => open.close());
const { port } = open.address() as AddressInfo;
const instance = (name: string, app: string) =>
  workload(name, { labels: { app }, address: `127.0.2.${name.slice(-1)}`, ports: { http: port } });
const common = [
  ...[idc('sh-b'), drGroup('dr', ['a.shop'], 'sh-a', 'sh-b'), group('a'), instance('w-1', 'a')],
  ...[group('b'), instance('w-2', 'b'), { ...group('other'), metadata: { name: 'o', namespace: 'else' } }],
];
const before = toYaml(...common, group('gone'), instance('w-3', 'gone'));
const changed = new Map<string, object>([
  ['b', group('b', { ports: [{ number: 80, name: 'http', protocol: 'HTTP2' }] })],
  ['dr', drGroup('dr', ['a.shop', 'b.shop'], 'sh-a', 'sh-b')],
]);
const after = toYaml(
  ...common.map((object) => changed.get(object.metadata.name) ?? object),
  ...[instance('w-4', 'a'), group('new'), instance('w-5', 'new')],
);

const served = await startServe({ files: { 'mesh.yaml': before } });
t.teardown(() => served.close());
await served.ready();
const admin = showAddress(served.admin);
const dir = mkdtempSync(join(tmpdir(), 'isthmus-diff-'));
t.teardown(() => rmSync(dir, { recursive: true }));
writeFileSync(join(dir, 'idc.yaml'), idcYaml);

/** Only starts Envoys. */
const launcher = await startMesh('sh-a', { 'idc.yaml': idcYaml });
t.teardown(() => launcher.close());
const outbound = await freeAddress();
const sidecar = (namespace: string): NodeScope => ({ role: 'sidecar', idc: 'sh-a', namespace, outbound });
const proxies: Readonly<Record<string, NodeScope>> = {
  'caller-1': sidecar('shop'),
  'caller-2': sidecar('shop'),
  stranger: sidecar('else'),
  ingress: {
    role: 'ingress',
    idc: 'sh-a',
    edge: await freeAddress(),
    peer: await freeAddress(),
    runtime: true,
  },
  egress: { role: 'egress', idc: 'sh-a', sidecar: await freeAddress(), ingress: await freeAddress() },
};
for (const [id, scope] of Object.entries(proxies)) await launcher.envoy(id, scope, { xds: [served.xds] });

/** The versions that a proxy has, by `TYPE NAME`, once it has all. */
async function versions(node: string): Promise<ReadonlyMap<string, string | undefined>> {
  let found = new Map<string, string | undefined>();
  await until(`${node} has all`, async () => {
    const { code, out } = await runCli('config', node, '-o', 'json', '--admin', admin);
    const [one] = JSON.parse(out) as { resources: ShownResource[] }[];
    found = new Map(one?.resources.map(({ type, name, acked }) => [`${type} ${name}`, acked]));
    return code === 0;
  });
  return found;
}

const allVersions = async () =>
  new Map(await Promise.all(Object.keys(proxies).map(async (node) => [node, await versions(node)] as const)));

const diff = (...args: readonly string[]) => runCli('diff', ...args, '--admin', admin);

interface Told {
  readonly same: boolean;
  readonly classes: readonly {
    readonly scope: NodeScope;
    readonly nodes: number;
    readonly added: Readonly<Record<string, string[]>>;
    readonly changed: Readonly<Record<string, string[]>>;
    readonly removed: Readonly<Record<string, string[]>>;
  }[];
}

t.test('the folder as it is: nothing would change, and 0', async (t) => {
  writeFileSync(join(dir, 'mesh.yaml'), before);
  const same = await diff(dir);
  t.strictSame(same, { code: 0, out: 'Nothing would change: 10 objects, all as in force.\n', err: '' });
});

t.test('what is told is what is pushed, to each proxy', { timeout: 240_000 }, async (t) => {
  writeFileSync(join(dir, 'mesh.yaml'), after);
  const text = await diff(dir);
  t.match(text, { code: 1, err: '' });
  t.strictSame(text.out.split('\n').slice(0, 13), [
    'Objects: 3 added, 2 changed, 2 removed (10 in the folder of the control plane of sh-a).',
    '  + ServiceEntry shop/new',
    '  + WorkloadEntry shop/w-4',
    '  + WorkloadEntry shop/w-5',
    '  ~ DrGroup dr',
    '  ~ ServiceEntry shop/b',
    '  - ServiceEntry shop/gone',
    '  - WorkloadEntry shop/w-3',
    'Hosts:',
    `  a.shop: adds 1 instance (127.0.2.4:${port})`,
    '  b.shop: instances stay',
    '  gone.shop: removed',
    `  new.shop: new, adds 1 instance (127.0.2.5:${port})`,
  ]);
  const [told] = JSON.parse((await diff(dir, '-o', 'json')).out) as [Told];
  t.strictSame(
    told.classes.map(({ scope, nodes }) => `${nodes} ${scope.role}`).sort(),
    ['1 egress', '1 ingress', '2 sidecar'],
    'the sidecar of another namespace gets nothing',
  );
  const old = await allVersions();
  served.save('mesh.yaml', after);
  await until('the last proxy has the change', async () => {
    const { code } = await diff(dir);
    return code === 0 && (await versions('ingress')).has('CDS instances/new.shop:80');
  });
  const now = await allVersions();
  for (const [node, scope] of Object.entries(proxies)) {
    const one = told.classes.find(
      (each) => JSON.stringify(each.scope) === JSON.stringify(JSON.parse(JSON.stringify(scope))),
    );
    const listed = (names: Readonly<Record<string, string[]>> = {}) =>
      Object.entries(names)
        .flatMap(([type, list]) => list.map((name) => `${type} ${name}`))
        .sort();
    const [had, has] = [old.get(node) ?? new Map(), now.get(node) ?? new Map()];
    const pushed = {
      added: [...has.keys()].filter((key) => !had.has(key)).sort(),
      changed: [...has.keys()].filter((key) => had.has(key) && had.get(key) !== has.get(key)).sort(),
      removed: [...had.keys()].filter((key) => !has.has(key)).sort(),
    };
    t.strictSame(
      { added: listed(one?.added), changed: listed(one?.changed), removed: listed(one?.removed) },
      pushed,
      node,
    );
  }
});

t.test('errors end with 2, and nothing on stdout', async (t) => {
  const nobody = showAddress(await freeAddress());
  t.match(await runCli('diff', dir, '--admin', nobody), {
    code: 2,
    out: '',
    err: /does not answer/,
  });
  t.match(await diff(join(dir, 'none')), { code: 2, out: '', err: /none cannot be read: it does not exist/ });
  const partly = await runCli('diff', dir, '--admin', `${admin},${nobody}`);
  t.match(partly, { code: 2, out: /^Nothing would change/, err: /does not answer/ });
  writeFileSync(join(dir, 'mesh.yaml'), toYaml({ ...group('a'), spec: {} }));
  const bad = await diff(dir);
  t.match(bad, { code: 2, out: '', err: /mesh\.yaml:\d+:\d+: error: .*\n.*nothing is compared: correct/s });
});

t.test('a loss that the control plane would hold is told', async (t) => {
  writeFileSync(join(dir, 'mesh.yaml'), '');
  const { code, out } = await diff(dir);
  t.equal(code, 1);
  t.match(
    out,
    /^! It deletes 10 of 11 objects at once: the control plane would hold that as a probable loss/m,
  );
});
