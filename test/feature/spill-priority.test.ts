import t from 'tap';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { slowApps } from '../support/apps/slow-app.ts';
import { startFullIngress } from '../support/envoys/full-ingress.ts';
import type { Loose } from '../support/envoys/patched.ts';
import { get, until } from '../support/mesh.ts';

// What the ingress of an IDC that is full does, and what it would do without each of the settings that this
// rests on.

const apps = slowApps();
t.teardown(() => apps.close());
const instance = await apps.start('one');

function routesOf(message: Loose): Loose[] {
  return (message.virtual_hosts ?? []).flatMap((host: Loose) => host.routes);
}

/** What an ingress answers while two requests of another IDC are in work. */
async function whileFull(t: Tap, patch: (message: Loose) => void) {
  const { edge, peer } = await startFullIngress(
    t,
    { instance, concurrentPerInstance: 2, traffic: '{health: {path: /up}}' },
    patch,
  );
  const ask = (to: ListenAddress, path: string, id = '') =>
    get(to, path, { host: 'one.test', ...(id === '' ? {} : { headers: { 'x-test-id': id } }) });
  await until('it serves', async () => (await ask(peer, '/')).status === 200);
  const before = apps.of('held').length;
  const held = [ask(peer, '/?ms=1500', 'held'), ask(peer, '/?ms=1500', 'held')];
  await until('it is full', () => apps.of('held').length === before + 2);
  const [others, own, check] = await Promise.all([
    ask(peer, '/'),
    ask(edge, '/'),
    ask(peer, '/.isthmus/health'),
  ]);
  await Promise.all(held);
  return { others, own: own.status, check: check.status };
}
type Tap = { teardown(fn: () => unknown): void };

t.test('as it is pushed', async (t) => {
  const { others, own, check } = await whileFull(t, () => {});
  t.equal(others.status, 503);
  t.match(others.headers, {
    'x-isthmus-outcome': 'spill-limit',
    'x-isthmus-nobody': 'full',
    'x-isthmus-unsent': 'true',
  });
  t.notOk('x-envoy-immediate-health-check-fail' in others.headers, 'who is full is not ill');
  t.equal(others.body, '');
  t.strictSame([own, check], [200, 200]);
});

t.test('without a limit, all are let in', async (t) => {
  const { others } = await whileFull(t, (message) => {
    if (message.circuit_breakers) message.circuit_breakers.thresholds[0].max_requests = 16_384;
  });
  t.equal(others.status, 200);
});

t.test('without their own priority, own users and checks are refused with the others', async (t) => {
  const { others, own, check } = await whileFull(t, (message) => {
    for (const { route } of routesOf(message)) if (route) delete route.priority;
  });
  t.strictSame([others.status, own, check], [503, 503, 503]);
});

t.test('without its mark, a refusal does not tell that it was not executed', async (t) => {
  const { others } = await whileFull(t, (message) => {
    for (const { filters } of message.filter_chains ?? [])
      for (const { typed_config: manager } of filters) delete manager.local_reply_config;
  });
  t.equal(others.status, 503);
  t.equal(others.headers['x-isthmus-unsent'], undefined);
});
