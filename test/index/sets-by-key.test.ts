import fc from 'fast-check';
import t from 'tap';
import { SetsByKey } from '../../src/index/sets-by-key.ts';
import { heapUsed } from '../support/buffered.ts';

t.test('it has what a map of sets has', async (t) => {
  const step = fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    value: fc.integer({ min: 0, max: 3 }),
    add: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const [sets, plain] = [new SetsByKey<string, number>(), new Map<string, Set<number>>()];
      for (const { key, value, add } of steps) {
        if (add) {
          sets.add(key, value);
          plain.set(key, (plain.get(key) ?? new Set()).add(value));
        } else {
          sets.delete(key, value);
          plain.get(key)?.delete(value);
          if (plain.get(key)?.size === 0) plain.delete(key);
        }
        t.strictSame(new Map(sets), plain);
        t.strictSame([...sets.keys()].sort(), [...plain.keys()].sort());
        t.equal(sets.size, plain.size);
        for (const one of 'abc') {
          t.equal(sets.has(one), plain.has(one));
          t.strictSame(sets.get(one), plain.get(one));
        }
      }
    }),
    { numRuns: 100 },
  );
});

t.test('a key with one value costs no set', async (t) => {
  const count = 20_000;
  const cost = async (make: () => { readonly size: number }) => {
    const before = await heapUsed();
    const made = make();
    const bytes = ((await heapUsed()) - before) / count;
    t.equal(made.size, count);
    return bytes;
  };
  const short = await cost(() => {
    const sets = new SetsByKey<number, number>();
    for (let i = 0; i < count; i += 1) sets.add(i, i);
    return sets;
  });
  const long = await cost(() => new Map(Array.from({ length: count }, (_, i) => [i, new Set([i])])));
  t.ok(short < 0.5 * long, `${Math.round(short)} bytes for each, ${Math.round(long)} with sets`);
});
