import t from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { overlaps, slowApps } from '../support/apps/slow-app.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, type Mesh, until } from '../support/mesh.ts';

// Slow is not dead: nothing is broken, so each request runs once and each instance keeps its share, whatever
// it takes. Each thing twice: as it is by default, and in a Group that asks for hedging, where it must show.

const apps = slowApps();
t.teardown(() => apps.close());

const hedged = { hedge: true, idempotentMethods: ['GET', 'PUT', 'DELETE'] };
const start = async (idc: string, name: string) => ({ idc, at: await apps.start(name) });

/** A Group as it is by default, and its like that hedges. */
async function pair(name: string, instances: () => Promise<{ idc: string; at: ListenAddress }[]>) {
  return [
    { name, instances: await instances() },
    { name: `${name}-hedged`, instances: await instances(), traffic: hedged },
  ];
}

const four = (idc: string, name: string) => Promise.all([1, 2, 3, 4].map((n) => start(idc, `${name}-${n}`)));
const home = async () => [...(await four('sh-a', 'home')), await start('sh-b', 'away')];
const away = async () => [{ idc: 'sh-a', at: await freeAddress() }, ...(await four('sh-b', 'away'))];
const both = async () => [await start('sh-a', 'home'), await start('sh-b', 'away')];

/** A Group whose instances stand behind sidecars, the one in sh-a at `near`, and one in sh-b. */
async function behindSidecars(name: string, near: ListenAddress) {
  const [far, app] = [await freeAddress(), await apps.start('away')];
  sidecars.push([`${name}-away`, 'sh-b', far, app]);
  const instances = [
    { idc: 'sh-a', at: near },
    { idc: 'sh-b', at: far },
  ];
  return { name, instances, traffic: { sidecars: true } };
}

/** Id, IDC, where it listens, and the workload behind it. */
const sidecars: [string, string, ListenAddress, ListenAddress][] = [];
const behind = await freeAddress();
const [downApp, copier] = [
  await freeAddress(),
  await apps.start('copier', { status: 503, headers: { 'x-isthmus-unsent': 'true' } }),
];
const behindCopier = await freeAddress();

const world = await startIdcs({
  idcs: ['sh-a', 'sh-b'],
  hopLimit: 1,
  groups: [
    ...(await pair('solo', home)),
    ...(await pair('b3', away)),
    ...(await pair('web', both)),
    await behindSidecars('down', behind),
    await behindSidecars('copying', behindCopier),
  ],
});
t.teardown(() => world.close());
sidecars.push(['down', 'sh-a', behind, downApp], ['copying', 'sh-a', behindCopier, copier]);
for (const [id, idc, listen, app] of sidecars) {
  const mesh = world.meshes.get(idc) as Mesh;
  await mesh.envoy(id, { role: 'sidecar', idc, namespace: 'test' }, { inbound: { listen, app } });
}

let sent = 0;
/** Sends a request that takes `ms` at the instance that executes it. */
async function ask(group: string, ms: number, method = 'GET') {
  sent += 1;
  const id = `${group}/${ms}/${sent}`;
  const answer = await get(world.outbound, `/?ms=${ms}`, {
    host: `${group}.test`,
    method,
    headers: { 'x-test-id': id },
  });
  return { ...answer, id };
}

/** Sends `count` requests, one each 25 ms, and waits for all answers. */
async function load(group: string, ms: number, count: number, method = 'GET') {
  const answers: ReturnType<typeof ask>[] = [];
  for (let i = 0; i < count; i += 1) {
    answers.push(ask(group, ms, method));
    await sleep(systemClock, 25);
  }
  return Promise.all(answers);
}

const open = (group: string) => until(`${group} answers`, async () => (await ask(group, 0)).status === 200);

t.test('answers of 600 ms at home', async (t) => {
  await open('solo');
  const answers = await load('solo', 600, 60);
  t.ok(answers.every(({ status }) => status === 200));
  const executions = apps.of('solo/600');
  t.equal(executions.length, 60, 'each request ran once');
  for (const name of ['home-1', 'home-2', 'home-3', 'home-4']) {
    const share = executions.filter(({ instance }) => instance === name).length;
    t.ok(share >= 8 && share <= 24, `${name} had ${share} of 60`);
  }
  await open('solo-hedged');
  await load('solo-hedged', 600, 60);
  const twice = apps.of('solo-hedged/600');
  t.ok(twice.length > 60 && overlaps(twice) > 0, `hedged: ${twice.length} executions of 60 requests`);
});

t.test('answers of 250 ms from another IDC', async (t) => {
  await open('b3');
  const answers = await load('b3', 250, 60);
  t.ok(answers.every(({ status, body }) => status === 200 && body.startsWith('away')));
  t.equal(apps.of('b3/250').length, 60, 'each request ran once');
  await open('b3-hedged');
  await load('b3-hedged', 250, 60);
  t.ok(apps.of('b3-hedged/250').length > 60, 'hedged: more executions than requests');
});

t.test('five answers of 2 s: nobody is ejected, quick requests stay at home', async (t) => {
  /** Who served ten quick requests, sent while five slow ones are under way. */
  const quick = async (group: string) => {
    await until(`${group} is served at home`, async () => (await ask(group, 0)).body === 'home');
    const slow = Promise.all(Array.from({ length: 5 }, () => ask(group, 2000)));
    await sleep(systemClock, 1000);
    const bodies = (await load(group, 0, 10)).map(({ body }) => body);
    t.ok((await slow).every(({ status }) => status === 200));
    return bodies;
  };
  t.ok((await quick('web')).every((body) => body === 'home'));
  const executions = apps.of('web/2000');
  t.equal(executions.length, 5);
  t.ok(executions.every(({ instance }) => instance === 'home'));
  t.ok((await quick('web-hedged')).includes('away'), 'hedged: it is ejected for its timeouts');
});

for (const method of ['PUT', 'DELETE']) {
  t.test(`a ${method} of 900 ms runs once`, async (t) => {
    const before = apps.of('web/900').length;
    const { status, body } = await ask('web', 900, method);
    t.strictSame([status, body], [200, 'home']);
    t.equal(apps.of('web/900').length - before, 1);
    const { id } = await ask('web-hedged', 900, method);
    t.ok(overlaps(apps.of(id)) > 0, 'hedged, and named as idempotent: two at once');
  });
}

for (const method of ['POST', 'PUT', 'DELETE', 'GET']) {
  t.test(`a ${method} that a proxy never handed on is served elsewhere`, async (t) => {
    const { status, body, headers, id } = await ask('down', 0, method);
    t.strictSame([status, body], [200, 'away']);
    t.equal(apps.of(id).length, 1);
    t.equal(headers['x-isthmus-unsent'], undefined);
  });
}

t.test(
  'a response of an application means that the request was executed, whatever its headers',
  async (t) => {
    const { status, headers, id } = await ask('copying', 0, 'POST');
    t.equal(status, 503);
    t.strictSame(
      apps.of(id).map(({ instance }) => instance),
      ['copier'],
      'once, and nowhere else',
    );
    t.equal(headers['x-isthmus-unsent'], undefined);
  },
);
