import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { checkAgreement } from '../../src/agreement/agreement.ts';
import { findingOfLint } from '../../src/agreement/lint.ts';
import { createIndex } from '../../src/index/store.ts';
import type { MeshView } from '../../src/index/view.ts';
import type { Labels } from '../../src/model/meta.ts';
import { type Change, type MeshObject, refKey, refOf } from '../../src/model/object.ts';
import { destinationRule, drGroup, idc, serviceEntry, workloadEntry } from './fixture.ts';
import { naiveView } from './oracle.ts';

// A small world, so that events collide: a few names, hosts, labels.
const namespace = fc.constantFrom('n1', 'n2');
const name = fc.constantFrom('a', 'b', 'c');
const id = fc.tuple(namespace, name).map((parts) => parts.join('/'));
const host = fc.constantFrom('a.x', 'b.x', 'b.c.x', 'c.x', '*.x');
const hosts = fc.uniqueArray(host, { minLength: 1, maxLength: 3 });
const labels = fc.dictionary(fc.constantFrom('app', 'env', 'tier'), fc.constantFrom('1', '2'), {
  maxKeys: 3,
});
const locality = fc.constantFrom(undefined, 'sh-a/z1', 'sh-b', '/odd');
const address = fc.constantFrom('10.0.0.1', '10.0.0.2');
const origin = fc.constantFrom('f.yaml:1', 'f.yaml:9');

const endpoint = fc.record({ address, locality }).map(({ address, locality }) => ({
  address,
  ports: {},
  labels: {},
  ...(locality !== undefined && { locality }),
}));
const exportTo = fc.constantFrom(undefined, undefined, ['n1'], ['n2'], ['n1', 'n3'], []);
const entry = fc
  .record({
    id,
    exportTo,
    hosts,
    meta: labels,
    selector: fc.option(labels),
    endpoints: fc.array(endpoint, { maxLength: 2 }),
  })
  .map(({ id, exportTo, hosts, meta, selector, endpoints }) =>
    serviceEntry(
      id,
      hosts,
      { ...(selector ? { workloadSelector: selector } : { endpoints }), ...(exportTo && { exportTo }) },
      meta,
    ),
  );
const workload = fc.record({ id, labels, meta: labels, address, locality }).map((drawn) => {
  const plain = workloadEntry(drawn.id, drawn.labels, {
    address: drawn.address,
    ...(drawn.locality !== undefined && { locality: drawn.locality }),
  });
  return { ...plain, meta: { ...plain.meta, labels: drawn.meta } };
});
const rule = fc
  .record({
    id,
    host: fc.oneof(host, fc.constantFrom('*', '*.c.x', 'nobody.x')),
    retries: fc.constantFrom(1, 2),
    exportTo,
  })
  .map(({ id, host, retries, exportTo }) => {
    const plain = destinationRule(id, host, retries);
    return exportTo === undefined ? plain : { ...plain, spec: { ...plain.spec, exportTo } };
  });
const dr = fc
  .record({ name, hosts: fc.uniqueArray(host, { maxLength: 2 }), selector: fc.option(labels) })
  .map(({ name, hosts, selector }) => drGroup(name, hosts, selector ?? undefined));
const site = fc
  .record({ name: fc.constantFrom('sh-a', 'sh-b'), address })
  .map((drawn) => idc(drawn.name, drawn.address));

const object: fc.Arbitrary<MeshObject> = fc.oneof(
  { weight: 4, arbitrary: entry },
  { weight: 6, arbitrary: workload },
  { weight: 2, arbitrary: rule },
  { weight: 2, arbitrary: dr },
  { weight: 1, arbitrary: site },
);

// A sequence draws its objects from a pool, so that most events are about an object that is already there,
// and edits its metadata, so that some say nothing new.
const edit = fc.record({ origin, annotations: fc.constantFrom({}, { note: '1' }) });
const step = fc.record({ pick: fc.nat(), edit, relabel: fc.option(labels, { freq: 8 }), gone: fc.nat(2) });
const batches = fc
  .record({
    pool: fc.array(object, { minLength: 4, maxLength: 20 }),
    steps: fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 25 }),
  })
  .map(({ pool, steps }) => steps.map((batch) => batch.map((drawn) => changeOf(pool, drawn))));

