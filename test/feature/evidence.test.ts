import t from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { slowApps } from '../support/apps/slow-app.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, type Mesh, until } from '../support/mesh.ts';

// A sidecar or a gateway that hangs, with requests under way: nothing but PING tells. And what takes long
// behind one that lives is not cut.

const apps = slowApps();
t.teardown(() => apps.close());

interface Placed {
  readonly idc: string;
  readonly at: ListenAddress;
  readonly app: ListenAddress;
}
const placed = async (idc: string): Promise<Placed> => ({
  idc,
  at: await freeAddress(),
  app: await apps.start(idc),
});
const known = [await placed('sh-a'), await placed('sh-b')];
const unknown = [await placed('sh-a'), await placed('sh-b')];

const world = await startIdcs({
  idcs: ['sh-a', 'sh-b'],
  hopLimit: 1,
  groups: [
    { name: 'known', instances: known, traffic: { sidecars: true } },
    { name: 'unknown', instances: unknown },
    { name: 'away', instances: [{ idc: 'sh-b', at: await apps.start('away') }] },
  ],
});
t.teardown(() => world.close());
/** Process ids of the instances' sidecars, by Group and IDC. */
const sidecars = new Map<string, number>();
for (const [group, list] of [
  ['known', known],
  ['unknown', unknown],
] as const) {
  for (const { idc, at, app } of list) {
    const scope = { role: 'sidecar', idc, namespace: 'test' } as const;
    const mesh = world.meshes.get(idc) as Mesh;
    const { pid } = await mesh.envoy(`${group}-${idc}`, scope, { inbound: { listen: at, app } });
    sidecars.set(`${group} ${idc}`, pid);
  }
}
const signal = (name: string, what: 'SIGSTOP' | 'SIGCONT') =>
  process.kill(sidecars.get(name) as number, what);
t.teardown(() => {
  for (const pid of [...sidecars.values(), ...world.pids.values()]) process.kill(pid, 'SIGCONT');
});

let sent = 0;
function ask(group: string, ms: number, method = 'GET') {
  sent += 1;
  const id = `${group}/${method}/${sent}`;
  const headers = { 'x-test-id': id };
  const answered = get(world.outbound, `/?ms=${ms}`, { host: `${group}.test`, method, headers });
  return { id, answered };
}
const isHome = (group: string) =>
  until(`${group} is served at home`, async () => (await ask(group, 0).answered).body === 'sh-a');

t.test('a request of 5 s behind a live sidecar is not cut', async (t) => {
  await isHome('known');
  const { id, answered } = ask('known', 5000);
  t.match(await answered, { status: 200, body: 'sh-a' });
  t.strictSame(
    apps.of(id).map(({ httpVersion }) => httpVersion),
    ['1.1'],
    'and the workload is spoken to as it speaks',
  );
});

for (const method of ['GET', 'PUT']) {
  t.test(`a ${method} under way when the sidecar hangs`, async (t) => {
    await isHome('known');
    signal('known sh-a', 'SIGSTOP');
    const from = systemClock.now();
    const { id, answered } = ask('known', 0, method);
    const { status, body, headers } = await answered;
    const took = systemClock.now() - from;
    if (method === 'GET') t.strictSame([status, body], [200, 'sh-b']);
    else
      t.strictSame([status, headers['x-isthmus-outcome']], [503, 'interrupted'], 'it may have been executed');
    t.ok(took < 10_000, `after ${took} ms`);
    t.comment(`${method}: ${took} ms`);
    signal('known sh-a', 'SIGCONT');
    await sleep(systemClock, 500);
    t.ok(apps.of(id).filter(({ instance }) => instance === 'sh-b').length === (method === 'GET' ? 1 : 0));
  });
}

for (const gateway of ['sh-a-egress', 'sh-b-ingress']) {
  t.test(`a POST under way through ${gateway} when that hangs`, async (t) => {
    await until('the other IDC is reached', async () => (await ask('away', 0).answered).body === 'away');
    const pid = world.pids.get(gateway) as number;
    process.kill(pid, 'SIGSTOP');
    const from = systemClock.now();
    const { status, headers } = await ask('away', 0, 'POST').answered;
    const took = systemClock.now() - from;
    process.kill(pid, 'SIGCONT');
    t.strictSame([status, headers['x-isthmus-outcome']], [503, 'interrupted']);
    t.ok(took < 15_000, `after ${took} ms`);
    t.comment(`${gateway}: ${took} ms`);
  });
}

t.test('negative control: without `sidecars`, a GET waits', async (t) => {
  await isHome('unknown');
  signal('unknown sh-a', 'SIGSTOP');
  const { answered } = ask('unknown', 0);
  const first = await Promise.race([answered, sleep(systemClock, 4000).then(() => 'waits')]);
  t.equal(first, 'waits');
  signal('unknown sh-a', 'SIGCONT');
  t.match(await answered, { status: 200, body: 'sh-a' });
});
