import t from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { outcomeHeader } from '../../src/model/trail.ts';
import { slowApps } from '../support/apps/slow-app.ts';
import { startIdcs } from '../support/idcs.ts';
import { get, until } from '../support/mesh.ts';

// Four IDCs with two gateways of each kind; the first has nobody. When the second is full at both of its
// gateways, requests go on to the third, by the DR group's order or by its weights; POSTs too, and each is
// executed once.

const apps = slowApps();
t.teardown(() => apps.close());
const idcs = ['sh-a', 'sh-b', 'gz-c', 'gz-d'];
const instances = await Promise.all(idcs.slice(1).map(async (idc) => ({ idc, at: await apps.start(idc) })));
const capacity = { concurrentPerInstance: 2 };
const weighted = [
  { name: 'sh-a', weight: 1 },
  { name: 'sh-b', weight: 1000 },
  { name: 'gz-c', weight: 0 },
  { name: 'gz-d', weight: 0 },
];
const world = await startIdcs({
  ...{ idcs, hopLimit: 1, gateways: 2 },
  groups: [
    { name: 'ordered', instances, drGroup: { capacity } },
    { name: 'weighted', instances, drGroup: { capacity, idcs: weighted } },
    { name: 'unbounded', instances },
  ],
});
t.teardown(() => world.close());

let sent = 0;
async function ask(group: string, ms: number, method = 'GET') {
  sent += 1;
  // The dot ends it: nobody else's id begins so.
  const id = `${group}-${sent}.`;
  const path = `/${id}?ms=${ms}`;
  const answer = await get(world.outbound, path, {
    ...{ host: `${group}.test`, method },
    headers: { 'x-test-id': id },
  });
  return { ...answer, id, path };
}

const working = (group: string) => apps.of(group).filter(({ to }) => Number.isNaN(to));

/** Requests of others that entered an IDC, by the path of the request. */
async function entries(path: string): Promise<string[]> {
  let [before, now] = [-1, 0];
  const found = () => world.accessLines().filter((line) => line.path === path && line.listener === 'peer');
  await until(`${path} is logged`, async () => {
    [before, now] = [now, found().length];
    await sleep(systemClock, 200);
    return before === now;
  });
  return found().map(({ proxy }) => proxy);
}

/** Has so many requests in work, and nobody refused. */
async function fill(group: string, count: number, ms: number): Promise<{ readonly done: Promise<string[]> }> {
  const all: Promise<string>[] = [];
  for (let i = 1; i <= count; i += 1) {
    all.push(ask(group, ms, 'POST').then(({ status, body }) => (status === 200 ? body : String(status))));
    // One after the other: two at one moment may find room at one gateway and not at the other.
    await until(`${i} are in work`, () => working(group).length === i);
  }
  return { done: Promise.all(all) };
}

for (const group of ['ordered', 'weighted', 'unbounded'])
  await until(`${group} answers`, async () => (await ask(group, 0)).body === 'sh-b');

for (const group of ['ordered', 'weighted']) {
  for (const method of ['GET', 'POST', 'PUT']) {
    t.test(`${group}: a ${method} goes on to the third IDC`, { timeout: 120_000 }, async (t) => {
      const full = await fill(group, 2, 4_000);
      const answers = await Promise.all([0, 1].map(() => ask(group, 1_500, method)));
      for (const { status, body, id, path } of answers) {
        t.strictSame([status, body], [200, 'gz-c']);
        t.strictSame(
          apps.of(id).map(({ instance }) => instance),
          ['gz-c'],
          'executed once',
        );
        const asked = await entries(path);
        const at = (idc: string) => asked.filter((proxy) => proxy.startsWith(idc)).length;
        t.ok(at('sh-b') <= 2, `${asked.join(', ')}: the full one twice at most`);
        // Two at one moment may meet at one of its gateways, each of which has room for one.
        t.ok(at('gz-c') <= 2, asked.join(', '));
        t.equal(at('gz-d'), 0);
      }
      t.strictSame(await full.done, ['sh-b', 'sh-b']);
    });
  }

  t.test(`${group}: when the third is full as well, the fourth`, { timeout: 120_000 }, async (t) => {
    const full = await fill(group, 4, 6_000);
    t.strictSame(
      working(group).map(({ instance }) => instance),
      ['sh-b', 'sh-b', 'gz-c', 'gz-c'],
    );
    for (const method of ['GET', 'POST']) {
      const { status, body, headers, id } = await ask(group, 0, method);
      t.strictSame([status, body], [200, 'gz-d'], `${method}: ${headers[outcomeHeader]}`);
      t.equal(apps.of(id).length, 1);
    }
    t.strictSame(await full.done, ['sh-b', 'sh-b', 'gz-c', 'gz-c']);
  });
}

t.test('without a limit all stay in the second: the control', { timeout: 120_000 }, async (t) => {
  const full = await fill('unbounded', 4, 3_000);
  t.equal((await ask('unbounded', 0, 'POST')).body, 'sh-b');
  t.strictSame(await full.done, ['sh-b', 'sh-b', 'sh-b', 'sh-b']);
});