interface Step {
  readonly pick: number;
  readonly edit: { readonly origin: string; readonly annotations: Labels };
  readonly relabel: Labels | null;
  readonly gone: number;
}

function changeOf(pool: readonly MeshObject[], { pick, edit, relabel, gone }: Step): Change {
  const drawn = pool[pick % pool.length] as MeshObject;
  if (gone === 0) return { type: 'delete', ref: refOf(drawn), at: 0 };
  const meta = { ...drawn.meta, ...edit, ...(relabel && { labels: relabel }) };
  return { type: 'upsert', object: { ...drawn, meta } as MeshObject, at: 0 };
}

/** The world that the index should know after `batch`. */
function remember(world: Map<string, MeshObject>, batch: readonly Change[]): void {
  for (const change of batch) {
    if (change.type === 'upsert') world.set(refKey(refOf(change.object)), change.object);
    else if (change.type === 'delete') world.delete(refKey(change.ref));
  }
}

/** Where objects were read is no content: see `sameObject`. */
function content(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, inner) => (key === 'origin' ? undefined : inner)) ?? 'null');
}

/** The keys under which two maps differ in content. */
function difference(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): string[] {
  const keys = new Set([...a.keys(), ...b.keys()]);
  return [...keys].filter((key) => !isDeepStrictEqual(content(a.get(key)), content(b.get(key)))).sort();
}

function sorted(keys: Iterable<string>): string[] {
  return [...keys].sort();
}

// fast-check prints the seed and the path to the smallest failing sequence.
t.test(
  'after any sequence of events the view is the naive one and the delta names what changed',
  async (t) => {
    let changed = 0;
    fc.assert(
      fc.property(batches, (sequence) => {
        const index = createIndex({ idc: 'own' });
        const world = new Map<string, MeshObject>();
        for (const batch of sequence) {
          const before = index.view();
          const frozen = new Map(before.groups);
          const delta = index.apply(batch);
          const after = index.view();
          remember(world, batch);
          const expected: MeshView = naiveView(world.values(), 'own');
          assertEqual(difference(expected.groups, after.groups), [], 'groups as the oracle has them');
          assertEqual(difference(expected.idcs, after.idcs), [], 'idcs as the oracle has them');
          assertEqual(after.groups.size, expected.groups.size, 'size');
          assertEqual(sorted(after.groups.keys()), sorted(expected.groups.keys()), 'keys');
          assertEqual(sorted(delta.groups), difference(before.groups, after.groups), 'delta.groups');
          assertEqual(sorted(delta.idcs), difference(before.idcs, after.idcs), 'delta.idcs');
          for (const [host, group] of frozen) {
            assertEqual(before.groups.get(host) === group, true, 'the view before stays as it was');
            if (!delta.groups.has(host))
              assertEqual(after.groups.get(host) === group, true, 'shared structure');
          }
          const again = index.apply(batch);
          assertEqual([...again.groups, ...again.idcs], [], 'the same batch again does nothing');
          assertEqual(index.view() === after, true, 'nor does it make a new view');
          changed += delta.groups.size;
        }
      }),
      { numRuns: 400 },
    );
    t.ok(changed > 1000, `the sequences changed ${changed} groups`);
  },
);

t.test('what objects disagree in does not depend on their order', async (t) => {
  let found = 0;
  fc.assert(
    fc.property(batches, (sequence) => {
      const world = new Map<string, MeshObject>();
      for (const batch of sequence) remember(world, batch);
      const objects = [...world.values()];
      const told = checkAgreement({ objects, wallMs: 0 }).map(findingOfLint);
      const other = checkAgreement({ objects: objects.toReversed(), wallMs: 0 }).map(findingOfLint);
      assertEqual(other, told, 'findings');
      found += told.length;
    }),
    { numRuns: 200 },
  );
  t.ok(found > 100, `${found} problems were compared`);
});

function assertEqual(actual: unknown, expected: unknown, what: string): void {
  if (isDeepStrictEqual(actual, expected)) return;
  throw new Error(`${what}: ${JSON.stringify(actual)} should be ${JSON.stringify(expected)}`);
}
