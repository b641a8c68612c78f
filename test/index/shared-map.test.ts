import fc from 'fast-check';
import t from 'tap';
import { SharedMap } from '../../src/index/shared-map.ts';

t.test('a map keeps what it had when another is made from it', async (t) => {
  const one = SharedMap.empty<number>().with(new Map([['a', 1]]));
  const two = one.with(
    new Map<string, number | undefined>([
      ['a', undefined],
      ['b', 2],
    ]),
  );
  t.same([...one], [['a', 1]]);
  t.same([...two], [['b', 2]]);
  t.notOk(two.has('a'));
  t.equal(two.get('a'), undefined);
});

t.test('it reads as a Map with the same history does, through growth too', async () => {
  const changes = fc.array(fc.array(fc.tuple(fc.nat(400), fc.option(fc.nat())), { maxLength: 200 }), {
    maxLength: 8,
  });
  fc.assert(
    fc.property(changes, (history) => {
      let shared = SharedMap.empty<number>();
      const plain = new Map<string, number>();
      for (const batch of history) {
        shared = shared.with(new Map(batch.map(([key, value]) => [`key${key}`, value ?? undefined])));
        for (const [key, value] of batch) {
          if (value === null) plain.delete(`key${key}`);
          else plain.set(`key${key}`, value);
        }
      }
      const visited: [string, number][] = [];
      shared.forEach((value, key) => {
        visited.push([key, value]);
      });
      const sorted = (entries: Iterable<[string, number]>) => JSON.stringify([...entries].sort());
      return (
        shared.size === plain.size &&
        sorted(shared) === sorted(plain) &&
        sorted(visited) === sorted(plain) &&
        [...shared.keys()].every((key) => shared.has(key) && shared.get(key) === plain.get(key)) &&
        [...shared.values()].length === plain.size
      );
    }),
  );
});
