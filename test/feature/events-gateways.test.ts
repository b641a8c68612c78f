import t from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import type { PlaneEvent } from '../../src/contract/events.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { startIdcs } from '../support/idcs.ts';
import { get, type Mesh, until } from '../support/mesh.ts';
import { startInstance } from '../support/planes/evacuating.ts';

// What a control plane learns from real ingress gateways alone: nothing here has `capacity` or `failback`,
// and the registry has all instances all the time.

const [first, second, away] = [
  await startInstance(t, (_, response) => response.end('first')),
  await startInstance(t, (_, response) => response.end('second')),
  await startInstance(t, (_, response) => response.end('away')),
];
const sick = await startInstance(t, (_, response) => response.writeHead(503).end());
const here = [first, second].map(({ at }) => ({ idc: 'sh-a', at }));
const world = await startIdcs({
  idcs: ['sh-a', 'sh-b'],
  hopLimit: 1,
  groups: [
    { name: 'checked', instances: [...here, { idc: 'sh-b', at: away.at }], health: '/' },
    { name: 'unchecked', instances: here },
    { name: 'sick', instances: [first, sick].map(({ at }) => ({ idc: 'sh-a', at })) },
  ],
});
t.teardown(() => world.close());
const [a, b] = [world.meshes.get('sh-a') as Mesh, world.meshes.get('sh-b') as Mesh];
const edge = world.gateways.get('sh-a')?.edge as ListenAddress;

/** The name of a Group's only port. */
const groupOf = (name: string) => ['test', `${name}.test:80`].join('/');

function eventsOf(kind: PlaneEvent['kind'], { plane } = a): readonly PlaneEvent[] {
  return plane.events.list({ limit: 1_000, kinds: new Set([kind]) }).events;
}

t.test('a gateway ejects an instance for its answers', async (t) => {
  await until('it is told', async () => {
    for (let i = 0; i < 10; i++) await get(edge, '/', { host: 'sick.test' });
    return eventsOf('ejection').length > 0;
  });
  t.match(eventsOf('ejection'), [
    {
      ...{ phase: 'begin', group: groupOf('sick'), node: 'sh-a-ingress' },
      target: `${sick.at.address}:${sick.at.port}`,
    },
  ]);
});

t.test('all instances of a Group die and one comes back, as its health checks find', async (t) => {
  first.down();
  await sleep(systemClock, 8_000);
  t.strictSame(eventsOf('failover'), [], 'one instance serves');
  second.down();
  await until('it has failed over', () => eventsOf('failover').length > 0);
  t.match(eventsOf('failover'), [
    { phase: 'begin', why: 'proxies', group: groupOf('checked'), instances: 2, to: 'sh-b' },
  ]);
  // What Envoys do is what is told.
  await until('sh-b serves', async () => {
    const { body } = await get(world.outbound, '/', { host: 'checked.test' });
    return body === 'away';
  });
  await second.up();
  await until('it is home', () => eventsOf('failover').length > 1);
  const [, end, ...others] = eventsOf('failover');
  t.match(end, { phase: 'end', group: groupOf('checked') });
  t.strictSame(others, [], 'and nothing of the Groups that nobody checks');
});

t.test('the IDC that would take over has failed as well: it is not named', async (t) => {
  second.down();
  await until('sh-a has failed over', () => eventsOf('failover').length > 2);
  t.match(eventsOf('failover')[2], { phase: 'begin', to: 'sh-b' });
  t.strictSame(eventsOf('failover', b), []);
  away.down();
  await until('sh-b has failed over', () => eventsOf('failover', b).length > 0);
  const [begin] = eventsOf('failover', b);
  t.match(begin, { phase: 'begin', why: 'proxies', group: groupOf('checked'), unable: ['sh-a'] });
  t.notOk(begin !== undefined && 'to' in begin, JSON.stringify(begin));
  const { groups } = await b.plane.who('checked.test', 0);
  t.match(groups, [{ served: 'nobody' }], 'who says the same');
  t.not((await get(edge, '/', { host: 'checked.test' })).status, 200);
});
