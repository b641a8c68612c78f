import t from 'tap';
import { createIndex } from '../../src/index/store.ts';
import type { MeshIndex } from '../../src/index/view.ts';
import type { Change } from '../../src/model/object.ts';
import { deletes, destinationRule, drGroup, serviceEntry, upserts, workloadEntry } from './fixture.ts';

/** `services` ServiceEntries, each with two WorkloadEntries that all share a label. */
function world(services: number): Change[] {
  return Array.from({ length: services }, (_, i) =>
    upserts(
      service(i),
      ...['a', 'b'].map((zone) => workloadEntry(`shop/w${i}${zone}`, { env: 'prod', app: `app${i}`, zone })),
    ),
  ).flat();
}

function service(i: number, selector: Record<string, string> = { env: 'prod', app: `app${i}` }) {
  return serviceEntry(`shop/s${i}`, [`s${i}.shop`], { workloadSelector: selector }, { team: `team${i}` });
}

/** What `batch` costs, and which Groups it changes. */
function cost(index: MeshIndex, batch: readonly Change[]) {
  const before = index.work();
  const { groups } = index.apply(batch);
  const after = index.work();
  return {
    labelMatches: after.labelMatches - before.labelMatches,
    groupsBuilt: after.groupsBuilt - before.groupsBuilt,
    changed: groups.size,
  };
}

const app0 = { env: 'prod', app: 'app0', zone: 'a' };
const events: [string, Change[], number][] = [
  ['instance edited', upserts(workloadEntry('shop/w0a', app0, { weight: 2 })), 1],
  ['instance relabelled', upserts(workloadEntry('shop/w0a', { ...app0, app: 'app1' })), 2],
  ['instance relabelled back', upserts(workloadEntry('shop/w0a', app0)), 2],
  ['instance added', upserts(workloadEntry('shop/new', app0)), 1],
  ['instance removed', deletes(workloadEntry('shop/new')), 1],
  ['instance of nobody added', upserts(workloadEntry('shop/stray', { env: 'test' })), 0],
  ['selector changed', upserts(service(0, { env: 'prod', app: 'app1' })), 1],
  ['selector changed back', upserts(service(0)), 1],
  ['service added', upserts(serviceEntry('shop/x', ['x.shop'], { workloadSelector: { app: 'app1' } })), 1],
  ['service removed', deletes(serviceEntry('shop/x', [])), 1],
  ['rule added', upserts(destinationRule('shop/r', 's0.shop')), 1],
  ['DR group added', upserts(drGroup('dr', ['s0.shop'], { team: 'team1' })), 2],
  ['DR group removed', deletes(drGroup('dr', [])), 2],
];

t.test('what an event costs does not grow with services that it does not change', async (t) => {
  const small = createIndex({ idc: 'sh-a' });
  const large = createIndex({ idc: 'sh-a' });
  small.apply(world(20));
  large.apply(world(2000));
  for (const [name, batch, changed] of events) {
    const costs = cost(large, batch);
    t.same(costs, cost(small, batch), name);
    t.equal(costs.changed, changed, name);
    t.ok(costs.labelMatches <= 6, `${name}: ${costs.labelMatches} label matches`);
    t.ok(costs.groupsBuilt <= changed + 1, `${name}: ${costs.groupsBuilt} Groups built`);
  }
});

t.test('a start matches each workload a constant number of times, in either order', async (t) => {
  const changes = world(2000);
  for (const order of [changes, changes.toReversed()]) {
    const index = createIndex({ idc: 'sh-a' });
    const { labelMatches, groupsBuilt } = cost(index, order);
    t.ok(labelMatches <= 2 * 4000, `${labelMatches} label matches`);
    t.equal(groupsBuilt, 2000);
  }
});

t.test(
  'a label that all services share does not gather them, whatever its place in the selector',
  async (t) => {
    const index = createIndex({ idc: 'sh-a' });
    const selectors = Array.from({ length: 500 }, (_, i) =>
      i % 2 === 0
        ? { env: 'prod', app: `app${i}`, tier: 'web' }
        : { app: `app${i}`, tier: 'web', env: 'prod' },
    );
    index.apply(upserts(...selectors.map((selector, i) => service(i, selector))));
    const { labelMatches, changed } = cost(index, upserts(workloadEntry('shop/w', { ...app0, tier: 'web' })));
    t.equal(changed, 1);
    t.ok(labelMatches <= 4, `${labelMatches} label matches`);
  },
);

t.test('services with one selector are matched once', async (t) => {
  const index = createIndex({ idc: 'sh-a' });
  index.apply(
    upserts(
      ...Array.from({ length: 100 }, (_, i) => service(i, i % 2 ? { a: '1', b: '2' } : { b: '2', a: '1' })),
    ),
  );
  const { labelMatches, changed } = cost(index, upserts(workloadEntry('shop/w', { a: '1', b: '2' })));
  t.equal(labelMatches, 1);
  t.equal(changed, 100);
});

t.test('a new selector looks at the items of its rarest label, at none where nobody has it', async (t) => {
  const index = createIndex({ idc: 'sh-a' });
  index.apply(world(500));
  t.equal(cost(index, upserts(service(900, { env: 'prod', zone: 'a', app: 'app7' }))).labelMatches, 2);
  t.equal(cost(index, upserts(service(901, { env: 'prod', app: 'nobody' }))).labelMatches, 0);
});

t.test('an instance that is unchanged, or gone and back, builds no Group', async (t) => {
  const index = createIndex({ idc: 'sh-a' });
  index.apply(world(3));
  const same = workloadEntry('shop/w0a', app0);
  t.same(cost(index, upserts(same)), { labelMatches: 0, groupsBuilt: 0, changed: 0 });
  t.equal(cost(index, [...deletes(same), ...upserts(same)]).groupsBuilt, 0);
});

t.test('a DrGroup that is unchanged builds no Group', async (t) => {
  const index = createIndex({ idc: 'sh-a' });
  index.apply([...world(3), ...upserts(drGroup('dr', ['s0.shop'], { team: 'team1' }))]);
  const again = upserts(drGroup('dr', ['s0.shop'], { team: 'team1' }));
  t.same(cost(index, again), { labelMatches: 0, groupsBuilt: 0, changed: 0 });
});

t.test('what is deleted is not matched any more', async (t) => {
  const index = createIndex({ idc: 'sh-a' });
  const changes = world(50);
  index.apply(changes);
  index.apply(upserts(workloadEntry('shop/stays', {})));
  index.apply(upserts(service(0, { env: 'prod' })));
  index.apply(upserts(service(0, {})));
  index.apply(upserts(service(0)));
  index.apply(changes.flatMap((change) => (change.type === 'upsert' ? deletes(change.object) : [])));
  t.equal(index.view().groups.size, 0);
  t.equal(cost(index, upserts(workloadEntry('shop/w', app0))).labelMatches, 0, 'no selector is left behind');
  t.equal(cost(index, upserts(drGroup('dr', [], { team: 'team0' }))).labelMatches, 0, 'nor is an entry');
});
