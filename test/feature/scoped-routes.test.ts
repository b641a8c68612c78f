import t, { type Test } from 'tap';
import type { SidecarScope } from '../../src/model/node.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { idc, service, toYaml } from '../registry/objects.ts';
import { rawExchange } from '../support/clients/raw-http.ts';
import { runLoad } from '../support/clients/run-load.ts';
import { type Loose, startPatched } from '../support/envoys/patched.ts';
import { freeAddress, get, startMesh, until } from '../support/mesh.ts';

// A sidecar has a route table for each host: what it does while one comes, goes or is refused.

const group = (host: string, { port }: ListenAddress) =>
  service(host.replaceAll(/[.*]/g, '-').replace(/^-+/, ''), host, {
    workloadSelector: undefined,
    endpoints: [{ address: '127.0.0.1', ports: { http: port } }],
  });

async function sidecar(
  more: Partial<SidecarScope> = {},
): Promise<SidecarScope & { outbound: ListenAddress }> {
  return { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound: await freeAddress(), ...more };
}

for (const mode of ['delta', 'sotw'] as const)
  t.test(
    `a host of a pattern gets a Group of its own, and loses it, ${mode}`,
    { timeout: 180_000 },
    async (t) => {
      const mesh = await startMesh('sh-a', {});
      t.teardown(() => mesh.close());
      const [wild, own] = await Promise.all(
        ['wild', 'own'].map((name) => mesh.app((_, response) => response.end(name))),
      );
      mesh.save('all.yaml', toYaml(idc('sh-a'), group('*.wild.test', wild as ListenAddress)));
      const scope = await sidecar();
      await mesh.envoy('s', scope, { mode });
      const served = async () => (await get(scope.outbound, '/', { host: 'a.wild.test' })).body;
      await until('the pattern serves', async () => (await served()) === 'wild');
      const load = runLoad(scope.outbound, 'a.wild.test');
      for (let i = 0; i < 5; i += 1) {
        mesh.save('own.yaml', toYaml(group('a.wild.test', own as ListenAddress)));
        await until('its own Group serves', async () => (await served()) === 'own');
        mesh.remove('own.yaml');
        await until('the pattern serves again', async () => (await served()) === 'wild');
      }
      const { requests, failed } = await load.stop();
      t.ok(requests > 20, `${requests} requests`);
      t.equal(failed, 0, 'none is lost');
    },
  );

t.test('a refused table is refused alone, and forgotten with its Group', { timeout: 120_000 }, async (t) => {
  const app = await freeApp(t);
  const scope = await sidecar();
  const patched = await startPatched({
    scope,
    yaml: toYaml(idc('sh-a'), group('good.shop', app)),
    patch(message: Loose) {
      if (message.name !== 'outbound/bad.shop' || message.virtual_hosts === undefined) return;
      message.virtual_hosts[0].routes[0].match = { safe_regex: { regex: '(' } };
    },
  });
  t.teardown(() => patched.close());
  const status = async (host: string) => (await get(scope.outbound, '/', { host })).status;
  const routes = () => patched.types().find(({ type }) => type === 'RDS');
  await until('it serves', async () => (await status('good.shop')) === 200);
  const all = ['good.shop', 'bad.shop', 'new.shop'].map((host) => group(host, app));
  void patched.save(toYaml(idc('sh-a'), ...all)).catch(() => {});
  await until('the new one serves', async () => (await status('new.shop')) === 200);
  await until('the bad one is refused', () => routes()?.state === 'NACKED');
  t.equal(await status('good.shop'), 200);
  t.strictSame(routes()?.nack?.names, ['outbound/bad.shop']);
  t.equal(await status('bad.shop'), 404);
  await patched.save(toYaml(idc('sh-a'), group('good.shop', app)));
  await until('nothing is refused', () => routes()?.state === 'SYNCED');
  const clusters = async () => await patched.envoy.admin('/clusters');
  await until('its cluster is gone', async () => !(await clusters()).includes('bad.shop'));
});

t.test('a host without a route for a request has none elsewhere', { timeout: 120_000 }, async (t) => {
  const app = await freeApp(t);
  const connect = async (patch: (message: Loose) => void) => {
    const scope = await sidecar({ unknownHosts: 'pass' });
    const yaml = toYaml(idc('sh-a'), group('localhost', app));
    const patched = await startPatched({ scope, yaml, patch });
    t.teardown(() => patched.close());
    await until(
      'it serves',
      async () => (await get(scope.outbound, '/', { host: 'localhost' })).status === 200,
    );
    const host = `localhost:${app.port}`;
    const asked = `CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    return (await rawExchange(scope.outbound, asked, { next: '', until: /^HTTP\/1.1 \d+/ })).status;
  };
  t.equal(await connect(() => {}), 404, 'an HTTP Group takes no CONNECT');
  const unmarked = (message: Loose) => {
    for (const host of message.virtual_hosts ?? []) delete host.metadata;
  };
  t.not(await connect(unmarked), 404, 'control: without the mark it would pass through');
});

/** An application that answers everything. */
async function freeApp(t: Test): Promise<ListenAddress> {
  const mesh = await startMesh('sh-a', {});
  t.teardown(() => mesh.close());
  return mesh.app((_, response) => response.end('ok'));
}
