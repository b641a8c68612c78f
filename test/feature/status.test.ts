import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { serveAdmin } from '../../src/api/admin-server.ts';
import type { SidecarScope } from '../../src/model/node.ts';
import { toYaml } from '../registry/objects.ts';
import { connectXds, type XdsClient } from '../support/clients/xds-client.ts';
import { freeAddress, get, type Mesh, startMesh, until } from '../support/mesh.ts';
import { runCli } from '../support/planes/run-cli.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const { NODE_OPTIONS: _, ...env } = process.env;

const idc = {
  apiVersion: 'isthmus.dev/v1alpha1',
  kind: 'Idc',
  metadata: { name: 'sh-a' },
  spec: {
    ingress: [{ address: '127.0.0.1', edgePort: 1, peerPort: 2 }],
    egress: [{ address: '127.0.0.1', sidecarPort: 3, ingressPort: 4 }],
  },
};
const echo = (port: number) => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'ServiceEntry',
  metadata: { name: 'echo', namespace: 'shop' },
  spec: {
    hosts: ['echo.shop'],
    location: 'MESH_INTERNAL',
    resolution: 'STATIC',
    ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
    endpoints: [{ address: '127.0.0.1', ports: { http: port } }],
  },
});
const ruleFor = (host: string) => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'DestinationRule',
  metadata: { name: 'rule', namespace: 'shop' },
  spec: { host },
});
const scope: SidecarScope = {
  role: 'sidecar',
  idc: 'sh-a',
  namespace: 'shop',
  outbound: { address: '127.0.0.1', port: 15001 },
};

/** A control plane with an admin interface, and the command. */
async function world(t: Test) {
  const mesh = await startMesh('sh-a', { 'all.yaml': toYaml(idc, echo(8000)) });
  const admin = await serveAdmin(mesh.plane, { address: '127.0.0.1', port: 0 }, undefined);
  const clients: XdsClient[] = [];
  t.teardown(async () => {
    for (const client of clients) client.close();
    await admin.close();
    await mesh.close();
  });
  await until('it is ready', () => mesh.plane.readiness().ready);
  return {
    mesh,
    connect(id: string) {
      const node = { id, metadata: { isthmus: scope } };
      const client = connectXds(`127.0.0.1:${mesh.plane.xds.port}`, 'delta', node);
      clients.push(client);
      return client;
    },
    async status(...args: string[]) {
      return runCli('status', '--admin', `127.0.0.1:${admin.port}`, ...args);
    },
    page: (path: string) => get({ address: '127.0.0.1', port: admin.port }, path),
  };
}

/** Takes all clusters and endpoints, as a proxy does. */
async function takeAll(client: XdsClient) {
  client.send('CDS', { resource_names_subscribe: ['*'] });
  const clusters = await client.next();
  client.ack(clusters);
  const resources = clusters.resources as { name: string; resource: { type?: string } }[];
  const names = resources.filter(({ resource }) => resource.type === 'EDS').map(({ name }) => name);
  client.send('EDS', { resource_names_subscribe: names });
  client.ack(await client.next());
}

function save(mesh: Mesh, port: number) {
  mesh.save('all.yaml', toYaml(idc, echo(port)));
}

