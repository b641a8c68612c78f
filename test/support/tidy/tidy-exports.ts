import { posix } from 'node:path';
import { blank, lineAt, type SourceFile } from './tidy-source.ts';
import { publicModules, sharedNames, unusedExports } from './tidy-table.ts';

interface Export {
  readonly path: string;
  readonly line: number;
  readonly name: string;
}

/**
 * No two files of `src/` export the same name, a type's or a value's, but for those of the table in
 * tidy-table.ts: a name says which of them is meant wherever it stands.
 */
export function checkExportedNames(
  files: readonly SourceFile[],
  exempt: Readonly<Record<string, string>> = sharedNames,
): string[] {
  const byName = new Map<string, Export[]>();
  for (const one of exportsOf(files)) {
    const others = byName.get(one.name) ?? [];
    if (!others.some(({ path }) => path === one.path)) byName.set(one.name, [...others, one]);
  }
  const shared = [...byName].filter(([, all]) => all.length > 1);
  const stale = Object.keys(exempt).filter((name) => byName.has(name) && byName.get(name)?.length === 1);
  return [
    ...shared
      .filter(([name]) => !Object.hasOwn(exempt, name))
      .flatMap(([name, all]) =>
        all.map(({ path, line }) => {
          const others = all.filter((other) => other.path !== path).map((other) => other.path);
          return `${path}:${line}: ${name}: ${others.join(', ')} exports it, too: let each name say which it is`;
        }),
      ),
    ...stale.map((name) => `${name}: is exempt in tidy-table.ts and need not be`),
  ];
}

/**
 * Whatever a file of `src/` exports is named in another file, of `src/` or beside it, but for what the
 * package exports and the table in tidy-table.ts.
 */
export function checkUnusedExports(
  files: readonly SourceFile[],
  exempt: Readonly<Record<string, string>> = unusedExports,
): string[] {
  const used = usedNames(files);
  const isUsed = ({ path, name }: Export) => used.has(`${path} ${name}`) || used.has(`${path} *`);
  const all = exportsOf(files).filter(({ path }) => !publicModules.includes(path));
  const unused = all.filter((one) => !isUsed(one));
  const needed = new Set(unused.map(({ path, name }) => `${path} ${name}`));
  const paths = new Set(files.map(({ path }) => path));
  const stale = Object.keys(exempt).filter(
    (key) => paths.has(key.split(' ', 1)[0] as string) && !needed.has(key),
  );
  return [
    ...unused
      .filter(({ path, name }) => !Object.hasOwn(exempt, `${path} ${name}`))
      .map(({ path, line, name }) => `${path}:${line}: ${name}: no other file names it: do not export it`),
    ...stale.map((key) => `${key}: is exempt in tidy-table.ts and need not be`),
  ];
}

/** Declarations that are exported where they stand: nothing in `src/` exports a list. */
function exportsOf(files: readonly SourceFile[]): Export[] {
  const declared =
    /^export\s+(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(?:function\*?|class|const|let|interface|type)\s+(\w+)/gm;
  return files
    .filter(({ path }) => path.startsWith('src/') && path.endsWith('.ts'))
    .flatMap(({ path, text }) => {
      const code = blank(text, 'comments and strings');
      return [...code.matchAll(declared)].map(({ 1: name = '', index }) => ({
        path,
        line: lineAt(code, index),
        name,
      }));
    });
}

/** All that any file imports or exports of another: `path name`, or `path *`. */
function usedNames(files: readonly SourceFile[]): ReadonlySet<string> {
  const used = new Set<string>();
  for (const { path, text } of files) {
    if (!path.endsWith('.ts')) continue;
    const code = blank(text, 'comments');
    const at = (specifier: string) => posix.join(posix.dirname(path), specifier);
    const lists = /\b(?:import|export)\s+(?:type\s+)?\{(?<names>[^}]*)\}\s*from\s*['"](?<from>\.[^'"]+)['"]/g;
    for (const { groups: { names = '', from = '' } = {} } of code.matchAll(lists))
      for (const one of names.split(',')) {
        const [name = ''] = one
          .trim()
          .replace(/^type\s+/, '')
          .split(/\s+as\s+/);
        used.add(`${at(from)} ${name}`);
      }
    const typed = /\bimport\(\s*['"](?<from>\.[^'"]+)['"]\s*\)(?:\.(?<name>\w+))?/g;
    for (const { groups: { from = '', name } = {} } of code.matchAll(typed)) {
      const isName = name !== undefined && name !== 'then';
      used.add(`${at(from)} ${isName ? name : '*'}`);
    }
    const whole =
      /\b(?:import|export)\s+(?:type\s+)?(?:\w+\s*,\s*)?\*(?:\s+as\s+\w+)?\s*from\s*['"](?<from>\.[^'"]+)['"]/g;
    for (const { groups: { from = '' } = {} } of code.matchAll(whole)) used.add(`${at(from)} *`);
  }
  return used;
}
