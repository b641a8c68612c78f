import t, { type Test } from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { outcomeHeader } from '../../src/model/trail.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { slowApps } from '../support/apps/slow-app.ts';
import { startIdcs } from '../support/idcs.ts';
import { get, type Mesh, until } from '../support/mesh.ts';

// One of two gateways is stopped while there are three requests a second. Its kernel goes on accepting
// connections, and so few requests eject nobody: what was sent to it is lost, and so would be what comes
// later.

const clock = systemClock;
const apps = slowApps();
t.teardown(() => apps.close());
const world = await startIdcs({
  idcs: ['sh-a', 'sh-b'],
  hopLimit: 1,
  gateways: 2,
  groups: [{ name: 'away', instances: [{ idc: 'sh-b', at: await apps.start('b') }] }],
});
t.teardown(async () => {
  for (const pid of world.pids.values()) process.kill(pid, 'SIGCONT');
  await world.close();
});
const edge = world.gateways.get('sh-a')?.edge as ListenAddress;
const plane = (world.meshes.get('sh-a') as Mesh).plane;

let sent = 0;
async function ask(method: string, to: ListenAddress) {
  sent += 1;
  const id = `${method}-${sent}.`;
  const from = clock.now();
  const answer = await get(to, '/', { host: 'away.test', method, headers: { 'x-test-id': id } });
  return {
    id,
    from,
    tookMs: clock.now() - from,
    status: answer.status,
    outcome: answer.headers[outcomeHeader],
  };
}

/** Three requests a second, one of each method, for so long: in turns by the sidecar and the edge. */
async function load(ms: number) {
  const asked: ReturnType<typeof ask>[] = [];
  const until = clock.now() + ms;
  for (let i = 0; clock.now() < until; i += 1) {
    const method = ['GET', 'POST', 'PUT'][i % 3] as string;
    asked.push(ask(method, [world.outbound, edge][i % 2] as ListenAddress));
    await sleep(clock, 333);
  }
  return Promise.all(asked);
}

/** Stops a gateway, and what became of requests that were begun before that could be known, and later. */
async function stopForAWhile(t: Test, gateway: string, ms: number) {
  const pid = world.pids.get(gateway) as number;
  process.kill(pid, 'SIGSTOP');
  const from = clock.now();
  const answers = await load(ms);
  process.kill(pid, 'SIGCONT');
  const late = answers.filter((one) => one.from - from > knownMs);
  const lost = (some: typeof answers) => some.filter(({ status }) => status !== 200);
  const last = Math.max(0, ...lost(answers).map((one) => one.from - from));
  t.comment(`${gateway}: ${lost(answers).length} of ${answers.length} lost, the last began after ${last} ms`);
  return { late, lost: lost(late) };
}

/**
 * So long after a gateway was stopped it is known: a look each second, two words that are waited for, and a
 * busy machine.
 */
const knownMs = 3_000;
const gateways = ['sh-a-egress-2', 'sh-b-ingress-2'];
const isServed = async () => {
  const answers = await Promise.all(['GET', 'POST', 'PUT'].map((method) => ask(method, world.outbound)));
  return answers.every(({ status }) => status === 200);
};
const hung = () => plane.status().problems.filter(({ message }) => /never answers/.test(message));

for (const gateway of gateways) {
  t.test(`${gateway} hangs`, { timeout: 120_000 }, async (t) => {
    await until('all are served', isServed);
    const { late, lost } = await stopForAWhile(t, gateway, 14_000);
    t.ok(late.length >= 30);
    t.strictSame(lost, [], 'nothing that began once it was known');
    for (const { id } of late) t.equal(apps.of(id).length, 1, `${id} was executed once`);
    t.match(hung(), [{ severity: 'warning', where: /gateway 127.0.0.1:\d+ of sh-/ }], 'status says so');
    await until('it is taken again', () => hung().length === 0);
    const lines = () => world.accessLines().filter(({ proxy }) => proxy === gateway).length;
    const before = lines();
    await until('it has its share', async () => (await isServed()) && lines() > before);
  });
}

t.test('negative control: without probes', { timeout: 120_000 }, async (t) => {
  for (const { plane: each } of world.meshes.values()) await each.close();
  await until('all are served', isServed);
  for (const gateway of gateways) {
    const { lost } = await stopForAWhile(t, gateway, 8_000);
    t.ok(lost.length > 0, `${lost.length} were lost through ${gateway} that began after ${knownMs} ms`);
    t.ok(
      lost.every(({ status }) => status === 503),
      JSON.stringify(lost),
    );
    await until('all are served', isServed);
  }
});
