import { createServer, type Server } from 'node:http';
import t from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { startIdcs } from '../support/idcs.ts';
import { get, until } from '../support/mesh.ts';

// An outage breaks all that is under way at one moment, and all of it is tried again: a budget must have room
// for that.

/** An instance that holds what it is asked for 30 s, and can break it all. */
interface Holder {
  readonly at: ListenAddress;
  readonly held: () => number;
  readonly server: Server;
}

async function holder(): Promise<Holder> {
  let held = 0;
  const server = createServer((request, response) => {
    if (request.headers['x-hold'] === undefined) return void response.end('quick');
    held += 1;
    response.on('close', () => {
      held -= 1;
    });
    systemClock.after(30_000, () => response.end('slow'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as { port: number };
  return { at: { address: '127.0.0.1', port }, held: () => held, server };
}

/** Takes a while, so that tries after the first are under way together. */
const away = createServer((_request, response) => setTimeout(() => response.end('away'), 1_000));
await new Promise<void>((resolve) => away.listen(0, '127.0.0.1', resolve));
t.teardown(() => {
  away.closeAllConnections();
  away.close();
});
const elsewhere = {
  idc: 'sh-b',
  at: { address: '127.0.0.1', port: (away.address() as { port: number }).port },
};

const budgets: Readonly<Record<string, object>> = {
  none: {},
  // 120 × 3.2 s: more than are under way.
  enough: { retryBudget: { requestsPerSecond: 120 } },
  // The least there is: 50.
  least: { retryBudget: { requestsPerSecond: 1 } },
  share: { retryBudget: { requestsPerSecond: 1, share: '100%' } },
};
const holders = new Map<string, Holder>();
for (const name of Object.keys(budgets)) holders.set(name, await holder());
const world = await startIdcs({
  idcs: ['sh-a', 'sh-b'],
  hopLimit: 1,
  groups: [...holders].map(([name, { at }]) => ({
    name,
    instances: [{ idc: 'sh-a', at }, elsewhere],
    traffic: budgets[name] ?? {},
  })),
});
t.teardown(() => world.close());

/** Breaks so many requests at one moment; how many of them fail. */
async function lost(name: string, count: number): Promise<number> {
  const { held, server } = holders.get(name) as Holder;
  await until(
    `${name} answers`,
    async () => (await get(world.outbound, '/', { host: `${name}.test` })).status === 200,
  );
  const headers = { 'x-hold': 'yes' };
  const all = Array.from({ length: count }, () =>
    get(world.outbound, '/', { host: `${name}.test`, headers }),
  );
  await until(`${name} has all`, () => held() === count);
  server.close();
  server.closeAllConnections();
  return (await Promise.all(all)).filter(({ status }) => status !== 200).length;
}

t.test('without declaration: all are retried', async (t) => {
  t.equal(await lost('none', 120), 0);
});

t.test('a budget by the requests a second of the proxy has room for them', async (t) => {
  t.equal(await lost('enough', 120), 0);
});

t.test('a limit that is too small loses the rest', async (t) => {
  const failed = await lost('least', 120);
  t.ok(failed >= 40 && failed <= 70, `${failed} of 120`);
});

t.test(
  'if requests may leave, a share has no effect: Envoy counts requests at the clusters below',
  async (t) => {
    const failed = await lost('share', 120);
    t.ok(failed >= 40, `${failed} of 120`);
  },
);
