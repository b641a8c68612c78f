import fc from 'fast-check';
import t from 'tap';
import type { EncodedResource } from '../../../src/xds/codec/codec.ts';
import { type Mark, Marks } from '../../../src/xds/state/marks.ts';
import { Snapshot } from '../../../src/xds/state/snapshot.ts';

const resourceOf = (name: string, content: number) =>
  ({
    name,
    sum: [0, content],
    version: `${content}`,
    hasVersionOf: ({ version }: EncodedResource) => version === `${content}`,
  }) as unknown as EncodedResource;

t.test('what is kept short is given back as it was set', async (t) => {
  const causes = [{ at: 1 }, { at: 2 }];
  const step = fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    ...{
      revision: fc.constantFrom(1, 2, 3),
      added: fc.constantFrom(1, 2, 3),
      cause: fc.constantFrom(...causes),
    },
    ...{ exists: fc.boolean(), forget: fc.boolean() },
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const [marks, plain] = [new Marks(), new Map<string, Mark>()];
      for (const [i, { name, revision, added, cause, exists, forget }] of steps.entries()) {
        const last = resourceOf(name, i);
        const addedRevision = Math.min(added, revision);
        const mark = { revision, cause, addedRevision, changedRevision: revision, last };
        marks.set(name, { ...mark, resource: exists ? last : undefined });
        plain.set(name, { ...mark, resource: exists ? last : undefined });
        if (forget) for (const all of [marks, plain]) all.delete('a');
      }
      t.strictSame([...marks], [...plain]);
      t.strictSame([...marks.keys()], [...plain.keys()]);
      t.equal(marks.size, plain.size);
      for (const name of 'abcde') {
        t.strictSame(marks.get(name), plain.get(name));
        t.equal(marks.resource(name), plain.get(name)?.resource);
      }
      const there = [...plain.values()].flatMap(({ resource }) => resource ?? []);
      t.strictSame([...marks.resources()], there);
    }),
    { numRuns: 300 },
  );
});

t.test('what a class begins with is not in its log, and what comes later is', async (t) => {
  const snapshot = new Snapshot<object>();
  const put = (name: string, content: number, revision: number) =>
    snapshot.put(name, resourceOf(name, content), revision, { at: revision }, () => {});
  for (let i = 0; i < 3_000; i += 1) put(`n${i}`, i, 5);
  snapshot.open(5);
  t.equal(snapshot.logged, 0);
  put('n7', 70, 6);
  t.equal(snapshot.logged, 1);
  t.strictSame(
    [4, 5, 6].map((revision) => snapshot.versionAt('n7', revision)),
    [undefined, '7', '70'],
  );
  t.equal(snapshot.versionAt('n8', 4), undefined);
  const group = snapshot.group(true, { key: '0', names: new Set(), bytes: 0 }, 6);
  t.strictSame(
    snapshot.since(group, 5).upserts.map(({ resource }) => resource.name),
    ['n7'],
  );
  t.equal(snapshot.since(group, 4).upserts.length, 3_000);
});
