import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { serveAdmin } from '../../src/api/admin-server.ts';
import type { ShownResource } from '../../src/contract/lines/config-lines.ts';
import { type ListenAddress, showAddress } from '../../src/model/values/listen-address.ts';
import { decodeJson, encodeJson } from '../../src/xds/codec/codec.ts';
import { connectXds } from '../support/clients/xds-client.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, type Mesh, until } from '../support/mesh.ts';
import { runCli } from '../support/planes/run-cli.ts';

// `isthmus config NODE`: what is said is what each Envoy's own /config_dump says.

const instance = await freeAddress();
const world = await startIdcs({
  idcs: ['sh-a', 'sh-b'],
  hopLimit: 1,
  groups: [
    { name: 'one', instances: [{ idc: 'sh-a', at: instance }] },
    // gRPC clients have it, too.
    { name: 'two', instances: [{ idc: 'sh-a', at: instance }], protocol: 'GRPC' },
  ],
});
t.teardown(() => world.close());
const mesh = world.meshes.get('sh-a') as Mesh;
const server = await serveAdmin(mesh.plane, { address: '127.0.0.1', port: 0 }, undefined);
t.teardown(() => server.close());
const admin = `127.0.0.1:${server.port}`;

const config = (...args: readonly string[]) => runCli('config', ...args, '--admin', admin);

/** The resources of a node by TYPE NAME, with their contents. */
async function shown(node: string): Promise<ReadonlyMap<string, ShownResource>> {
  const { out } = await config(node, '-o', 'json');
  const [one] = JSON.parse(out) as { resources: ShownResource[] }[];
  return new Map(one?.resources.map((resource) => [`${resource.type} ${resource.name}`, resource]));
}

type Dumped = { version_info?: string; readonly [part: string]: unknown };

const comparedTypes: ReadonlySet<string> = new Set(['CDS', 'LDS', 'RDS', 'SRDS', 'ECDS']);

/** Where each type stands in Envoy's page: the list, and how to a resource with its version. */
const parts: Readonly<Record<string, { list: string; of: string; within?: string }>> = {
  CDS: { list: 'dynamic_active_clusters', of: 'cluster' },
  LDS: { list: 'dynamic_listeners', of: 'listener', within: 'active_state' },
  RDS: { list: 'dynamic_route_configs', of: 'route_config' },
  ECDS: { list: 'ecds_filters', of: 'ecds_filter' },
};

/** The same by Envoy itself. */
async function dumped(proxy: string) {
  const { body } = await get(world.admins.get(proxy) as ListenAddress, '/config_dump');
  const { configs } = JSON.parse(body) as { configs: Record<string, Dumped[]>[] };
  const found = new Map<string, { version: string | undefined; content: Record<string, unknown> }>();
  for (const [type, { list, of, within }] of Object.entries(parts))
    for (const entry of configs.flatMap((one) => one[list] ?? [])) {
      const state = within === undefined ? entry : (entry[within] as Dumped);
      const content = state[of] as Record<string, unknown>;
      found.set(`${type} ${content.name}`, { version: state.version_info, content });
    }
  // All scopes have one version there.
  const scopes = configs.flatMap((one) => one.dynamic_scoped_route_configs ?? []);
  for (const content of scopes.flatMap((one) => one.scoped_route_configs as Record<string, unknown>[]))
    found.set(`SRDS ${content.name}`, { version: undefined, content });
  return found;
}

/** One form for equal messages: what was left out and what is the default are the same. */
function normal(content: Readonly<Record<string, unknown>>): unknown {
  const { '@type': url, ...body } = content;
  const type = String(url).replace('type.googleapis.com/', '');
  return decodeJson(type, encodeJson(type, body));
}

t.test('each version and each content is that of the Envoy', async (t) => {
  for (const proxy of ['caller', 'sh-a-ingress', 'sh-a-egress']) {
    let [told, own] = [await shown(proxy), await dumped(proxy)];
    await until(`${proxy} has all`, async () => {
      [told, own] = [await shown(proxy), await dumped(proxy)];
      return [...told.values()].every(({ state }) => state === 'SYNCED') && own.size > 0;
    });
    const shared = [...told].filter(([, { type }]) => comparedTypes.has(type));
    t.strictSame(shared.map(([key]) => key).sort(), [...own.keys()].sort(), proxy);
    t.ok(shared.length >= 4, `${proxy}: ${shared.length}`);
    for (const [key, { type, acked, sent, now, content = {} }] of shared) {
      t.strictSame({ acked, sent, now }, { acked: now, sent: now, now }, key);
      if (type !== 'SRDS') t.equal(own.get(key)?.version, acked, `${proxy}: version of ${key}`);
      t.ok(isDeepStrictEqual(normal(content), normal(own.get(key)?.content ?? {})), `${proxy}: ${key}`);
    }
    // The control: another content is not the same.
    const [, first] = shared[0] ?? [];
    const other = { ...first?.content, name: 'other' };
    t.notOk(isDeepStrictEqual(normal(other), normal(first?.content ?? {})));
  }
});

