import { copyFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { type Cut, openCut } from '../support/cut.ts';
import { get, until } from '../support/mesh.ts';
import { createPlanes, type PlanesOptions, type ServedPlane } from '../support/planes/planes.ts';

// Two control planes of one IDC that were away, stale, empty, or apart.
const body = { address: '127.0.0.1', ports: { http: 80 }, labels: { app: 'x' }, locality: 'sh-a', ttl: '1h' };
const limit = ['--peer-start-limit', '3s'];

async function create(t: Test, options: Partial<PlanesOptions> = {}) {
  const { planes, close } = await createPlanes(2, { files: {}, flags: limit, ...options });
  t.teardown(close);
  return planes;
}

async function start(t: Test, options: Partial<PlanesOptions> = {}) {
  const planes = await create(t, options);
  for (const plane of planes) plane.start();
  await Promise.all(planes.map((plane) => plane.ready()));
  return planes;
}

/** `NAME state`, of all. */
async function listed({ api }: ServedPlane): Promise<readonly string[]> {
  const { items } = (await api('GET', '')).body;
  return items.map((item: { name: string; state: string }) => `${item.name} ${item.state}`);
}

const register = ({ api }: ServedPlane, name: string, more = {}) =>
  api('PUT', `/shop/${name}`, { ...body, generation: 1, ...more });

const status = async ({ admin }: ServedPlane) => (await get(admin, '/readyz')).status;

t.test('one that was away drops what left meanwhile, and gets what came', async (t) => {
  const [first, second] = await start(t);
  for (const name of ['left', 'ran-out', 'stays'])
    for (const plane of [first, second]) await register(plane, name);
  await register(second, 'second-only', { ttl: '2s' });
  await until('both have it', async () => (await listed(first)).length === 4);
  await second.kill('SIGKILL');
  await first.api('DELETE', '/shop/left');
  // A lease that runs out is forgotten at once: that it is missing must be enough.
  await register(first, 'ran-out', { generation: 2, ttl: '1s' });
  await until('it runs out', async () => !(await listed(first)).some((one) => one.startsWith('ran-out')));
  await register(first, 'came');
  second.start();
  await second.ready();
  const expected = ['came ready', 'second-only ready', 'stays ready'];
  // What leaves is out of the endpoints; its name goes once no proxy is left to wait for.
  const serving = (await listed(second)).filter((one) => !one.endsWith(' leaving'));
  t.strictSame(serving, expected, 'when it is ready, not later');
  await until('what leaves is gone', async () => (await listed(second)).length === expected.length);
  t.strictSame(await listed(second), expected);
  t.strictSame(await listed(first), expected, 'and nothing came back');
});

t.test(
  'a starting control plane is not ready before it has the state of the other, which may be slow',
  async (t) => {
    const [first, second] = await start(t);
    await second.kill('SIGKILL');
    await register(first, 'came');
    await first.kill('SIGSTOP');
    t.teardown(() => first.kill('SIGCONT'));
    second.start(['--peer-start-limit', '1h']);
    await until('it says why', async () =>
      /waiting for: source registrations, [\s\S]*\ncontrol plane .* has not answered since the start/.test(
        await second.page('/readyz'),
      ),
    );
    t.equal(await status(second), 503);
    await first.kill('SIGCONT');
    await second.ready();
    t.strictSame(await listed(second), ['came ready']);
  },
);

t.test(
  'one whose file is not empty continues alone after the limit, and reports what it lacks',
  async (t) => {
    const [first, second] = await start(t);
    await register(first, 'known');
    await until('the second has it', async () => (await listed(second)).length === 1);
    for (const plane of [first, second]) await plane.kill('SIGKILL');
    second.start();
    await second.ready();
    t.strictSame(await listed(second), ['known ready']);
    t.match(await second.page('/problems'), /what registers there alone is not known here/);
  },
);

t.test('one whose file is empty waits, however long, for one that knows', async (t) => {
  const [first, second] = await create(t, { flags: ['--peer-start-limit', '1s'] });
  second.start();
  await until('it answers', async () => (await status(second)) === 503);
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  t.equal(await status(second), 503, 'longer than the limit');
  t.match(await second.page('/readyz'), /control plane .* has not answered since the start/);
  first.start();
  // Both are empty: after the limit they begin.
  await Promise.all([first.ready(), second.ready()]);
});

t.test('all start at once: no deadlock', async (t) => {
  const [first, second] = await start(t);
  await register(first, 'a');
  await register(second, 'b');
  await until('both have both', async () =>
    (await Promise.all([listed(first), listed(second)])).every((list) => list.length === 2),
  );
  for (const plane of [first, second]) await plane.kill('SIGKILL');
  for (const plane of [first, second]) plane.start(['--peer-start-limit', '1h']);
  await Promise.all([first.ready(), second.ready()]);
  for (const plane of [first, second]) t.strictSame(await listed(plane), ['a ready', 'b ready']);
});

/** Two that reach each other by ways that can be cut. */
async function apart(t: Test) {
  const cuts: Cut[] = [];
  const planes = await start(t, {
    async peerAddress(admin) {
      const way = await openCut(admin);
      cuts.push(way);
      t.teardown(() => way.close());
      return way.address;
    },
  });
  const cut = async (is: boolean) => {
    for (const way of cuts) way.cut(is);
    const up = is ? 0 : 1;
    for (const plane of planes)
      await until('they know', async () =>
        new RegExp(`isthmus_peer_up\\{[^}]*\\} ${up}\n`).test(await plane.page('/metrics')),
      );
  };
  return { planes, cut };
}

t.test('partitioned: a deregistration at one applies to both after the partition', async (t) => {
  const { planes, cut } = await apart(t);
  const [first, second] = planes;
  for (const plane of planes) {
    await register(plane, 'a');
    await register(plane, 'b');
    await register(plane, 'c');
  }
  await cut(true);
  await first.api('DELETE', '/shop/a');
  await second.api('DELETE', '/shop/b');
  t.match((await first.api('DELETE', '/shop/none?wait=acked')).body.away, [/^127/]);
  // A newer life, and an older one that is deregistered late.
  await register(second, 'c', { generation: 2 });
  await first.api('DELETE', '/shop/c?generation=1');
  await register(first, 'd');
  t.strictSame(await listed(first), ['b ready', 'd ready']);
  t.strictSame(await listed(second), ['a ready', 'c ready']);
  await cut(false);
  for (const plane of planes) {
    await until('it has all', async () => (await listed(plane)).length === 2);
    t.strictSame(await listed(plane), ['c ready', 'd ready']);
  }
  // Nor do they come back by a late request of their life.
  for (const plane of planes) t.equal((await register(plane, 'a')).status, 409);
});

t.test('partitioned: an instance that renews at one stays there, and is at both afterwards', async (t) => {
  const { planes, cut } = await apart(t);
  const [first, second] = planes;
  for (const plane of planes) await register(plane, 'a', { ttl: '1s' });
  const beating = setInterval(() => void first.api('POST', '/shop/a/renew'), 200);
  t.teardown(() => clearInterval(beating));
  await cut(true);
  await until('its lease has run out at the second', async () => (await listed(second)).length === 0);
  t.strictSame(await listed(first), ['a ready']);
  await cut(false);
  await until('it is at both', async () => (await listed(second))[0] === 'a ready');
  clearInterval(beating);
  for (const plane of planes)
    await until('it is gone where nobody hears it', async () => (await listed(plane)).length === 0);
});

t.test('a drain and its end are the same at both', async (t) => {
  const [first, second] = await start(t);
  for (const plane of [first, second]) await register(plane, 'a');
  await first.api('POST', '/shop/a/drain?wait=acked');
  t.strictSame(await listed(second), ['a draining']);
  await register(second, 'a');
  t.strictSame(await listed(first), ['a draining'], 'a registration does not end it');
  await second.api('POST', '/shop/a/resume');
  await until('both know', async () => (await listed(first))[0] === 'a ready');
});

t.test('named by one only: the other reports it', async (t) => {
  const [first, second] = await start(t, { peers: 'one' });
  await register(first, 'a');
  await until('the second has it', async () => (await listed(second)).length === 1);
  const problems = JSON.parse(await first.page('/problems'));
  t.match(problems, [{ where: '--peer-admin 127.0.0.1', message: /--peer-admin does not name it: name/ }]);
  t.notMatch(await second.page('/problems'), '--peer-admin');
  t.match((await first.api('DELETE', '/shop/a?wait=acked')).body, { state: 'gone', acked: true });
});

t.test('a copy of the other one\u2019s file is refused by name', async (t) => {
  const [first, second] = await start(t);
  await register(first, 'a');
  for (const plane of [first, second]) await plane.kill('SIGTERM');
  copyFileSync(first.registrations, second.registrations);
  for (const plane of [first, second]) plane.start();
  await until('it says so', async () =>
    /copy of this registrations file/.test(await second.page('/problems')),
  );
});
