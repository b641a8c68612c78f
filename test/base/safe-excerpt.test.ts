import t from 'tap';
import { printable, safeExcerpt } from '../../src/base/text/safe-excerpt.ts';

t.test('short printable text is unchanged', async (t) => {
  for (const text of ['', 'egress-1', 'Ωmega 日本', "it's \\u{41}"]) t.equal(safeExcerpt(text, 64), text);
});

t.test('control characters and line breaks are escaped', async (t) => {
  t.equal(safeExcerpt('a\u001b[31mb', 64), 'a\\u{1b}[31mb');
  t.equal(safeExcerpt('one\n  two\n', 64), 'one two');
  t.equal(printable('a\nb\u001b[2J\u00e9'), 'a\\u{a}b\\u{1b}[2J\u00e9');
  t.equal(safeExcerpt('a\rb\u2028c\u202ed', 64), 'a\\u{d}b\\u{2028}c\\u{202e}d');
});

t.test('white space goes with the line breaks that it is at, however much there is', async (t) => {
  t.equal(safeExcerpt(' \n a \t\n\r\n \n b  c \n', 64), 'a b  c');
  // A pattern that tries each beginning of the spaces takes a minute for them.
  const spaces = ' '.repeat(300_000);
  t.equal(safeExcerpt(`a${spaces}b`, 2 ** 20).length, 300_002);
  t.equal(safeExcerpt(`a${spaces}\n${spaces}b`, 2 ** 20), 'a b');
});

t.test('long text is cut, with the number of omitted characters', async (t) => {
  t.equal(safeExcerpt('x'.repeat(10), 4), 'xxxx… (6 bytes more)');
  const huge = Buffer.alloc(31 * 2 ** 20, 'y');
  t.equal(safeExcerpt(huge, 3), `yyy… (${huge.length - 3} bytes more)`);
});

t.test('a cut never splits a character', async (t) => {
  t.equal(safeExcerpt('ééé', 3), 'é… (3 bytes more)');
});
