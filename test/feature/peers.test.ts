import t, { type Test } from 'tap';
import { freeAddress, get, type Mesh, startMesh, until } from '../support/mesh.ts';
import { groupYaml } from '../support/objects-yaml.ts';
import { createPlanes, type PlanesOptions, type ServedPlane } from '../support/planes/planes.ts';

// Two control planes of one IDC: either has what registered at the other.
const tools: Mesh = await startMesh('sh-a', {});
t.teardown(() => tools.close());
const app = await tools.app((_, response) => response.end('served'));
const instance = {
  ...{ address: '127.0.0.1', ports: { http: app.port }, labels: { app: 'echo' }, locality: 'sh-a' },
  ...{ ttl: '3s', generation: 5 },
};

async function start(t: Test, options: Omit<PlanesOptions, 'files'> = {}) {
  const { planes, close } = await createPlanes(2, { files: { 'echo.yaml': groupYaml('echo') }, ...options });
  t.teardown(close);
  for (const plane of planes) plane.start();
  await Promise.all(planes.map((plane) => plane.ready()));
  return planes;
}

/** A sidecar that asks the first, then the second; a request through it. */
async function sidecar(id: string, planes: readonly ServedPlane[]) {
  const outbound = await freeAddress();
  const xds = planes.map((plane) => plane.xds);
  await tools.envoy(id, { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound }, { xds });
  return async () => (await get(outbound, '/', { host: 'echo.shop' })).status;
}

/** The case: an instance at the first alone, which is killed. The status of requests afterwards. */
async function killTheFirst(t: Test, id: string, options: Omit<PlanesOptions, 'files'>) {
  const [first, second] = await start(t, options);
  const request = await sidecar(id, [first, second]);
  t.equal((await first.api('PUT', '/shop/echo-1?wait=acked', instance)).body.acked, true);
  await until('it serves', async () => (await request()) === 200);
  await first.kill('SIGKILL');
  await until('it asks the second', async () => (await second.page('/status')).includes(`"${id}"`));
  const proxies = async () => JSON.parse(await second.page('/status')).proxies;
  await until('it has what the second has', async () => (await proxies())[0]?.types.EDS?.state === 'SYNCED');
  const statuses: number[] = [];
  // Longer than the lease: nobody can renew it where it was registered.
  for (const until = performance.now() + 6_000; performance.now() < until; ) {
    statuses.push(await request());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { statuses, request, first, second };
}

t.test('the death of the control plane that an instance registered at', { timeout: 120_000 }, async (t) => {
  const { statuses, request, first, second } = await killTheFirst(t, 'kept', {
    flags: ['--peer-start-limit', '2s'],
  });
  t.strictSame(
    statuses.filter((status) => status !== 200),
    [],
    `of ${statuses.length}`,
  );
  const name = `127.0.0.1:${first.admin.port}`;
  t.match((await second.api('GET', '')).body.items, [{ name: 'echo-1', state: 'ready', keptBy: name }]);
  t.match(await second.page('/readyz'), new RegExp(`^ready\ncontrol plane ${name}: .*1 instance that only`));
  t.match(await second.page('/problems'), name);
  t.match(await second.page('/metrics'), /isthmus_peer_up\{peer="[^}]*\} 0\n/);
  t.match(await second.page('/metrics'), /isthmus_registrations_kept_by_peer\{peer="[^}]*\} 1\n/);
  t.match(second.log(), /another control plane does not answer/);
  // It is told to go at the one that lives; the dead one learns it when it is back.
  t.match((await second.api('DELETE', '/shop/echo-1?wait=acked')).body, { state: 'gone', away: [name] });
  first.start();
  await first.ready();
  // The first has it until it knows that the proxies that it had are rid of it.
  const ready = (await first.api('GET', '')).body.items.filter(
    ({ state }: { state: string }) => state === 'ready',
  );
  t.strictSame(ready, [], 'what left meanwhile does not come back');
  t.equal(await request(), 503);
});

t.test('the negative control: without --peer-admin the sidecar loses it', { timeout: 120_000 }, async (t) => {
  const { statuses } = await killTheFirst(t, 'lost', { peers: false });
  t.ok(statuses.includes(503), `${statuses.length} requests`);
});
