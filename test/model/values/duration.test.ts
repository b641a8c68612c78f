import t from 'tap';
import { durationMeant, parseDurationMs } from '../../../src/model/values/duration.ts';

t.test('durations as Istio writes them', async (t) => {
  const good: readonly [string, number][] = [
    ['1h5m3.5s', 3_903_500],
    ['250ms', 250],
    ['0', 0],
    ['0s', 0],
    ['.5s', 500],
    ['1.s', 1000],
    ['100us', 0.1],
    ['3µs', 0.003],
    ['1ns', 0.000001],
    ['0.1s0.2s', 300],
    ['87600h', 315_360_000_000],
  ];
  for (const [text, ms] of good) t.equal(parseDurationMs(text), ms, text);
});

t.test('invalid durations', async (t) => {
  for (const text of ['', '3', '-1s', '1 s', 's', '1d', '1S', '1e3s', '87601h', '1s ', 'Infinity']) {
    t.equal(parseDurationMs(text), undefined, text);
  }
});

t.test('what was probably meant', async (t) => {
  const meant: [unknown, string][] = [
    [15, '15s'],
    ['15', '15s'],
    ['1.5', '1.5s'],
    ['3 s', '3s'],
    ['15sec', '15s'],
    ['10 min', '10m'],
    ['4d', '96h'],
    ['2 Hours', '2h'],
    ['250 ms', '250ms'],
  ];
  for (const [text, words] of meant) t.equal(durationMeant(text), ` Did you mean '${words}'?`, `${text}`);
  for (const text of ['', 'never', '-1', -1, '999999999', true, null, [15]])
    t.equal(durationMeant(text), '', `${text}`);
});
