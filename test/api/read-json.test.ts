import t from 'tap';
import { readJson } from '../../src/api/read-json.ts';

t.test('a key that an object has twice is refused, however it is written', async (t) => {
  const twice = ['{"a":1,"a":2}', '[{"b":{"a":1, "a" : 2}}]', '{"a":{},"a":[]}', '{"a":1,"\\u0061":2}'];
  for (const text of twice)
    t.throws(
      () => readJson(text),
      { code: 'invalid', message: "the body has 'a' twice: give it once" },
      text,
    );
});

t.test('keys of different objects, and values that look like keys, are none', async (t) => {
  const good = [
    '{"a":{"a":1},"b":["a","a",{"a":1},{"a":2}]}',
    '{"a":"a","b":"a\\":","c":"{\\"a\\":1,\\"a\\":2}"}',
    '{"":"","x":"\\\\"}',
    '"a"',
    '[[],{},"}"]',
  ];
  for (const text of good) t.strictSame(readJson(text), JSON.parse(text), text);
  t.equal(readJson(''), undefined);
});
