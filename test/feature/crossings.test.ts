import { createServer, type Server } from 'node:http';
import t from 'tap';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, until } from '../support/mesh.ts';

/** An instance that can be killed and started again at its address. */
interface Instance {
  readonly at: ListenAddress;
  start(): Promise<void>;
  kill(): Promise<void>;
}

async function instance(name: string): Promise<Instance> {
  const at = await freeAddress();
  let server: Server | undefined;
  return {
    at,
    start: () =>
      new Promise((resolve) => {
        server = createServer((_request, response) => response.end(name));
        server.listen(at.port, at.address, resolve);
      }),
    kill: () =>
      new Promise((resolve) => {
        server?.closeAllConnections();
        server?.close(() => resolve());
      }),
  };
}

const idcs = ['sh-a', 'sh-b', 'bj-c'] as const;
const [payC, blindC, shopB] = [await instance('pay-c'), await instance('blind-c'), await instance('shop-b')];
const [manyA, manyB, manyC] = [await instance('many-a'), await instance('many-b'), await instance('many-c')];
for (const one of [payC, blindC, shopB, manyA, manyB, manyC]) await one.start();

const world = await startIdcs({
  idcs,
  hopLimit: 2,
  groups: [
    // In the third IDC alone; the egress of the first can know it.
    { name: 'pay', health: '/up', instances: [{ idc: 'bj-c', at: payC.at }] },
    // The same without a health path: it cannot know.
    { name: 'blind', instances: [{ idc: 'bj-c', at: blindC.at }] },
    { name: 'shop', health: '/up', instances: [{ idc: 'sh-b', at: shopB.at }] },
    {
      name: 'many',
      health: '/up',
      instances: [
        { idc: 'sh-a', at: manyA.at },
        { idc: 'sh-b', at: manyB.at },
        { idc: 'bj-c', at: manyC.at },
      ],
    },
  ],
});
t.teardown(async () => {
  await world.close();
  for (const one of [payC, blindC, shopB, manyA, manyB, manyC]) await one.kill();
});

let requests = 0;

/** One request of the caller in sh-a; with the trail as the last ingress saw it. */
async function ask(group: string) {
  requests += 1;
  const path = `/${group}-${requests}`;
  const started = performance.now();
  const answer = await get(world.outbound, path, { host: `${group}.test` });
  const ms = performance.now() - started;
  return { ...answer, ms, path };
}

/** The trails with which a request came in at IDCs' peer listeners, in order. */
function entered(path: string): string[] {
  const lines = world.accessLines().filter((line) => line.path === path && line.listener === 'peer');
  return lines.map(({ trail }) => trail ?? '').sort((a, b) => a.length - b.length);
}

/** Waits until the logs say that the request came in with these trails: Envoy writes them a moment later. */
function untilEntered(path: string, trails: readonly string[]): Promise<void> {
  return until(`${path} entered with ${trails}`, () => entered(path).join(' ') === trails.join(' '));
}

t.test('an egress that knows who has instances crosses once', async (t) => {
  await until('pay is served', async () => (await ask('pay')).status === 200);
  await until('sh-b is known to have none', async () => {
    const answer = await ask('pay');
    await until('it is logged', () => entered(answer.path).includes('sh-a,bj-c'));
    return entered(answer.path).length === 1;
  });
  for (let i = 0; i < 10; i += 1) {
    const answer = await ask('pay');
    t.match(answer, { status: 200, body: 'pay-c' });
    await untilEntered(answer.path, ['sh-a,bj-c']);
  }
});

t.test('a request of an uninformed IDC is passed on: two crossings, and no more', async (t) => {
  await until('blind is served', async () => (await ask('blind')).status === 200);
  const answer = await ask('blind');
  t.match(answer, { status: 200, body: 'blind-c' });
  await untilEntered(answer.path, ['sh-a,sh-b', 'sh-a,sh-b,bj-c']);
});

t.test('an IDC without instances of one Group still serves others', async (t) => {
  await until('shop is served', async () => (await ask('shop')).status === 200);
  const answer = await ask('shop');
  t.match(answer, { status: 200, body: 'shop-b' });
  await untilEntered(answer.path, ['sh-a,sh-b']);
});

t.test('each IDC in turn takes over, and the first comes back', async (t) => {
  const served = (by: string) => until(`${by} serves`, async () => (await ask('many')).body === by);
  await served('many-a');
  await manyA.kill();
  await served('many-b');
  await manyB.kill();
  await served('many-c');
  await manyC.kill();
  await until('nobody serves', async () => (await ask('many')).status === 503);
  const refused = await ask('many');
  t.equal(refused.status, 503);
  t.ok(refused.ms < 5_000, `refused after ${refused.ms} ms`);
  t.notOk(
    'x-envoy-immediate-health-check-fail' in refused.headers,
    'what gateways tell each other stays there',
  );
  await manyB.start();
  await served('many-b');
  await manyA.start();
  await served('many-a');
});

t.test('over all of that, no request came into an IDC twice, and none crossed more than twice', async (t) => {
  const trails = world.accessLines().map(({ trail }) => (trail ?? '').split(','));
  t.ok(trails.length > 100, `${trails.length} lines`);
  t.notOk(
    trails.some((names) => new Set(names).size < names.length),
    'no IDC twice',
  );
  t.ok(Math.max(...trails.map((names) => names.length)) <= 3, 'two crossings at most');
});
