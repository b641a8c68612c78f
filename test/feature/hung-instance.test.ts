import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { slowApps } from '../support/apps/slow-app.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, type Mesh, until } from '../support/mesh.ts';

// One of two instances is stopped while there are three requests a second, of any method. Where instances are
// checked nothing is lost that begins once checks have failed, with a sidecar before them and without.

const clock = systemClock;
const apps = slowApps();
t.teardown(() => apps.close());

/** An instance in a process of its own. */
async function instance(): Promise<{ at: ListenAddress; pid: number }> {
  const code = `require('node:http').createServer((_, response) => response.end('own'))
    .listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const [port] = await once(child.stdout, 'data');
  return { at: { address: '127.0.0.1', port: Number(port) }, pid: child.pid as number };
}

const placed = async () => ({ idc: 'sh-a', at: await freeAddress() });
const [plain, known, unchecked] = [
  [await instance(), await instance()],
  [await placed(), await placed()],
  [await placed(), await placed()],
];
const sidecars = { sidecars: true };
const checked = { health: { path: '/up', interval: '0.5s' } };
const world = await startIdcs({
  idcs: ['sh-a', 'sh-b'],
  hopLimit: 1,
  groups: [
    {
      name: 'plain',
      instances: plain.map(({ at }) => ({ idc: 'sh-a', at })),
      drGroup: { traffic: checked },
    },
    { name: 'known', instances: known, drGroup: { traffic: { ...checked, ...sidecars } } },
    { name: 'unchecked', instances: unchecked, drGroup: { traffic: sidecars } },
  ],
});
const pids = new Map([['plain', plain[1]?.pid as number]]);
const mesh = world.meshes.get('sh-a') as Mesh;
for (const [group, list] of [
  ['known', known],
  ['unchecked', unchecked],
] as const)
  for (const { at } of list) {
    const scope = { role: 'sidecar', idc: 'sh-a', namespace: 'test' } as const;
    const inbound = { listen: at, app: await apps.start(group) };
    const { pid } = await mesh.envoy(`${group}-${at.port}`, scope, { inbound });
    pids.set(group, pid);
  }
t.teardown(async () => {
  for (const pid of pids.values()) process.kill(pid, 'SIGCONT');
  await world.close();
});

async function ask(group: string, method: string) {
  const from = clock.now();
  // Whoever waits for a stopped process waits for ever.
  const answer = get(world.outbound, '/', { host: `${group}.test`, method }).then(({ status }) => status);
  return { method, from, status: await Promise.race([answer, sleep(clock, 8_000).then(() => 0)]) };
}

/** Two checks, and a busy machine. */
const knownMs = 3_000;

/** Stops an instance for 10 s; what was lost of what began once that could be known. */
async function stopForAWhile(group: string): Promise<{ late: number; lost: readonly string[] }> {
  const pid = pids.get(group) as number;
  const all = async () => {
    const answers = await Promise.all(['GET', 'POST', 'PUT', 'GET'].map((method) => ask(group, method)));
    return answers.every(({ status }) => status === 200);
  };
  await until(`${group} is served`, all);
  process.kill(pid, 'SIGSTOP');
  const struck = clock.now();
  const asked: ReturnType<typeof ask>[] = [];
  for (let i = 0; clock.now() < struck + 10_000; i += 1) {
    asked.push(ask(group, ['GET', 'POST', 'PUT'][i % 3] as string));
    await sleep(clock, 333);
  }
  const answers = await Promise.all(asked);
  process.kill(pid, 'SIGCONT');
  const late = answers.filter(({ from }) => from - struck > knownMs);
  const lost = late.filter(({ status }) => status !== 200);
  return {
    late: late.length,
    lost: lost.map(({ method, from, status }) => `${method} ${Math.round(from - struck)} ms: ${status}`),
  };
}

for (const [group, what] of [
  ['plain', 'an instance'],
  ['known', 'the sidecar of an instance'],
] as const)
  t.test(`${what} that is checked hangs`, { timeout: 120_000 }, async (t) => {
    const { late, lost } = await stopForAWhile(group);
    t.ok(late >= 15, `${late} began once it was known`);
    t.strictSame(lost, []);
  });

t.test('negative control: without checks', { timeout: 240_000 }, async (t) => {
  // If few requests find the hung one before it is ejected, all of them may be repeated: not each time.
  for (let i = 0; i < 6; i += 1) {
    const { late, lost } = await stopForAWhile('unchecked');
    if (lost.length === 0) continue;
    t.pass(`${lost.length} of ${late} were lost: ${lost.join(', ')}`);
    return;
  }
  t.fail('nothing was lost in six times');
});
