import t from 'tap';
import { systemClock as clock } from '../../src/base/clock.ts';
import { startPosting } from '../support/clients/posting.ts';
import { freeAddress, get, startMesh, until } from '../support/mesh.ts';
import { groupYaml } from '../support/objects-yaml.ts';
import { createPlanes } from '../support/planes/planes.ts';
import { runEcho } from '../support/planes/run-instance.ts';

const tools = await startMesh('sh-a', {});
t.teardown(() => tools.close());
const keepAlive = setInterval(() => {}, 1_000);
t.teardown(() => clearInterval(keepAlive));

t.test(
  'Envoys move to the other control plane when one stops, and lose nothing',
  { timeout: 300_000 },
  async (t) => {
    const { planes, close } = await createPlanes(2, { files: { 'echo.yaml': groupYaml('echo') } });
    t.teardown(close);
    const [first, second] = planes;
    for (const plane of planes) plane.start();
    await Promise.all(planes.map((plane) => plane.ready()));
    const ids = ['one', 'two', 'three', 'four'];
    const outbounds = await Promise.all(ids.map(() => freeAddress()));
    for (const [i, id] of ids.entries()) {
      const outbound = outbounds[i] as Awaited<ReturnType<typeof freeAddress>>;
      const scope = { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound } as const;
      await tools.envoy(id, scope, { xds: planes.map(({ xds }) => xds) });
    }
    const { port } = await freeAddress();
    const run = runEcho(
      planes.map(({ admin }) => admin.port),
      port,
      'here',
    );
    t.teardown(() => [1, 2].forEach(() => void run.child.kill('SIGTERM')));
    await run.said(/every proxy .*has it/);
    const [outbound] = outbounds;
    if (outbound === undefined) throw new Error('no sidecar');
    await until('it serves', async () => (await get(outbound, '/', { host: 'echo.shop' })).status === 200);
    const posting = startPosting([outbound]);
    const at = clock.now();
    const stopped = first.kill('SIGTERM');
    const has = async (id: string) => (await second.page('/status')).includes(`"id": "${id}"`);
    for (const id of ids) await until(`${id} asks the second`, () => has(id));
    const movedMs = clock.now() - at;
    await stopped;
    t.comment(`all moved ${Math.round(movedMs)} ms after SIGTERM, of which 1,000 ms are notice`);
    t.ok(movedMs < 15_000);
    const { sent, failed } = await posting.stop();
    t.strictSame(failed, [], `${sent} requests`);
    run.child.kill('SIGTERM');
    t.equal(await run.ended, 0, 'the instance leaves by the second');
  },
);
