import t from 'tap';
import { nearnessOf } from '../../../src/drill/judge/nearness.ts';
import { goodMeasurement } from '../fixture.ts';
import { judge } from '../scenario/scenario-fixture.ts';

t.test('how near a measured value came to its bound, by the words of a row', async (t) => {
  const cases: readonly [bound: string, measured: string, used: number | undefined][] = [
    ['≤ 2000 ms', '1501.6 ms (edge)', 0.7508],
    ['≤ 10 s', '0.42 s (0.50 s after healing began)', 0.042],
    ['≤ 5 s', '1063.0 ms, of 29', 0.2126],
    ['≤ 3 ×', '4.5 × (12.7 ms, steady 3.0 ms)', 1.5],
    ['≤ 48 MiB', '-55 MiB (from 268 MiB)', 0],
    ['≤ 48 MiB', '12 MiB', 0.25],
    ['≥ 99 %', '100 % (every load)', 0],
    ['≥ 95 %', '98.400 %', 0.32],
    ['≥ 99.000 %', '98.000 % (20 of 1000 failed)', 2],
    ['≥ 10000', '12960', 0.7716],
    ['≥ 4', '0', Number.POSITIVE_INFINITY],
    ['≥ 5 s, and names it', '25.00 s, given up: ingress-2', 0.2],
    ['40% to 60%', '45.000 % of 386', 0.5],
    ['6.700 % to 13.300 %', '14.000 % (162 of 1323)', 1.2121],
    ['≤ 8', '2 (edge:262)', 0.25],
    ['0', '0', undefined],
    ['100 %', '100 % (0 of 5200 failed)', undefined],
    ['100% to 100%', '100 % of 462', undefined],
    ['> 0', '590 of 590', undefined],
    ['holds', '8 sidecars', undefined],
    ['≤ 0', '0', undefined],
    ['≤ 2000 ms', 'nothing measured (no request was served)', undefined],
    ['≤ 10 s', 'not back by the end', undefined],
    ['≤ 3 × steady or 500 ms, 0 failed', '12 ms', undefined],
    ['≤ 10 s', '5 of 7', undefined],
  ];
  for (const [bound, measured, used] of cases) {
    const near = nearnessOf({ bound, measured })?.used;
    t.equal(near === undefined ? near : Number(near.toFixed(4)), used, `${measured} of ${bound}`);
  }
});

t.test(
  'a count is told from a quantity: a limit on crossings is reached whenever a request crosses',
  async (t) => {
    t.equal(nearnessOf({ bound: '≤ 1', measured: '1 (600 requests crossed)' })?.kind, 'count');
    t.equal(nearnessOf({ bound: '≤ 1 s', measured: '0.50 s' })?.kind, 'quantity');
  },
);

t.test('a row that is kept never reads as beyond its bound, and every timed row can be read', async (t) => {
  for (const row of judge(goodMeasurement()).rows) {
    const near = nearnessOf(row);
    t.ok(!near || near.used <= 1, row.claim);
    if (row.timed) t.ok(near, row.claim);
  }
});
