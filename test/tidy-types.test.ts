import { fileURLToPath } from 'node:url';
import t from 'tap';
import { checkExportedNames, checkUnusedExports } from './support/tidy/tidy-exports.ts';
import { checkInstances } from './support/tidy/tidy-instances.ts';
import type { SourceFile } from './support/tidy/tidy-source.ts';
import { readTree } from './support/tidy/tree.ts';

// What is exported, and what becomes of instances. `tidy.test.ts` has the other checks.

const tree = readTree(fileURLToPath(new URL('..', import.meta.url)));

/** Files by path, as a tree. */
function files(texts: Readonly<Record<string, string>>): SourceFile[] {
  return Object.entries(texts).map(([path, text]) => ({ path, text }));
}

t.test('exported names are unique', async (t) => {
  const faulty = files({
    'src/plan/a.ts': 'export interface Answer {}\nexport const free = 1;',
    'src/index/b.ts': "const s = 'export';\nexport type Answer = string;",
    'src/index/c.ts': 'export async function* walk() {}',
    'src/xds/d.ts': 'export class walk {}',
  });
  t.same(checkExportedNames(tree), [], 'in this tree');
  t.match(checkExportedNames(faulty, {}), [
    /^src\/plan\/a\.ts:1: Answer: src\/index\/b\.ts exports it/,
    /^src\/index\/b\.ts:2: Answer: src\/plan\/a\.ts exports it/,
    /^src\/index\/c\.ts:1: walk/,
    /^src\/xds\/d\.ts:1: walk/,
  ]);
  const clean = files({
    'src/plan/a.ts': 'export function f(): void;\nexport function f(a?: string): void {}\nconst g = 1;',
    'src/index/b.ts': '// export const f = 1;\nconst g = 2;',
    'test/c.ts': 'export const f = 1;',
  });
  t.same(checkExportedNames(clean, { gone: 'r' }), []);
  t.match(checkExportedNames(clean, { f: 'r' }), [/^f: is exempt in tidy-table\.ts/]);
});

t.test('whatever is exported is named elsewhere', async (t) => {
  const clean = {
    'src/plan/a.ts': `export const f = 1;\nexport interface Way {}\nexport type Of = 1;\nconst own = 1;`,
    'src/plan/b.ts': `import { f as g, type Way } from './a.ts';\nexport class Group {}`,
    'src/plan/c.ts': `export const [x] = [await import('./b.ts')];\nexport { y } from './d.ts';`,
    'src/plan/d.ts': 'export const y = 1;\nexport const kept = 1;',
    'src/plan/e.ts': `export const z = 1;\nlet all: typeof import('./f.ts').w;`,
    'src/plan/f.ts': 'export const w = 1;',
    'src/xds/xds.ts': 'export const forUsers = 1;',
    'test/plan/a.test.ts': `import type { Of } from '../../src/plan/a.ts';`,
    'bench/b.ts': `import * as e from '../src/plan/e.ts';\nexport const bench = 1;`,
  };
  const kept = { 'src/plan/d.ts kept': 'reason' };
  t.same(checkUnusedExports(tree), [], 'in this tree');
  t.same(checkUnusedExports(files(clean), kept), []);
  const faulty = {
    // Neither its own file nor a comment, a string or a name of another file is a use.
    'src/plan/g.ts': `export function alone() {}\nalone();\n// import { alone } from './g.ts';`,
    'src/plan/h.ts': `\nexport type Twin = 1;`,
    'src/plan/i.ts': `export type Named = 1;\nconst text = 'Twin Named alone';`,
    'test/plan/j.ts': `import type { Twin } from '../../src/plan/i.ts';`,
  };
  t.match(checkUnusedExports(files({ ...clean, ...faulty }), kept), [
    /^src\/plan\/g\.ts:1: alone: no other file names it/,
    /^src\/plan\/h\.ts:2: Twin: no other file/,
    /^src\/plan\/i\.ts:1: Named: no other file/,
  ]);
  t.match(checkUnusedExports(files(clean), { ...kept, 'src/plan/f.ts w': 'reason' }), [
    /^src\/plan\/f\.ts w: is exempt/,
  ]);
});

t.test('instances are whole, and methods have theirs', async (t) => {
  const classes = `export interface Shape { readonly size: number; area(): number; scale?: (by: number) => number }
export class Square implements Shape {
  readonly size = 2;
  static unit() { return new Square(); }
  area() { return this.size ** 2; }
}
export interface Plain { readonly a: number; f(): number }
export class Data { readonly a = 1; }
`;
  const use = (code: string) =>
    `import { Data, type Plain, type Shape, Square } from './classes.ts';\n${code}`;
  const clean = {
    'src/plan/classes.ts': classes,
    'src/plan/a.ts': use(`const s: Shape = new Square();
export const whole = [s.area(), s?.area(), s.area.call(s), () => s.area(), typeof s.area, Square.unit];
const { size, scale } = s;
export const copies = [{ size, scale }, { ...new Data() }, { ...(size && { size }) }, { ...[1] }];`),
    'src/plan/b.ts': use('export const f = (plain: Plain) => ({ ...plain, f: plain.f });'),
  };
  const faulty = {
    'src/plan/c.ts': use('export const c = { ...new Square() };'),
    'src/plan/d.ts': use('export const d = (shape: Shape | undefined) => ({ a: 1, ...shape });'),
    'src/plan/e.ts': use('export const e = (squares: Square[]) => squares.map((one) => one.area);'),
    'src/plan/f.ts': use('export const f = (shape: Shape) => Promise.resolve(1).then(shape.area);'),
    'src/plan/g.ts': use('export const g = ({ size, area }: Square) => [size, area];'),
    'src/plan/h.ts': use(
      'export const h = (shape: Shape) => { const { size, ...rest } = shape; return rest; };',
    ),
  };
  const found = checkInstances(files({ ...clean, ...faulty }));
  t.same(checkInstances(tree), [], 'in this tree');
  t.equal(found.length, Object.keys(faulty).length, found.join('\n'));
  for (const path of Object.keys(faulty))
    t.ok(
      found.some((fault) => fault.startsWith(`${path}:2: `)),
      path,
    );
});
