import t from 'tap';
import { createIndex } from '../../src/index/store.ts';
import type { Drain } from '../../src/model/drain.ts';
import type { MeshObject } from '../../src/model/object.ts';

// What the index makes of drains, whichever comes first.

const meta = (name: string) => ({ namespace: 'shop', name, labels: {}, annotations: {}, origin: 'test' });
const entry: MeshObject = {
  kind: 'ServiceEntry',
  meta: meta('web'),
  spec: {
    ...{ hosts: ['web.shop'], resolution: 'STATIC', location: 'MESH_INTERNAL', endpoints: [] },
    ...{ ports: [{ number: 80, name: 'http', protocol: 'HTTP' }], workloadSelector: { app: 'web' } },
  },
};
const workload = (name: string, address = '10.0.0.1'): MeshObject => ({
  kind: 'WorkloadEntry',
  meta: meta(name),
  spec: { address, ports: {}, labels: { app: 'web' } },
});
const drain = (name: string): Drain => ({ kind: 'Drain', meta: meta(name), spec: { since: 1 } });
const upsert = (object: MeshObject) => ({ type: 'upsert', object, at: 0 }) as const;
const remove = (name: string) =>
  ({ type: 'delete', ref: { kind: 'Drain', namespace: 'shop', name }, at: 0 }) as const;

t.test('an instance is drained whether it or its drain comes first, and no longer after', async (t) => {
  const index = createIndex({ idc: 'sh-a' });
  const flags = () =>
    index
      .view()
      .groups.get('web.shop')
      ?.instances.map(({ drained }) => drained === true);
  index.apply([upsert(entry), upsert(workload('a')), upsert(drain('b'))]);
  index.apply([upsert(workload('b'))]);
  t.strictSame(flags(), [false, true], 'the drain came first');
  const { groups } = index.apply([upsert(drain('a'))]);
  t.strictSame([flags(), [...groups]], [[true, true], ['web.shop']]);
  index.apply([upsert(workload('a', '10.0.0.9'))]);
  t.strictSame(flags(), [true, true], 'an edit of the instance does not end it');
  t.ok(index.hasExactly(workload('a', '10.0.0.9')), 'and the object is the one of its source');
  t.strictSame([...index.view().drains.keys()].sort(), ['shop/a', 'shop/b']);
  index.apply([remove('a'), remove('b')]);
  t.strictSame([flags(), index.view().drains.size], [[false, false], 0]);
});

t.test('a drain of nobody changes no Group', async (t) => {
  const index = createIndex({ idc: 'sh-a' });
  index.apply([upsert(entry), upsert(workload('a'))]);
  const { groups } = index.view();
  const delta = index.apply([upsert(drain('other'))]);
  t.equal(delta.groups.size, 0);
  t.equal(index.view().groups, groups);
});
