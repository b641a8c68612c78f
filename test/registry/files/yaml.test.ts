import t from 'tap';
import { readContent } from '../../../src/registry/files/documents.ts';
import { loadDocument, locatePaths, splitDocuments, YamlFault } from '../../../src/registry/files/yaml.ts';
import { toYaml, workload } from '../objects.ts';

t.test('a file is cut at its markers, and lines are counted', async (t) => {
  const text =
    '# head\n\na: 1\n--- # next\nb: |\n  --- no marker\n  text\n---\n# only a comment\n...\n---\nc: 3\n----: 4\n';
  t.strictSame(
    [...splitDocuments(text)].map(({ text, line }) => [line, loadDocument(text)]),
    [
      [1, { a: 1 }],
      [4, { b: '--- no marker\ntext\n' }],
      [11, { c: 3, '----': 4 }],
    ],
  );
});

t.test('directives, byte order mark and Windows line ends', async (t) => {
  const values = (text: string) => [...splitDocuments(text)].map(({ text }) => loadDocument(text));
  t.strictSame(values('\uFEFF%YAML 1.2\n---\na: 1\n...\n%YAML 1.2\n---\nb: 2\n'), [{ a: 1 }, { b: 2 }]);
  t.strictSame(values('a: 1\r\n---\r\nb: 2\r\n'), [{ a: 1 }, { b: 2 }]);
  t.strictSame(values(''), []);
  t.strictSame(values('---\n---\n\n'), []);
  t.strictSame(values('{"a":\n\t[1,\n\t2]}'), [{ a: [1, 2] }]);
  t.strictSame(values('x: &x {a: 1}\ny: {<<: *x, b: 2}\nz: 2026-01-01\n'), [
    { x: { a: 1 }, y: { a: 1, b: 2 }, z: '2026-01-01' },
  ]);
});

t.test('text that is not YAML is reported with its position', async (t) => {
  const cases: readonly [string, RegExp, number, number][] = [
    ['a: 1\nb: [1, 2\nc: 3\n', /flow collection|missed comma|unexpected/, 3, 1],
    ['a: 1\na: 2\n', /duplicated mapping key/, 2, 1],
    ['a:\n\tb: 1\n', /tab/, 2, 1],
  ];
  for (const [text, words, line, column] of cases) {
    try {
      loadDocument(text);
      t.fail(`read ${text}`);
    } catch (reason) {
      t.ok(reason instanceof YamlFault);
      if (reason instanceof YamlFault) {
        t.match(reason.message, words);
        t.strictSame(reason.position, { line, column });
      }
    }
  }
});

t.test('fields are found, and of those that are missing the place where they belong', async (t) => {
  const text = '---\nspec:\n  ports:\n  - number: 80\n  - {number: 81, name: x}\n  "a.b/c": 1\n';
  const paths = [
    ['spec', 'ports', 1, 'name'],
    ['spec', 'ports', 0],
    ['spec', 'ports', 0, 'protocol'],
    ['spec', 'a.b/c'],
    ['metadata', 'name'],
    [],
  ];
  t.strictSame(
    locatePaths(text, paths).map(({ line, column }) => `${line}:${column}`),
    ['5:18', '4:5', '4:5', '6:3', '2:1', '2:1'],
  );
});

t.test('a document that did not change is not read again, wherever it moves', async (t) => {
  const first = await readContent('m.yaml', toYaml(workload('w-1'), workload('w-2')));
  const text = `# new line\n${toYaml(workload('w-2'), workload('w-3'))}`;
  const second = await readContent('m.yaml', text, first);
  t.equal(second.entries[0], first.entries[1]);
  const line = text.slice(0, text.lastIndexOf('---')).split('\n').length + 1;
  t.equal(second.entries[1]?.object?.meta.origin, `m.yaml:${line}`, 'the line of its first content');
});

t.test('problems move with their document', async (t) => {
  const bad = toYaml(workload('w-1', { weight: -1 }));
  const first = await readContent('m.yaml', bad);
  const [before] = first.problems;
  const [after] = (await readContent('m.yaml', `# one\n# two\n${bad}`, first)).problems;
  const line = (where = '') => Number(where.split(':')[1]);
  t.equal(line(after?.where), line(before?.where) + 2);
});

t.test('lists of kubectl are unwrapped, with paths of their items', async (t) => {
  const items = [workload('w-1'), workload('w-2', { weight: -1 })];
  const { entries, problems } = await readContent(
    'm.yaml',
    toYaml({ apiVersion: 'v1', kind: 'List', items }),
  );
  t.strictSame(
    entries.map(({ key, object }) => [key, object !== undefined]),
    [
      ['WorkloadEntry/shop/w-1', true],
      ['WorkloadEntry/shop/w-2', false],
    ],
  );
  t.match(problems, [{ path: 'items[1].spec.weight' }]);
});

t.test('the same document twice is two claims', async (t) => {
  const text = toYaml(workload('w-1'), workload('w-1'));
  const first = await readContent('m.yaml', text);
  t.equal(new Set(first.entries).size, 2);
  t.equal(new Set((await readContent('m.yaml', `${text}# end\n`, first)).entries).size, 2);
});

t.test('a file counts as whole only if it is known what each document is', async (t) => {
  const complete = async (...documents: unknown[]) =>
    (await readContent('m.yaml', toYaml(workload('w'), ...documents))).unclear.length === 0;
  t.equal(await complete(), true);
  t.equal(await complete(workload('x', { weight: -1 })), true, 'faulty, but known');
  t.equal(await complete({ ...workload('x'), kind: 'WorkloadEntri' }), false);
  t.equal(await complete({ ...workload('x'), metadata: {} }), false);
  t.equal(
    await complete({ apiVersion: 'networking.istio.io/v1', kind: 'Gateway' }),
    true,
    'known not to matter',
  );
  t.equal(await complete({ apiVersion: 'apps/v1', kind: 'Deployment' }), true, "another group's");
  t.equal(await complete({ apiVersion: 'v1', kind: 'ServiceEntri' }), false, 'nearly ours');
});
