import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';

const root = new URL('../../', import.meta.url);
const doc = readFileSync(new URL('docs/xds.md', root), 'utf8');

/**
 * What is wrong with the table of the protocol's statements: a row whose test is not there, or that names
 * none.
 */
function faults(text: string): string[] {
  const [, section = ''] = text.split('## The protocol, statement by statement');
  const rows = section.split('\n').filter((line) => line.startsWith('| '));
  const [, ...statements] = rows;
  if (statements.length < 40) return [`only ${statements.length} statements`];
  return statements.flatMap((row) => {
    const [, statement = '', here = '', test = ''] = row.split('|').map((cell) => cell.trim());
    if (test === '') return here.startsWith('not offered: ') ? [] : [`${statement}: no test`];
    return faultOf(statement, test);
  });
}

/** What is wrong with a test that a row names, as `FILE`: TITLE. */
function faultOf(row: string, test: string): string[] {
  const [, file = '', title = ''] = /^`(test\/[\w/.-]+)`: (.+)$/.exec(test) ?? [];
  const url = new URL(file, root);
  if (file === '' || !existsSync(url)) return [`${row}: no such file: ${test}`];
  return readFileSync(url, 'utf8').includes(title) ? [] : [`${row}: ${file} has no '${title}'`];
}

/** What is wrong with the table of what is kept. */
function keptFaults(text: string): string[] {
  const [, section = ''] = text.split("### State that a client's requests cause");
  const [table = ''] = section.split('###');
  const [, ...rows] = table.split('\n').filter((line) => line.startsWith('| '));
  if (rows.length < 12) return [`only ${rows.length} rows`];
  return rows.flatMap((row) => {
    const [, what = '', limit = '', , , test = ''] = row.split('|').map((cell) => cell.trim());
    return limit === '' ? [`${what}: no limit`] : faultOf(what, test);
  });
}

t.test('each kind of state that a client causes has a limit, and an existing test', async (t) => {
  t.same(keptFaults(doc), []);
  t.match(keptFaults(doc.replace('the last 50,000 of them', 'the last 60,000 of them')), [/has no/]);
});

t.test("each statement of Envoy's protocol names an existing test", async (t) => {
  t.same(faults(doc), []);
});

t.test('the control: a title, a file or a test that is not there is found', async (t) => {
  const changed = (from: string, to: string) => faults(doc.replace(from, to));
  t.match(changed('200 random runs', '200 rantom runs'), [/has no '200 rantom runs'/]);
  t.match(changed('converge.test.ts', 'diverge.test.ts'), [/no such file/]);
  t.match(changed('not offered: resources stay', 'resources stay'), [/TTL of resources: no test/]);
  t.match(faults('## Something else'), [/only 0 statements/]);
});
