import t, { type Test } from 'tap';
import { clusterType, endpointType } from '../../src/xds/resource-types.ts';
import { connectXds, type XdsClient } from '../support/clients/xds-client.ts';
import { get, until } from '../support/mesh.ts';
import { type Replacement, type Served, startServe, takeAway, without } from '../support/planes/served.ts';

const metadata = { isthmus: { role: 'sidecar', idc: 'sh-a', namespace: 'shop' } };
const clientsMax = 240;

/**
 * A control plane with a small heap; clients fill it, one by one, each with names of its own, until one is
 * refused or all are there.
 */
async function fill(t: Test, ...off: Replacement[]) {
  const served: Served = await startServe({
    node: ['--max-old-space-size=128', '--import', without],
    env: takeAway(...off),
  });
  t.teardown(() => served.close());
  await served.ready();
  const clients: XdsClient[] = [];
  t.teardown(() => {
    for (const client of clients) client.close();
  });
  const refusals: { code: number; details: string }[] = [];
  const pages = watchPages(t, served);
  for (let i = 0; i < clientsMax && !(refusals.length > 0 && pages.areTold()); i += 1) {
    const client = connectXds(`127.0.0.1:${served.xds.port}`, 'delta', { id: `greedy-${i}`, metadata });
    clients.push(client);
    // A stream that is read late, as names are dear, may end for that.
    void client.ended.then(({ code, details }) => {
      if (/^memory is/.test(details)) refusals.push({ code, details });
    });
    const names = Array.from({ length: 20_000 }, (_, j) => `${i}-${j}-${'x'.repeat(60)}`);
    client.send(clusterType, { resource_names_subscribe: ['*'] });
    client.send(endpointType, { resource_names_subscribe: names });
    await Promise.race([client.next().catch(() => {}), client.ended, served.exit]);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { served, clients, refusals, pages };
}

/** Which pages have told meanwhile that memory is short: it may be over when somebody looks afterwards. */
function watchPages(t: Test, served: Served) {
  const told = { ready: false, metric: false };
  let isOver = false;
  t.teardown(() => {
    isOver = true;
  });
  const look = async () => {
    while (!isOver && !(told.ready && told.metric)) {
      const { status, body } = await get(served.admin, '/readyz');
      told.ready ||= status === 503 && /memory is nearly full/.test(body);
      told.metric ||= /isthmus_memory_shedding\{[^}]*\} 1/.test(await served.page('/metrics'));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  // Where the protection is off the process dies.
  look().catch(() => {});
  return { told, areTold: () => told.ready && told.metric };
}

t.test('before its heap is full new streams are refused, and existing ones are served', async (t) => {
  const soon = { file: 'plane/memory.ts', from: 'collect: 30_000', to: 'collect: 1_000' };
  const { served, clients, refusals, pages } = await fill(t, soon);
  t.match(refusals[0], { code: 8, details: /^memory is nearly full: \d+ of \d+ MiB/ });
  t.comment(`${clients.length} clients: ${refusals[0]?.details}`);
  t.strictSame(pages.told, { ready: true, metric: true });
  for (const client of clients) client.close();
  await until('there is room again', async () => (await get(served.admin, '/readyz')).status === 200);
  const late = connectXds(`127.0.0.1:${served.xds.port}`, 'delta', { id: 'late', metadata });
  t.teardown(() => late.close());
  late.send(clusterType, { resource_names_subscribe: ['*'] });
  t.equal((await late.next()).type_url, clusterType);
});

t.test('without that the process dies', async (t) => {
  const { served, refusals } = await fill(t, { file: 'cli/serve.ts', from: 'heap: watchHeap(),', to: '' });
  const { code, signal } = await Promise.race([
    served.exit,
    new Promise<{ code: number; signal: string }>((resolve) =>
      setTimeout(() => resolve({ code: 0, signal: 'it lives' }), 20_000),
    ),
  ]);
  t.ok(signal === 'SIGABRT' || signal === 'SIGTRAP' || (code ?? 0) > 128, `${code} ${signal}`);
  t.match(served.log(), /heap out of memory|heap limit/i);
  t.notOk(refusals.some(({ code }) => code === 8));
});