t.test('endpoints are those of the Envoy', async (t) => {
  const assignments = [...(await shown('caller')).values()].filter(({ type }) => type === 'EDS');
  const { body } = await get(world.admins.get('caller') as ListenAddress, '/clusters');
  for (const { name, content } of assignments) {
    const addresses = JSON.stringify(content).matchAll(/"address":"([^"]+)","port_value":(\d+)/g);
    const told = [...addresses].map(([, address, port]) => `${address}:${port}`).sort();
    const lines = body.split('\n').map((line) => line.split('::'));
    const own = lines.flatMap(([cluster, host, stat]) =>
      cluster === name && stat === 'weight' ? [host] : [],
    );
    t.strictSame(told, own.sort(), name);
  }
  t.ok(assignments.length >= 2);
});

t.test('as a table, by type and by name', async (t) => {
  const { code, out, err } = await config('caller', '--type', 'RDS');
  t.match({ code, err }, { code: 0, err: '' });
  const line =
    /^caller: sidecar of sh-a, connected for \S+ \S+ from 127\.0\.0\.1:\d+\. It has acknowledged all: 3 resources\.$/;
  const lines = out.trimEnd().split('\n');
  t.match(lines[0], line);
  t.match(lines.slice(1), [
    /^TYPE {2}NAME {15}STATE {3}ACKED {5}LAST ACK$/,
    /^RDS {3}outbound\/\* {9}SYNCED {2}[0-9a-f]{8} {2}\S.* ago$/,
    /^RDS {3}outbound\/one\.test {2}SYNCED /,
    /^RDS {3}outbound\/two\.test {2}SYNCED /,
  ]);
  const wide = await config('caller', '--type', 'eds', '--name', 'instances/one.test:80', '-o', 'wide');
  t.match(wide.out, /^EDS {3}instances\/one\.test:80 {2}SYNCED {2}([0-9a-f]{16}) {2}\1 {2}\1 {2}/m);
  t.strictSame((await config('show', 'caller', '--type', 'rds')).out.split('\n').length, lines.length + 1);
  const yaml = await config('caller', '--type', 'rds', '-o', 'yaml');
  t.match(yaml.out, /^- admin: .*\n {2}node: caller\n(?:.*\n)* {6}name: outbound\/\*\n/);
});

t.test('a node, a type or a name that nobody has is answered with the nearest', async (t) => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [
      ['calller'],
      /no node 'calller' is connected, nor was in the last hour; .*\. Did you mean 'caller'\?\n$/,
    ],
    [['caller', '--type', 'cdz'], /no type is named 'cdz': there are cds, eds, .* Did you mean 'cds'\?/],
    [
      ['caller', '--name', 'instances/onee.test:80'],
      /caller has no resource '.*'\. Did you mean 'instances\/one\.test:80'\?/,
    ],
    [['caller', '--type', 'rds', '--name', 'x'], /caller has no RDS resource 'x'\. It has .*outbound.*\.\n$/],
  ];
  for (const [args, words] of wrong) {
    const { code, out, err } = await config(...args);
    t.strictSame({ code, out }, { code: 2, out: '' }, args.join(' '));
    t.match(err, words);
  }
  const nobody = showAddress(await freeAddress());
  const two = await runCli('config', 'caller', '--type', 'rds', '--admin', `${admin},${nobody}`);
  t.match(two, {
    code: 1,
    out: /outbound/,
    err: new RegExp(`the control plane at ${nobody} does not answer`),
  });
});

t.test('what is on its way, refused or not there is told, and the exit code says so', async (t) => {
  const node = {
    id: 'odd',
    metadata: { isthmus: { role: 'grpc', idc: 'sh-a', namespace: 'test', dependsOn: ['two.test'] } },
  };
  const client = connectXds(showAddress(mesh.plane.xds), 'delta', node);
  t.teardown(() => client.close());
  client.send('LDS', { resource_names_subscribe: ['two.test'] });
  const listeners = await client.next();
  const table = async (...args: string[]) => {
    const { code, out } = await config('odd', ...args);
    const [, ...lines] = out.trimEnd().split('\n');
    return {
      code,
      lines: lines.map((line) => line.replaceAll(/ {2,}/g, ' ').replace(/\S+ \S+ ago$/, 'ago')),
    };
  };
  const header = 'TYPE NAME STATE ACKED LAST ACK';
  t.strictSame(await table(), { code: 1, lines: [header, 'LDS two.test STALE unknown -'] });
  client.nack(listeners, 'two.test: I do not like it');
  await until('it is known', async () => (await table()).lines.some((line) => line.includes('NACKED')));
  t.strictSame(await table(), {
    code: 1,
    lines: [header, 'LDS two.test NACKED unknown -', '! LDS two.test: refused: two.test: I do not like it'],
  });
  client.send('LDS', { resource_names_subscribe: ['tw.test'] });
  client.ack(await client.next());
  await until('it has been told', async () => (await table()).lines.some((line) => /ABSENT/.test(line)));
  const absent = (await table()).lines.filter((line) => line.includes('tw.test'));
  t.match(absent, [
    /^LDS tw\.test ABSENT - /,
    "! LDS tw.test: it has asked for this, and there is none. Did you mean 'two.test'?",
  ]);
});
