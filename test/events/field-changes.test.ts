import t from 'tap';
import { cut, eventTextMax } from '../../src/events/cut.ts';
import { fieldChangeLimits, fieldChanges } from '../../src/events/field-changes.ts';

t.test('fields that differ are named with both values', async (t) => {
  t.strictSame(fieldChanges({ a: 1, b: { c: 'x' } }, { b: { c: 'x' }, a: 1 }), { fields: [], more: 0 });
  t.strictSame(
    fieldChanges(
      { a: 1, b: { c: 'x', gone: true }, list: [1, 2], was: {} },
      { a: 2, b: { c: 'y', new: null }, list: [1, 3, 4], was: 'text' },
    ),
    {
      fields: [
        { path: 'a', from: '1', to: '2' },
        { path: 'b.c', from: '"x"', to: '"y"' },
        { path: 'b.gone', from: 'true' },
        { path: 'b.new', to: 'null' },
        { path: 'list[1]', from: '2', to: '3' },
        { path: 'list[2]', to: '4' },
        { path: 'was', from: '{…}', to: '"text"' },
      ],
      more: 0,
    },
  );
  t.strictSame(fieldChanges({}, { 'a/b': { '': 1 } }).fields, [{ path: '"a/b".""', to: '1' }]);
  t.strictSame(fieldChanges({ n: Number.POSITIVE_INFINITY }, { n: 0 }).fields[0]?.to, '0');
});

t.test('the work and the text are bounded, whatever the objects', async (t) => {
  const many = (value: number) =>
    Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`f${i}`, value + i]));
  const found = fieldChanges(many(0), many(1));
  t.equal(found.fields.length, fieldChangeLimits.fields);
  t.equal(found.more, 490);
  const huge = (last: string) => ({ list: [...Array.from({ length: 1_000_000 }, (_, i) => [i]), last] });
  const begin = performance.now();
  t.equal(fieldChanges(huge('a'), huge('b')).more, 1, 'something beyond the limit may differ');
  t.ok(performance.now() - begin < 20_000);
  const nested = (depth: number, value: unknown): unknown =>
    depth === 0 ? value : { a: nested(depth - 1, value) };
  t.equal(fieldChanges(nested(2_000, 1), nested(2_000, 2)).fields.length, 0, 'deeper than the limit');
  const long = 'k'.repeat(100_000);
  const [field] = fieldChanges({ [long]: long }, { [long]: `${long}!` }).fields;
  t.ok(Buffer.byteLength(JSON.stringify(field)) < 3 * eventTextMax.text + 2 * eventTextMax.value);
});

t.test('foreign text is cut, on one line, without what changes a terminal', async (t) => {
  t.equal(cut('a\nb\u001b[31mc\u202e'), 'a b\\u{1b}[31mc\\u{202e}');
  t.match(cut('é'.repeat(1_000_000)), /^é+… \(\d+ bytes more\)$/);
  t.ok(Buffer.byteLength(cut('é'.repeat(1_000_000))) < eventTextMax.text + 50);
  const [field] = fieldChanges({ a: 'x' }, { a: '"\n\u001b]0;' }).fields;
  t.strictSame(field, { path: 'a', from: '"x"', to: '"\\" \\\\u{1b}]0;"' });
});
