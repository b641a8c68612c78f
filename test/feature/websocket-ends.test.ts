import { createServer, type IncomingMessage } from 'node:http';
import t from 'tap';
import { type LoadPlan, runLoad } from '../../src/drill/load/load.ts';
import { machineClock } from '../../src/drill/time.ts';
import { serveWebsocket } from '../../src/drill/upstream/upstream-websocket.ts';
import { readStats } from '../../src/drill/world/envoy.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, until } from '../support/mesh.ts';

// A websocket ends when its client says so. That is no failure of who served it: nobody is ejected for it.

async function instance(): Promise<ListenAddress> {
  const at = await freeAddress();
  const server = createServer((_, response) => response.end('ok'));
  server.on('upgrade', (request: IncomingMessage, socket) => serveWebsocket(request, socket, [], () => {}));
  await new Promise<void>((resolve) => server.listen(at.port, at.address, resolve));
  t.teardown(() => [server.closeAllConnections(), server.close()]);
  return at;
}

const behind = { app: await instance(), at: await freeAddress() };
const world = await startIdcs({
  idcs: ['sh-a', 'sh-b'],
  hopLimit: 1,
  groups: [
    {
      name: 'near',
      instances: [
        { idc: 'sh-a', at: await instance() },
        { idc: 'sh-b', at: await instance() },
      ],
    },
    { name: 'sidecarred', instances: [{ idc: 'sh-a', at: behind.at }], traffic: { sidecars: true } },
    { name: 'far', instances: [{ idc: 'sh-b', at: await instance() }] },
  ],
});
t.teardown(() => world.close());
await world.meshes
  .get('sh-a')
  ?.envoy(
    'sidecarred',
    { role: 'sidecar', idc: 'sh-a', namespace: 'test' },
    { inbound: { listen: behind.at, app: behind.app } },
  );

/** Ejections so far, by proxy and cluster; also those of a last host, which stays. */
async function ejections(): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const [proxy, admin] of world.admins) {
    const stats = await readStats(admin, 'outlier_detection\\.ejections_(detected|overflow|enforced_total)');
    for (const [name, count] of stats) if (count > 0) found[`${proxy} ${name}`] = count;
  }
  return found;
}

/** Opens websockets, each for 20 ms and closed by its client; what became of each. */
async function converse(to: ListenAddress, host: string): Promise<string[]> {
  const errors: string[] = [];
  const plan: LoadPlan = {
    stream: `${to.port}-${host}`,
    startAtMs: machineClock.now(),
    durationMs: 3750,
    ratePerSecond: 4,
    seed: 1,
    hosts: [host],
    path: '/',
    mix: [{ name: 'websocket', kind: 'websocket', weight: 1, everyMs: 20, lastsMs: [20, 20] }],
    tiers: [[to]],
    timeoutMs: 5000,
    connectTimeoutMs: 1000,
  };
  await runLoad(plan, machineClock, ({ error }) => errors.push(error));
  return errors;
}

const edge = world.gateways.get('sh-a')?.edge as ListenAddress;
for (const [from, to] of [
  ['a sidecar', world.outbound],
  ['the edge', edge],
] as const) {
  for (const host of ['near.test', 'sidecarred.test', 'far.test']) {
    t.test(`from ${from} to ${host}`, { timeout: 60_000 }, async (t) => {
      await until('it is served', async () => (await get(to, '/', { host })).status === 200);
      // On a machine that stands still some end together, which are failures in a row: one that ends alone
      // never is.
      for (let left = 3; left > 0; left -= 1) {
        const before = await ejections();
        t.same(await converse(to, host), Array(15).fill(''));
        const after = await ejections();
        if (left > 1 && JSON.stringify(after) !== JSON.stringify(before)) continue;
        t.same(after, before);
        return;
      }
    });
  }
}
