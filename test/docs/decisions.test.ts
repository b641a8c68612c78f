import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';

const folder = new URL('../../docs/decisions/', import.meta.url);

/** A decision record: its file's name, title and status. */
interface DecisionRecord {
  readonly file: string;
  readonly title: string;
  readonly status: string;
}

const records = readdirSync(folder)
  .filter((file) => file.endsWith('.md') && file !== 'README.md')
  .map((file): DecisionRecord => {
    const text = readFileSync(new URL(file, folder), 'utf8');
    return {
      file,
      title: /^# (.*)$/m.exec(text)?.[1] ?? '',
      status: /^\*\*Status\*\*: ([\s\S]*?)\n\n/m.exec(text)?.[1] ?? '',
    };
  });

/** What is wrong with an index of these records: [] when each is in it once, with its title and status. */
function faultsOf(index: string, all: readonly DecisionRecord[]): string[] {
  const rows = [...index.matchAll(/^\| \[(\d+)\]\(([^)]*)\) \| (.*) \| (.*) \|$/gm)].map(
    ([, number = '', file = '', title = '', status = '']) => ({ number, file, title, status }),
  );
  const numbers = all.map(({ file }) => file.slice(0, 3));
  return [
    ...all.flatMap((record) => {
      const own = rows.filter(({ file }) => file === record.file);
      const [row] = own;
      if (!row || own.length > 1) return [`${record.file} has ${own.length} rows`];
      const superseded = /^superseded by \[(\d+)\]/.exec(record.status)?.[1];
      const begins = superseded === undefined ? 'in force' : `superseded by ${superseded}`;
      return [
        ...(record.title === `${row.number}: ${row.title}` ? [] : [`${record.file} has another title`]),
        ...(record.file.startsWith(`${row.number}-`) ? [] : [`${record.file} has another number`]),
        ...(row.status.split('; ')[0] === begins ? [] : [`${record.file} is ${begins}`]),
      ];
    }),
    ...rows.flatMap(({ file, status }) => [
      ...(all.some((record) => record.file === file) ? [] : [`there is no ${file}`]),
      ...(status.match(/\d+/g) ?? [])
        .filter((number) => !numbers.includes(number))
        .map((number) => `there is no decision ${number}`),
    ]),
    ...numbers
      .filter((number, i) => numbers.indexOf(number) !== i)
      .map((number) => `two decisions are ${number}`),
    ...rows.flatMap(({ number }, i) =>
      number < (rows[i - 1]?.number ?? '') ? [`${number} is not in its place`] : [],
    ),
  ];
}

t.test('the index of decisions has each record once, with its title and status', async (t) => {
  t.ok(records.length > 100);
  const index = readFileSync(new URL('README.md', folder), 'utf8');
  t.strictSame(faultsOf(index, records), []);
});

t.test('an index with a fault is found', async (t) => {
  const all: DecisionRecord[] = [
    { file: '001-one.md', title: '001: One', status: 'accepted, 2026-11-23.' },
    { file: '002-two.md', title: '002: Two', status: 'superseded by [001](001-one.md), 2026-11-24.' },
  ];
  const one = '| [001](001-one.md) | One | in force; changed by 002 |';
  const two = '| [002](002-two.md) | Two | superseded by 001 |';
  const faults = (...lines: string[]) => faultsOf(`# Decisions\n\n${lines.join('\n')}\n`, all);
  t.strictSame(faults(one, two), []);
  t.strictSame(faults(one), ['002-two.md has 0 rows']);
  t.strictSame(faults(one, two, two), ['002-two.md has 2 rows']);
  t.strictSame(faults(two, one), ['001 is not in its place']);
  t.strictSame(faults(one, two.replace('Two', 'Too')), ['002-two.md has another title']);
  t.strictSame(faults(one, two.replace('[002]', '[003]')), [
    '002-two.md has another title',
    '002-two.md has another number',
  ]);
  t.strictSame(faults(one, two.replace('superseded by 001', 'in force')), [
    '002-two.md is superseded by 001',
  ]);
  t.strictSame(faults(one.replace('in force', 'superseded by 002'), two), ['001-one.md is in force']);
  t.strictSame(faults(one.replace('002', '004'), two), ['there is no decision 004']);
  t.strictSame(faults(one, two, '| [003](003-three.md) | Three | in force |'), ['there is no 003-three.md']);
  t.strictSame(
    faultsOf(`${one}\n${two}\n${one.replace('001-one', '001-eins')}`, [
      ...all,
      { file: '001-eins.md', title: '001: One', status: 'accepted.' },
    ]),
    ['two decisions are 001', '001 is not in its place'],
  );
});
