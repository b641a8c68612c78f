import fc from 'fast-check';
import t from 'tap';
import type { EncodedResource } from '../../../src/xds/codec/codec.ts';
import { finish } from '../../../src/xds/slices.ts';
import { changeBetween, changedNames } from '../../../src/xds/state/name-layers.ts';
import { NameSets } from '../../../src/xds/state/name-sets.ts';
import { Snapshot } from '../../../src/xds/state/snapshot.ts';

const name = fc.integer({ min: 0, max: 40 }).map((number) => `n${number}`);
const changes = fc.array(
  fc.record({ add: fc.array(name, { maxLength: 4 }), remove: fc.array(name, { maxLength: 4 }) }),
  { maxLength: 20 },
);

t.test('a set that was changed is the set of its names, however often it was', async (t) => {
  fc.assert(
    fc.property(fc.array(name), changes, (first, steps) => {
      const sets = new NameSets();
      const plain = new Set(first);
      let set = sets.intern(new Set(first));
      for (const { add, remove } of steps) {
        const from = set;
        const before = new Set(plain);
        for (const one of remove) plain.delete(one);
        for (const one of add) plain.add(one);
        set = finish(sets.change(set, sets.intern(new Set(add)), remove));
        t.same([...set.names].sort(), [...plain].sort());
        t.equal(set.names.size, plain.size);
        t.equal(set, sets.intern(new Set(plain)), 'one object for equal sets');
        const change = changeBetween(from.names, set.names);
        if (change === undefined) continue;
        t.same(new Set(change.added), new Set([...plain].filter((one) => !before.has(one))));
        t.same(new Set(change.removed), new Set([...before].filter((one) => !plain.has(one))));
      }
    }),
    { numRuns: 200 },
  );
});

t.test(
  'a set with many changes is laid flat, and says that it cannot be compared with what it was',
  async (t) => {
    const base = new Set(Array.from({ length: 2_000 }, (_, i) => `base-${i}`));
    let names = finish(changedNames(base, new Set(['one']), new Set()));
    t.same(changeBetween(base, names), { added: ['one'], removed: [] });
    for (let i = 0; i < 600; i++)
      names = finish(changedNames(names, new Set([`more-${i}`]), new Set([`base-${i}`])));
    t.equal(changeBetween(base, names), undefined);
    t.equal(names.size, 2_001);
    t.notOk(names.has('base-599'));
    t.ok(names.has('base-600'));
  },
);

/** A snapshot with resources n0 to n19. */
function snapshotOf20(): Snapshot<object> {
  const snapshot = new Snapshot<object>();
  for (let i = 0; i < 20; i++) {
    const sum = [i, 0x1234567 * (i + 1)] as const;
    snapshot.put(`n${i}`, { name: `n${i}`, sum } as unknown as EncodedResource, 1, { at: 0 }, () => {});
  }
  return snapshot;
}

t.test('a group made from the one before has the version of one made anew', async (t) => {
  fc.assert(
    fc.property(fc.array(name), changes, (first, steps) => {
      const sets = new NameSets();
      const snapshot = snapshotOf20();
      const member = {};
      let group = snapshot.group(false, sets.intern(new Set(first)), 1);
      group.members.add(member);
      for (const { add, remove } of steps) {
        const set = finish(sets.change(group.set, sets.intern(new Set(add)), remove));
        if (set === group.set) continue;
        const next = snapshot.group(false, set, 1, group);
        snapshot.leave(group, member);
        next.members.add(member);
        group = next;
        t.same(group.version, snapshotOf20().group(false, sets.intern(new Set(set.names)), 1).version);
      }
    }),
    { numRuns: 200 },
  );
});

t.test('adding a name does not walk the existing ones', async (t) => {
  const run = (size: number) => {
    const sets = new NameSets();
    const snapshot = new Snapshot<object>();
    const names = Array.from({ length: size }, (_, i) => `instances/host-${i}.shop.example:8080`);
    const member = {};
    let group = snapshot.group(false, sets.intern(new Set(names)), 1);
    const { user, system } = process.cpuUsage();
    for (let i = 0; i < 200; i++) {
      const set = finish(sets.change(group.set, sets.intern(new Set([`x-${i}`])), [`x-${i - 1}`]));
      const next = snapshot.group(false, set, 1, group);
      snapshot.leave(group, member);
      next.members.add(member);
      group = next;
    }
    const after = process.cpuUsage();
    return after.user + after.system - user - system;
  };
  run(1_000);
  const [few, many] = [1_000, 50_000].map((size) => Math.min(run(size), run(size), run(size)));
  // Copied and looked through, fifty times as many names cost some fifty times as much.
  t.ok((many ?? 0) < 8 * (few ?? 0) + 2_000, `${few} µs with 1,000 names, ${many} µs with 50,000`);
});