t.test('which proxies are in sync, behind, refusing and why, or gone', async (t) => {
  const { mesh, connect, status, page } = await world(t);
  t.match(
    (await status()).out,
    /^Control plane of sh-a at 127\.0\.0\.1:\d+: ready\.\nNo proxy is connected\./,
  );
  await mesh.envoy('real', { ...scope, outbound: await freeAddress() });
  const behind = connect('behind');
  const refusing = connect('refusing');
  const leaving = connect('leaving');
  await Promise.all([behind, refusing, leaving].map(takeAll));
  await until('all are in sync', () => {
    const all = mesh.plane.status().proxies;
    return (
      all.length === 4 &&
      all.every(({ types }) => Object.values(types).every(({ state }) => state === 'SYNCED'))
    );
  });
  leaving.close();
  save(mesh, 9000);
  refusing.nack(await refusing.next(), 'no such\nzone');
  await behind.next();
  await until('the real one has it', () => {
    const real = mesh.plane.status().proxies.find(({ id }) => id === 'real');
    return real?.lastEvent !== undefined;
  });
  const { code, out } = await status();
  t.equal(code, 1, 'one refuses something');
  t.match(
    out,
    /warning Idc sh-a: spec\.egress: Idc sh-a declares an egress gateway at 127\.0\.0\.1:3 and 127\.0\.0\.1:4, and no/,
  );
  t.comment(out);
  const line = (start: string) => out.split('\n').find((one) => one.startsWith(start)) ?? '';
  t.match(line('3 connected'), '3 connected: 1 in sync, 2 NOT; 1 gone.');
  t.match(line('real '), /sidecar +sh-a .* SYNCED +SYNCED +SYNCED .* ms?, .* ago$/);
  t.match(line('behind '), /SYNCED +STALE \d/);
  t.match(line('refusing '), /SYNCED +NACKED \d/);
  t.match(
    out,
    /refusing refused EDS [0-9a-f]+ .* ago and kept the last good one; the last that it accepted is [0-9a-f]+\. Envoy says:\n {4}no such zone\n/,
  );
  t.equal(out.split('no such zone').length, 2, 'its refusal is told once');
  t.match(out, /\. It is (?:being offered again|offered again in \d.*)\.\n/);
  t.match(out, /leaving \(sidecar\): unknown since 20.*Z \(/);
  t.match(out, /Event → ACK: p50 /);

  const wide = (await status('-o', 'wide')).out.split('\n');
  t.match(
    wide.find((each) => each.startsWith('NODE')),
    /CONNECTED SINCE +CDS/,
  );
  t.match(
    wide.find((each) => each.startsWith('real ')),
    /sidecar +sh-a +20[^ ]+Z +SYNCED [0-9a-f]{8} +SYNCED [0-9a-f]{8} /,
  );

  const one = await status('refusing');
  t.comment(one.out);
  t.match(
    one.out,
    /^refusing: sidecar of sh-a, connected since 20[^ ]+Z \(.*\) from 127\.0\.0\.1:\d+ \(Delta\)/,
  );
  t.match(one.out, /1 resource differs from its configuration:/);
  t.match(one.out, /EDS +instances\/echo\.shop:80 +([0-9a-f]{16}) +([0-9a-f]{16}) +\2 +refused/);
  t.match((await status('behind')).out, /EDS +instances\/echo\.shop:80 .* sent\n/);
  t.match((await status('real')).out, /It has accepted its whole configuration/);
  t.match(await status('leaving'), {
    code: 2,
    err: /leaving is not connected: its configuration is unknown since/,
  });
  t.equal(one.code, 1, 'it refuses something');
  t.equal((await status('real')).code, 0);
  t.match(await status('nobody'), { code: 2, err: /no node 'nobody'.*connected are/ });

  const json = JSON.parse((await status('-o', 'json')).out);
  const refused = json.status.proxies.find(({ id }: { id: string }) => id === 'refusing');
  t.match(refused.types.EDS, { state: 'NACKED', nack: { message: 'no such zone' } });
  t.match(JSON.parse((await status('behind', '-o', 'json')).out), [
    { differences: [{ type: 'EDS', state: 'sent' }] },
  ]);
  t.match((await status('-o', 'yaml')).out, /^status:\n {2}version: /);
  t.match((await page('/metrics')).body, /isthmus_event_to_ack_seconds_count\{type="EDS",source="files"/);
});

t.test(
  'refused streams, shared node ids, and gateways that listen elsewhere than the Idc says',
  async (t) => {
    const { mesh, connect, status, page } = await world(t);
    const at = `127.0.0.1:${mesh.plane.xds.port}`;
    const told = () =>
      mesh.plane
        .status()
        .problems.filter(({ code }) => code !== 'GatewayMissing')
        .map(({ where, message }) => `${where}: ${message}`);
    const stranger = connectXds(at, 'delta', {
      id: 'stranger',
      metadata: { isthmus: { ...scope, idc: 'sh-b' } },
    });
    stranger.send('CDS', { resource_names_subscribe: ['*'] });
    await stranger.ended;
    const loud = connectXds(at, 'delta', { id: 'loud', metadata: { isthmus: scope } });
    loud.send('CDS', { resource_names_subscribe: ['x'.repeat(9 * 2 ** 20)] });
    await loud.ended;
    await until('both are told', () => told().length === 2);
    t.match(told(), [
      /^127\.0\.0\.1: an xDS client was refused, .*gets no configuration: .*at most 8388608 are read.*Correct the client/,
      /^127\.0\.0\.1: node 'stranger' was refused, .*is in IDC 'sh-b'/,
    ]);
    t.match(JSON.parse((await page('/status')).body).refusedStreams, [{ count: 1 }, { node: 'stranger' }]);
    t.match((await page('/metrics')).body, /isthmus_streams_refused_total\{code="exhausted",idc="sh-a"\} 1/);
    await takeAll(connect('stranger'));
    await until('one of them is over', () => told().length === 1);

    const any = (port: number) => ({ address: '0.0.0.0', port });
    const gateway = { role: 'ingress', idc: 'sh-a', edge: any(1), peer: any(9) };
    const ingress = connectXds(at, 'delta', { id: 'ingress-1', metadata: { isthmus: gateway } });
    t.teardown(() => ingress.close());
    const twins = [connect('twin'), connect('twin')];
    ingress.send('CDS', { resource_names_subscribe: ['*'] });
    for (const twin of twins) await takeAll(twin);
    t.notOk(
      told().some((one) => one.startsWith('twin')),
      'the older one may be dead',
    );
    save(mesh, 9000);
    for (const twin of twins) twin.ack(await twin.next());
    await until('the twins are told', () => told().some((one) => one.startsWith('twin')));
    const { out } = await status();
    t.match(
      out,
      /warning twin: 2 proxies have this node id, connected from 127\.0\.0\.1:\d+, 127\.0\.0\.1:\d+: /,
    );
    t.match(
      out,
      /warning ingress-1: listens on 0\.0\.0\.0:9 for egress gateways.* declares 127\.0\.0\.1:2, /,
    );
    t.notMatch(out, /ingress-1: listens on 0\.0\.0\.0:1 /);
  },
);

t.test(
  'the exit code: 0 with both gateways, 1 while one is missing, and while it is not ready',
  async (t) => {
    const { mesh, connect, status } = await world(t);
    t.equal((await status()).code, 0, 'while nobody is connected nothing is missing');
    await takeAll(connect('caller'));
    const alone = await status();
    t.equal(alone.code, 1);
    t.match(
      alone.out,
      /an ingress gateway at 127\.0\.0\.1:1 and 127\.0\.0\.1:2, and no connected proxy listens there/,
    );
    const at = (port: number) => ({ address: '127.0.0.1', port });
    const gateways = [
      { role: 'ingress', idc: 'sh-a', edge: at(1), peer: at(2) },
      { role: 'egress', idc: 'sh-a', sidecar: at(3), ingress: at(4) },
    ];
    for (const isthmus of gateways) {
      const node = { id: isthmus.role, metadata: { isthmus } };
      const client = connectXds(`127.0.0.1:${mesh.plane.xds.port}`, 'delta', node);
      t.teardown(() => client.close());
      client.send('CDS', { resource_names_subscribe: ['*'] });
    }
    await until('both are placed', () =>
      mesh.plane.status().gateways.every(({ nodes }) => nodes.length === 1),
    );
    const both = await status();
    t.equal(both.code, 0, both.out);
    t.notMatch(both.out, /GatewayMissing/);
    const empty = await startMesh('sh-z', {});
    const admin = await serveAdmin(empty.plane, { address: '127.0.0.1', port: 0 }, undefined);
    t.teardown(async () => {
      await admin.close();
      await empty.close();
    });
    t.match(await runCli('status', '--admin', `127.0.0.1:${admin.port}`), { code: 1, out: /NOT READY/ });
  },
);

t.test('the exit code: 1 with a problem of severity error, 0 with warnings', async (t) => {
  const { mesh, status } = await world(t);
  const problems = (severity: string) => mesh.plane.problems().filter((one) => one.severity === severity);
  mesh.save('rule.yaml', toYaml(ruleFor('nobody.shop')));
  await until('there is a warning', () => problems('warning').length > 0);
  const warned = await status();
  t.match(warned, { code: 0, out: /^ +warning .*nobody\.shop/m });
  mesh.save('broken.yaml', 'kind: [');
  await until('there is an error', () => problems('error').length > 0);
  const broken = await status();
  t.match(broken, { code: 1, out: /error .*broken\.yaml/ });
  mesh.remove('broken.yaml');
  await until('it is gone', () => problems('error').length === 0);
  t.equal((await status()).code, 0);
});

t.test('nothing at the admin address: reported, with the remedy', async (t) => {
  const { port } = await freeAddress();
  const command = [main, 'status', '--admin', `127.0.0.1:${port}`];
  const child = spawn(process.execPath, command, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let err = '';
  child.stderr.on('data', (chunk) => (err += chunk));
  const [code] = await once(child, 'close');
  t.equal(code, 2);
  t.match(err, /the control plane at 127\.0\.0\.1:\d+ does not answer: .*\. Is it running\?\n/);
});

t.test('at the xDS port the error says which port it is', async (t) => {
  const { mesh, status } = await world(t);
  const { code, out } = await status('--admin', `127.0.0.1:${mesh.plane.xds.port}`);
  t.equal(code, 1, 'the other one answers');
  t.match(out, /does not speak HTTP\/1\.1; the address of --xds is not that/);
});

t.test('a proxy that reconnects with everything has nothing to acknowledge', async (t) => {
  const { connect, status } = await world(t);
  const first = connect('back');
  first.send('CDS', { resource_names_subscribe: ['*'] });
  const had = await first.next();
  first.ack(had);
  const initial = Object.fromEntries(
    (had.resources as { name: string; version: string }[]).map(({ name, version }) => [name, version]),
  );
  first.close();
  const again = connect('back');
  // One empty response greets it; the second type has nothing at all.
  again.send('LDS', { resource_names_subscribe: ['*'], initial_resource_versions: {} });
  again.ack(await again.next());
  again.send('CDS', { resource_names_subscribe: ['*'], initial_resource_versions: initial });
  await until('it is in sync', async () => /1 connected: all in sync/.test((await status()).out));
  const { out } = await status('back');
  t.match(out, /CDS +SYNCED +- +- +nothing was due +all/);
  t.match(out, /It has accepted its whole configuration/);
});

t.test('--watch shows it again, also over a control plane that is away, until it is ended', async (t) => {
  const { mesh } = await world(t);
  const admin = await freeAddress();
  const first = await serveAdmin(mesh.plane, admin, undefined);
  const child = spawn(process.execPath, [main, 'status', '--admin', `127.0.0.1:${admin.port}`, '--watch'], {
    ...{ env, stdio: ['ignore', 'pipe', 'inherit'] },
  });
  t.teardown(() => child.kill('SIGKILL'));
  let out = '';
  child.stdout?.on('data', (chunk) => (out += chunk));
  await until('it is shown', () => /ready\.\n/.test(out));
  await first.close();
  await until('that it is away is shown', () => /does not answer/.test(out));
  out = '';
  const second = await serveAdmin(mesh.plane, admin, undefined);
  await until('that it is back is shown', () => /ready\.\n/.test(out));
  child.kill('SIGINT');
  await once(child, 'close');
  await second.close();
});

t.test('text of objects cannot command the terminal', async (t) => {
  const { mesh, status } = await world(t);
  const spec = {
    idc: 'sh-a',
    expires: new Date(Date.now() + 3_600_000).toISOString(),
    reason: 'a\u001b[2J\nb',
  };
  const metadata = { name: 'e' };
  mesh.save('e.yaml', toYaml({ apiVersion: idc.apiVersion, kind: 'Evacuation', metadata, spec }));
  await until('it is in force', () => mesh.plane.evacuations.list().items.length > 0);
  t.match((await status()).out, /^Evacuation e: .*\(a\\u\{1b\}\[2J\\u\{a\}b\)\.$/m);
});
