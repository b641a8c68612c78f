import t from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { nobodyHeader, outcomeHeader, unsentHeader } from '../../src/model/trail.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { slowApps } from '../support/apps/slow-app.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, until } from '../support/mesh.ts';

// What an IDC takes from others is bounded: what is more is refused at once, tried at home or in a third IDC,
// and nothing else feels it. An instance says which requests it executed, so that each is counted.

const apps = slowApps();
t.teardown(() => apps.close());

const two = { capacity: { concurrentPerInstance: 2 } };
const at = async (idc: string, name: string) => ({ idc, at: await apps.start(name) });
const dead = await freeAddress();

const world = await startIdcs({
  idcs: ['sh-a', 'sh-b', 'gz-c'],
  hopLimit: 1,
  groups: [
    {
      name: 'far',
      instances: [await at('sh-b', 'b')],
      drGroup: { ...two, idcs: [{ name: 'sh-a' }, { name: 'sh-b' }] },
    },
    {
      name: 'free',
      instances: [await at('sh-b', 'b')],
      drGroup: { idcs: [{ name: 'sh-a' }, { name: 'sh-b' }] },
    },
    {
      name: 'home',
      instances: [{ idc: 'sh-a', at: dead }, await at('sh-a', 'a'), await at('sh-b', 'b')],
      drGroup: { ...two, idcs: [{ name: 'sh-a' }, { name: 'sh-b' }] },
    },
    { name: 'third', instances: [await at('sh-b', 'b'), await at('gz-c', 'c')], drGroup: two },
    {
      name: 'checked',
      instances: [await at('sh-b', 'b')],
      traffic: { health: { path: '/up', interval: '0.2s' } },
      drGroup: { ...two, idcs: [{ name: 'sh-a' }, { name: 'sh-b' }] },
    },
  ],
});
t.teardown(() => world.close());
const edgeOfB = world.gateways.get('sh-b')?.edge as ListenAddress;

let sent = 0;
async function ask(group: string, ms: number, method = 'GET', to = world.outbound) {
  sent += 1;
  // The dot ends it: nobody else's id begins so.
  const id = `${group}-${sent}.`;
  const path = `/${id}?ms=${ms}`;
  const began = systemClock.now();
  const answer = await get(to, path, { host: `${group}.test`, method, headers: { 'x-test-id': id } });
  return { ...answer, id, path, took: systemClock.now() - began };
}

/** Requests of others that entered an IDC, by their path. */
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

/**
 * Takes up all that an IDC takes of a Group from others, for `ms`; resolves when instances are at it, with
 * what it will be.
 */
async function fill(group: string, ms: number) {
  const done = Promise.all([ask(group, ms, 'POST'), ask(group, ms, 'POST')]);
  const working = () => apps.of(group).filter(({ to }) => Number.isNaN(to)).length;
  await until(`${group} is full`, () => working() >= 2);
  return { done };
}

for (const group of ['far', 'free', 'third', 'checked'])
  await until(`${group} answers`, async () => (await ask(group, 0)).status === 200);
await until('home answers', async () => (await ask('home', 0)).status === 200);

for (const method of ['GET', 'POST', 'PUT']) {
  t.test(`a ${method} beyond the limit is refused at once, and asked for once`, async (t) => {
    const { done } = await fill('far', 1_500);
    const refused = await ask('far', 0, method);
    t.equal(refused.status, 503);
    t.equal(refused.headers[outcomeHeader], 'spill-limit');
    t.equal(refused.headers[nobodyHeader], undefined, 'what proxies tell each other stays there');
    t.equal(refused.headers[unsentHeader], undefined);
    t.equal(refused.body, '');
    t.ok(refused.took < 1_000, `after ${refused.took} ms`);
    t.equal(apps.of(refused.id).length, 0, 'nobody executed it');
    t.strictSame(await entries(refused.path), ['sh-b-ingress'], 'one crossing, of four tries');
    for (const { status, id } of await done) t.strictSame([status, apps.of(id).length], [200, 1]);
    t.equal((await ask('far', 0, method)).status, 200, 'there is room again');
  });
}

t.test('without a capacity there is no limit', async (t) => {
  const answers = await Promise.all(Array.from({ length: 12 }, () => ask('free', 500, 'POST')));
  t.ok(answers.every(({ status }) => status === 200));
});

