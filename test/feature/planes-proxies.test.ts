import t from 'tap';
import { freeAddress, get, startMesh, until } from '../support/mesh.ts';
import { groupYaml } from '../support/objects-yaml.ts';
import { createPlanes, type ServedPlane } from '../support/planes/planes.ts';

// Control planes know each other's proxies: a deregistration waits for those of one that has just died, also
// where they had come over from another one before.
const tools = await startMesh('sh-a', {});
t.teardown(() => tools.close());
const keepAlive = setInterval(() => {}, 1000);
t.teardown(() => clearInterval(keepAlive));

const reconnectSeconds = 3;
const body = {
  address: '127.0.0.1',
  ports: { http: 80 },
  labels: { app: 'echo' },
  locality: 'sh-a',
  ttl: '1h',
};

t.test(
  'a proxy that came over, and whose new control plane dies, is waited for',
  { timeout: 120_000 },
  async (t) => {
    const flags = ['--deletion-reconnect-limit', `${reconnectSeconds}s`];
    const { planes, close } = await createPlanes(2, { files: { 'echo.yaml': groupYaml('echo') }, flags });
    t.teardown(close);
    const [first, second] = planes;
    for (const plane of planes) plane.start();
    await Promise.all(planes.map((plane) => plane.ready()));
    const scope = { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound: await freeAddress() } as const;
    const xds = planes.map((plane) => plane.xds);
    const { pid } = await tools.envoy('caller', scope, { xds });
    t.teardown(() => process.kill(pid, 'SIGCONT'));
    const syncedAt = (plane: ServedPlane) =>
      until('it is in sync', async () => {
        const { proxies } = JSON.parse(await plane.page('/status'));
        const types = proxies.find(({ id }: { id: string }) => id === 'caller')?.types ?? {};
        return types.EDS?.state === 'SYNCED' && types.CDS?.state === 'SYNCED';
      });
    const awaited = async ({ page }: ServedPlane) =>
      Number(/isthmus_xds_level\{[^}]*awaitedNodes[^}]*\} (\d+)/.exec(await page('/metrics'))?.[1]);
    await syncedAt(first);

    await first.kill('SIGKILL');
    await syncedAt(second);
    first.start();
    await first.ready();
    for (const name of ['a', 'b']) await first.api('PUT', `/shop/${name}`, { ...body, generation: 1 });
    await until('the first waits for no proxy of its own', async () => (await awaited(first)) === 0);
    const gone = await first.api('DELETE', '/shop/a?wait=acked&timeout=10s');
    t.match(gone, { status: 200, body: { state: 'gone' } }, 'while both answer, it is confirmed at once');

    // The proxy cannot reconnect, and still has the instance.
    process.kill(pid, 'SIGSTOP');
    await second.kill('SIGKILL');
    const waiting = await first.api('DELETE', '/shop/b?wait=acked&timeout=1s');
    t.match(waiting, { status: 202, body: { acked: false, waitingFor: ['caller'] } });
    process.kill(pid, 'SIGCONT');
    const confirmed = await first.api('DELETE', '/shop/b?wait=acked&timeout=20s');
    t.match(confirmed, { status: 200, body: { acked: true } });
    t.equal((await get(first.admin, '/readyz')).status, 200);
  },
);
