import t from 'tap';
import { sameContent } from '../../src/index/same-content.ts';

t.test('content is compared, not identity or the order of keys', async (t) => {
  t.ok(sameContent({ a: 1, b: [{ c: 'x' }] }, { b: [{ c: 'x' }], a: 1 }));
  t.ok(sameContent([], []));
  t.ok(sameContent(undefined, undefined));
});

t.test('each difference counts', async (t) => {
  const pairs: [unknown, unknown][] = [
    [{ a: 1 }, { a: 2 }],
    [{ a: 1 }, { b: 1 }],
    [{ a: 1 }, { a: 1, b: 1 }],
    [{ a: undefined }, { b: undefined }],
    [
      [1, 2],
      [2, 1],
    ],
    [[1], [1, 1]],
    [[], {}],
    [{}, null],
    [1, '1'],
    [{}, 'x'],
  ];
  for (const [a, b] of pairs) {
    t.notOk(sameContent(a, b), `${JSON.stringify(a)} and ${JSON.stringify(b)}`);
    t.notOk(sameContent(b, a), `${JSON.stringify(b)} and ${JSON.stringify(a)}`);
  }
});
