import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { findingCodes } from '../../src/model/finding-codes.ts';
import { readTree } from '../support/tidy/tree.ts';

const root = new URL('../../', import.meta.url);
const doc = readFileSync(new URL('docs/findings.md', root), 'utf8');
const table = 'src/model/finding-codes.ts';
const sources = readTree(fileURLToPath(root)).filter(
  ({ path }) => path.startsWith('src/') && path.endsWith('.ts') && path !== table,
);

/** What is wrong with codes, their documentation, and their use in sources. */
function faults(
  codes: Readonly<Record<string, string>>,
  text: string,
  texts: readonly { readonly text: string }[],
): string[] {
  const rows = Array.from(text.matchAll(/^\| `(\w+)` \| (.*) \|$/gm), ([, code, what]) => [code, what]);
  const documented = rows.filter(([code = '']) => /^[A-Z]/.test(code));
  const named = documented.map(([code]) => code);
  return [
    ...Object.keys(codes).flatMap((code) => [
      ...(/^([A-Z][a-z0-9]+)+$/.test(code) ? [] : [`${code}: is not CamelCase`]),
      ...(texts.some((one) => one.text.includes(`'${code}'`)) ? [] : [`${code}: nobody gives it`]),
      ...(documented.some(([one, what]) => one === code && what === codes[code]) ? [] : [`${code}: no row`]),
    ]),
    ...named.filter((code = '') => !Object.hasOwn(codes, code)).map((code) => `${code}: no such code`),
    ...named.filter((code, i) => named.indexOf(code) !== i).map((code) => `${code}: two rows`),
  ];
}

t.test('every code is documented once, as the table says, and given by somebody', async (t) => {
  t.ok(Object.keys(findingCodes).length > 50);
  t.same(faults(findingCodes, doc, sources), []);
});

t.test('what is wrong is found', async (t) => {
  const texts = [{ text: "code: 'Good', code: 'notCamel'" }];
  const rows = '| `code` | a field |\n| `Good` | is good |\n| `Good` | is good |\n| `Gone` | was |\n';
  t.same(faults({ Good: 'is good', Unused: 'is not', notCamel: 'is wrong' }, rows, texts), [
    'Unused: nobody gives it',
    'Unused: no row',
    'notCamel: is not CamelCase',
    'notCamel: no row',
    'Gone: no such code',
    'Good: two rows',
  ]);
});
