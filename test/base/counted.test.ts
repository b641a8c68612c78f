import t from 'tap';
import { counted } from '../../src/base/text/counted.ts';

t.test('one is singular, all other counts are plural', (t) => {
  t.strictSame(
    [0, 1, 2].map((count) => counted(count, 'host')),
    ['0 hosts', '1 host', '2 hosts'],
  );
  t.strictSame(
    [1, 2].map((count) => counted(count, 'proxy', 'proxies')),
    ['1 proxy', '2 proxies'],
  );
  t.end();
});