t.test("the other IDC's own users are served, at its edge", async (t) => {
  const { done } = await fill('far', 1_500);
  const own = await Promise.all(Array.from({ length: 4 }, () => ask('far', 0, 'POST', edgeOfB)));
  t.ok(own.every(({ status, body }) => status === 200 && body === 'b'));
  t.equal((await ask('far', 0)).status, 503, 'others are still refused');
  await done;
});

t.test('a full IDC is not unhealthy: its checks pass, nothing is ejected', async (t) => {
  const count = async (admin: string, stat: string) => {
    const { body } = await get(world.admins.get(admin) as ListenAddress, `/stats?filter=${stat}`);
    return Number(/: (\d+)/.exec(body)?.[1] ?? Number.NaN);
  };
  const counts = () =>
    Promise.all([
      count('sh-a-egress', 'idcs/checked.test.80.health_check.success'),
      count('sh-a-egress', 'idcs/checked.test.80.health_check.failure'),
      count('sh-b-ingress', 'instances/checked.test.80.outlier_detection.ejections_enforced_total'),
    ]);
  const before = await counts();
  const { done } = await fill('checked', 3_000);
  t.equal((await ask('checked', 0)).headers[outcomeHeader], 'spill-limit');
  await done;
  const [passed = 0, failed, ejected] = await counts();
  t.ok(passed >= (before[0] ?? 0) + 5, `${passed - (before[0] ?? 0)} checks passed meanwhile`);
  t.strictSame([failed, ejected], [before[1], 0]);
});

for (const method of ['GET', 'POST']) {
  t.test(`a ${method} that another IDC has no room for is served at home`, async (t) => {
    const egress = world.gateways.get('sh-a')?.sidecar as ListenAddress;
    const hold = () =>
      get(egress, '/held?ms=6000', { host: 'home.test', method: 'POST', headers: { 'x-test-id': 'held' } });
    const executed = apps.of('held').length;
    const held = [hold(), hold()];
    await until('sh-b is full', () => apps.of('held').length === executed + 2);
    const answers: Awaited<ReturnType<typeof ask>>[] = [];
    // The dead instance is ejected for 3 to 4 s: before and after that requests meet it, and the next try is
    // another IDC's.
    for (let i = 0; i < 50; i += 1) {
      answers.push(await ask('home', 0, method));
      await sleep(systemClock, 100);
    }
    t.ok(answers.every(({ status, body }) => status === 200 && body === 'a'));
    t.ok(answers.every(({ id }) => apps.of(id).length === 1));
    const crossed = world
      .accessLines()
      .filter(({ listener, path }) => listener === 'peer' && answers.some((one) => one.path === path));
    t.ok(crossed.length > 0, `${crossed.length} were refused over there before`);
    t.ok(crossed.every(({ status }) => status === 503));
    t.ok((await Promise.all(held)).every(({ status }) => status === 200));
  });

  t.test(`a ${method} that the second IDC has no room for is served in the third`, async (t) => {
    const { done } = await fill('third', 1_500);
    const answers = await Promise.all(Array.from({ length: 2 }, () => ask('third', 400, method)));
    for (const { status, body, id, path } of answers) {
      t.strictSame([status, body], [200, 'c']);
      t.strictSame(
        apps.of(id).map(({ instance }) => instance),
        ['c'],
      );
      const asked = await entries(path);
      t.ok(asked.filter((proxy) => proxy === 'sh-b-ingress').length <= 2, 'asked again once at most');
      t.equal(asked.filter((proxy) => proxy === 'gz-c-ingress').length, 1);
    }
    for (const { body } of await done) t.equal(body, 'b');
  });
}

t.test('when the third is full as well it is refused, and each was asked twice at most', async (t) => {
  const one = await fill('third', 3_000);
  // The next two find sh-b full, and fill gz-c.
  const two = Promise.all([ask('third', 3_000, 'POST'), ask('third', 3_000, 'POST')]);
  await until('both are full', () => apps.of('third').filter(({ to }) => Number.isNaN(to)).length >= 4);
  for (const method of ['GET', 'POST']) {
    const { status, headers, id, path } = await ask('third', 0, method);
    t.strictSame([status, headers[outcomeHeader]], [503, 'spill-limit']);
    t.equal(apps.of(id).length, 0);
    const asked = await entries(path);
    for (const proxy of ['sh-b-ingress', 'gz-c-ingress']) {
      const times = asked.filter((one) => one === proxy).length;
      t.ok(times >= 1 && times <= 2, `${proxy}: ${times} times`);
    }
  }
  t.ok([...(await one.done), ...(await two)].every(({ status }) => status === 200));
});
