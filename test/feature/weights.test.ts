import { createServer, type Server } from 'node:http';
import t, { type Test } from 'tap';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, until } from '../support/mesh.ts';

/** Requests by which a share is judged, and the share of sh-b, of weight 3 beside 1. */
const [count, share] = [400, 3 / 4];
/**
 * Were each request thrown by dice, the number that sh-b serves would be binomial: mean 300, standard
 * deviation 8.7. Five of these on either side are missed in less than one run of a million. (Envoy's round
 * robin by weight throws no dice and stays much nearer; even shares, 200, are 11 away.)
 */
const around = 5 * Math.sqrt(count * share * (1 - share));

async function start(name: string, at: ListenAddress): Promise<Server> {
  const server = createServer((_request, response) => response.end(name));
  await new Promise<void>((resolve) => server.listen(at.port, at.address, resolve));
  return server;
}

function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

const [b, c] = [await freeAddress(), await freeAddress()];
const servers = new Map([
  ['sh-b', await start('sh-b', b)],
  ['sh-c', await start('sh-c', c)],
]);
const stopServer = (name: string) => stop(servers.get(name) as Server);
const weights = [
  { name: 'sh-a', weight: 1 },
  { name: 'sh-b', weight: 3 },
  { name: 'sh-c', weight: 1 },
];
const world = await startIdcs({
  idcs: ['sh-a', 'sh-b', 'sh-c'],
  hopLimit: 2,
  preference: { 'sh-a': weights, 'sh-b': weights, 'sh-c': weights },
  // Nobody at home: all that a caller in sh-a asks for crosses.
  groups: [
    {
      name: 'spread',
      health: '/up',
      instances: [
        { idc: 'sh-b', at: b },
        { idc: 'sh-c', at: c },
      ],
    },
  ],
});
t.teardown(async () => {
  await world.close();
  for (const server of servers.values()) await stop(server);
});

async function ask(): Promise<string> {
  const { status, body } = await get(world.outbound, '/', { host: 'spread.test' });
  return status === 200 ? body : `status ${status}`;
}

/** Who served so many requests, eight at a time. */
async function tally(requests: number): Promise<Record<string, number>> {
  const by: Record<string, number> = {};
  let left = requests;
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      const who = await ask();
      by[who] = (by[who] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return by;
}

/**
 * Waits until so many requests in a row are served by these IDCs, each of them at least once, and by nobody
 * else.
 */
async function untilServedBy(...idcs: readonly string[]): Promise<void> {
  await until(`served by ${idcs}`, async () => {
    const by = await tally(40);
    return idcs.every((idc) => idc in by) && Object.keys(by).every((who) => idcs.includes(who));
  });
}

const inProportion = async (t: Test) => {
  const by = await tally(count);
  t.strictSame(Object.keys(by).sort(), ['sh-b', 'sh-c'], 'all were served');
  const off = Math.abs((by['sh-b'] ?? 0) - count * share);
  t.ok(off <= around, `sh-b served ${by['sh-b']} of ${count}`);
};

t.test('healthy instances serve in proportion to their weights', async (t) => {
  await untilServedBy('sh-b', 'sh-c');
  await inProportion(t);
});

t.test('the rest serves all, whatever its weight', async (t) => {
  for (const [gone, left, at] of [
    ['sh-b', 'sh-c', b],
    ['sh-c', 'sh-b', c],
  ] as const) {
    await stopServer(gone);
    await untilServedBy(left);
    t.strictSame(await tally(100), { [left]: 100 }, `without ${gone}`);
    servers.set(gone, await start(gone, at));
    await untilServedBy('sh-b', 'sh-c');
  }
});

t.test('a restored instance has its weight again', (t) => inProportion(t));
