import fc from 'fast-check';
import t from 'tap';
import { countBy, latencyOf, quantile, sliceBy } from '../../../src/drill/judge/stats.ts';

t.test('a quantile is a value that was seen, by nearest rank', async (t) => {
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
  t.equal(quantile(hundred, 0.5), 50);
  t.equal(quantile(hundred, 0.99), 99);
  t.equal(quantile(hundred, 0.999), 100);
  t.equal(quantile(hundred, 0), 1);
  t.equal(quantile(hundred, 1), 100);
  t.equal(quantile([7], 0.99), 7);
  t.ok(Number.isNaN(quantile([], 0.5)));
});

t.test('at least q of the values are at most the q-quantile, and no smaller value will do', async () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1 }),
      fc.constantFrom(0.5, 0.9, 0.99, 0.999),
      (values, q) => {
        const sorted = values.sort((a, b) => a - b);
        const at = quantile(sorted, q);
        const atMost = sorted.filter((value) => value <= at).length;
        const below = sorted.filter((value) => value < at).length;
        return atMost >= q * sorted.length - 1e-6 && below < q * sorted.length + 1e-6;
      },
    ),
  );
});

t.test('latencies in any order', async (t) => {
  const latency = latencyOf([5, 1, 3, 2, 4]);
  t.match(latency, { count: 5, p50: 3, max: 5 });
  t.ok(Number.isNaN(latencyOf([]).p99));
});

t.test('slices hold what lies in them, and nothing else', async (t) => {
  const slices = sliceBy([-1, 0, 9, 10, 24, 25, 99], (value) => value, { from: 0, to: 25, width: 10 });
  t.same(
    slices.map((slice) => [slice.from, slice.to, slice.items]),
    [
      [0, 10, [0, 9]],
      [10, 20, [10]],
      [20, 25, [24]],
    ],
  );
});

t.test('counts by key', async (t) => {
  t.same(
    [...countBy(['a', 'b', 'a'], (key) => key)],
    [
      ['a', 2],
      ['b', 1],
    ],
  );
});
