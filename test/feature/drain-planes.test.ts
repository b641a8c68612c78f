import { join } from 'node:path';
import t from 'tap';
import { until } from '../support/mesh.ts';
import { createPlanes, type ServedPlane } from '../support/planes/planes.ts';

// Drains at two `isthmus serve` of one IDC: kept over SIGKILL, told to each other, and for registered
// instances as for those of files.

const keepAlive = setInterval(() => {}, 1_000);
t.teardown(() => clearInterval(keepAlive));
const group = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: web, namespace: shop}
spec: {hosts: [web.shop], location: MESH_INTERNAL, resolution: STATIC, ports: [{number: 80, name: http, protocol: HTTP}], workloadSelector: {labels: {app: web}}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: web-1, namespace: shop}
spec: {address: 127.0.0.1, ports: {http: 8001}, labels: {app: web}}
`;
const dir = t.testdir({});
const dirs = [join(dir, 'one'), join(dir, 'two')] as const;
const { planes, close } = await createPlanes(2, { files: { 'web.yaml': group } });
t.teardown(close);
const [one, two] = planes;
const start = (plane: ServedPlane, dir: string) => plane.start(['--state', dir]);
start(one, dirs[0]);
start(two, dirs[1]);
await Promise.all([one.ready(), two.ready()]);

/** Names of the drained instances at a control plane. */
const drained = async (plane: ServedPlane): Promise<readonly string[]> => {
  const { items } = JSON.parse(await plane.page('/v1/drains'));
  return items.map(({ namespace, name }: Record<string, string>) => `${namespace}/${name}`);
};

const same = (names: readonly string[]) =>
  until(`both have ${names.join(', ') || 'none'}`, async () =>
    (await Promise.all([drained(one), drained(two)])).every((list) => String(list) === String(names)),
  );

t.test('a drain reaches the other one, survives SIGKILL, and is ended at any of them', async (t) => {
  const refused = await one.api('PUT', '/../drains/shop/web-1', {});
  t.equal(refused.status, 409);
  t.match(refused.body, { detail: /last instance of web\.shop:80 .* NOBODY would serve it/ });
  const done = await one.api('PUT', '/../drains/shop/web-1?force=true', { reason: 'disk', by: 'ann@ops' });
  t.equal(done.status, 200, JSON.stringify(done.body));
  await same(['shop/web-1']);
  await one.kill('SIGKILL');
  start(one, dirs[0]);
  await one.ready();
  const { drained: shown } = JSON.parse(await one.page('/status'));
  t.match(shown, [{ name: 'web-1', reason: 'disk', by: 'ann@ops', isDeclared: true }]);
  const { events } = JSON.parse(await one.page('/v1/events?kinds=drain'));
  t.equal(events.length, 1, 'found again at a start it is no news');
  t.equal((await two.api('DELETE', '/../drains/shop/web-1')).status, 200);
  await same([]);
});

t.test('a registered instance stays drained when it registers again', async (t) => {
  const body = { address: '127.0.0.1', ports: { http: 8002 }, labels: { app: 'web' }, ttl: '60s' };
  t.equal((await one.api('PUT', '/shop/web-2', body)).status, 201);
  const done = await one.api('PUT', '/../drains/shop/web-2?wait=acked', {});
  t.equal(done.status, 200, JSON.stringify(done.body));
  t.match(done.body, { hosts: [{ host: 'web.shop', usable: 1, isLast: false, isKnownBy: 'registry' }] });
  t.match((await one.api('DELETE', '/shop/web-2')).body, { was: 'ready' });
  const { items } = JSON.parse(await one.page('/v1/drains'));
  t.match(items, [{ name: 'web-2', isDeclared: false }], 'it is named as gone');
  t.equal((await one.api('PUT', '/shop/web-2', body)).status, 201);
  const found = JSON.parse(await one.page('/v1/drains?instance=127.0.0.1:8002'));
  t.match(found.instances, [{ name: 'web-2', isDrained: true }]);
});

t.test('two requests at once do not drain the last two instances', async (t) => {
  await one.api('DELETE', '/../drains/shop/web-2');
  await same([]);
  const both = await Promise.all(
    ['web-1', 'web-2'].map((name) => one.api('PUT', `/../drains/shop/${name}`, {})),
  );
  t.strictSame(both.map(({ status }) => status).sort(), [200, 409]);
});

t.test('what cannot be is refused', async (t) => {
  t.equal((await one.api('PUT', '/../drains/shop/nobody', {})).status, 404);
  t.equal((await one.api('PUT', '/../drains/shop/web-1', { reason: 7 })).status, 400);
  t.equal((await one.api('PUT', '/../drains/shop/web-1?for=0s', {})).status, 400);
  await one.kill('SIGTERM');
  one.start();
  await one.ready();
  const off = await one.api('PUT', '/../drains/shop/web-1', {});
  t.equal(off.status, 501);
  t.match(off.body, { detail: /--state/ });
});
