import t from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { slowApps } from '../support/apps/slow-app.ts';
import { startIdcs } from '../support/idcs.ts';
import { get, type Mesh, until } from '../support/mesh.ts';

// The only ingress gateway of the IDC that is asked first is stopped. Nobody can be sent to another one
// there: the next IDC comes first.

const clock = systemClock;
const apps = slowApps();
t.teardown(() => apps.close());
const world = await startIdcs({
  idcs: ['sh-a', 'sh-b', 'gz-c'],
  hopLimit: 1,
  groups: [
    {
      name: 'away',
      instances: [
        { idc: 'sh-b', at: await apps.start('b') },
        { idc: 'gz-c', at: await apps.start('c') },
      ],
    },
  ],
});
const pid = world.pids.get('sh-b-ingress') as number;
t.teardown(async () => {
  process.kill(pid, 'SIGCONT');
  await world.close();
});

async function ask() {
  const from = clock.now();
  const { status, body } = await get(world.outbound, '/', { host: 'away.test', method: 'POST' });
  return { from, status, body };
}
const isFirst = (name: string) =>
  until(`${name} serves`, async () => {
    const answers = await Promise.all([ask(), ask(), ask()]);
    return answers.every(({ body }) => body === name);
  });

/** Three POSTs a second for so long, while it is stopped: those that began once it could be known. */
async function stopForAWhile(ms: number) {
  process.kill(pid, 'SIGSTOP');
  const struck = clock.now();
  const asked: ReturnType<typeof ask>[] = [];
  while (clock.now() < struck + ms) {
    asked.push(ask());
    await sleep(clock, 333);
  }
  const answers = await Promise.all(asked);
  process.kill(pid, 'SIGCONT');
  return answers.filter(({ from }) => from - struck > 3_000).map(({ status, body }) => [status, body]);
}

t.test('an IDC of which the only gateway hangs', { timeout: 120_000 }, async (t) => {
  await isFirst('b');
  const late = await stopForAWhile(9_000);
  t.ok(late.length >= 12, `${late.length}`);
  t.strictSame(
    late,
    late.map(() => [200, 'c']),
  );
  await isFirst('b');
});

t.test('negative control: without probes', { timeout: 120_000 }, async (t) => {
  await (world.meshes.get('sh-a') as Mesh).plane.close();
  await isFirst('b');
  const lost = (await stopForAWhile(7_000)).filter(([status]) => status !== 200);
  t.ok(lost.length > 0, `${lost.length} were lost`);
});
