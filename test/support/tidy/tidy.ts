import { posix } from 'node:path';
import { blank, type Import, importsOf, lineAt, type SourceFile } from './tidy-source.ts';
import {
  type Allowance,
  allowances,
  ambientExemptions,
  commentColumnsMax,
  entryPoints,
  linesMax,
} from './tidy-table.ts';

/** Looks at a whole tree and says what is wrong in it: `path:line: what, and what to do`. */
export type Check = (files: readonly SourceFile[]) => string[];

/** Imports point left: the table in tidy-table.ts says what each folder may import. */
export const checkImports: Check = (files) =>
  files.filter(isSource).flatMap((file) => {
    const folder = folderOf(file.path);
    const allowance = allowances[folder];
    if (allowance === undefined) return [`${file.path}: ${folder} is not in the table of tidy-table.ts`];
    return importsOf(file).flatMap((found) => {
      const fault = importFault(file.path, folder, allowance, found);
      return fault === undefined ? [] : [`${file.path}:${found.line}: ${fault}`];
    });
  });

function importFault(path: string, folder: string, allowance: Allowance, found: Import): string | undefined {
  const { specifier, typeOnly } = found;
  if (specifier.startsWith('node:timers')) return `${specifier}: time comes from base/clock.ts`;
  if (specifier.startsWith('node:')) {
    return allowance.node ? undefined : `${specifier}: ${folder} is pure and imports no node: module`;
  }
  if (!specifier.startsWith('.')) return packageFault(path, folder, allowance, found);
  const target = folderOf(resolve(path, specifier));
  if (target === folder || allowance.folders.includes(target)) return undefined;
  if (allowance.types?.includes(target)) {
    return typeOnly ? undefined : `${specifier}: ${folder} may import only types from ${target}`;
  }
  return `${specifier}: ${folder} may not import ${target}`;
}

function packageFault(path: string, folder: string, allowance: Allowance, found: Import): string | undefined {
  const name = packageOf(found.specifier);
  const where = allowance.packages?.[name];
  if (where === 'all' || where?.includes(posix.relative(`src/${folder}`, path))) return undefined;
  if (found.typeOnly && allowance.packageTypes?.includes(name)) return undefined;
  const others = where === undefined ? 'not at all' : `only in ${where.join(', ')}`;
  return `${name}: ${folder} may import it ${others}`;
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Whatever the table allows is done somewhere: else its row is stale. */
export function checkAllowances(files: readonly SourceFile[], table = allowances): string[] {
  const used = new Set<string>();
  for (const file of files.filter(isSource)) {
    const folder = folderOf(file.path);
    used.add(folder);
    for (const { specifier } of importsOf(file)) {
      if (specifier.startsWith('node:')) used.add(`${folder} node`);
      else if (specifier.startsWith('.')) used.add(`${folder} ${folderOf(resolve(file.path, specifier))}`);
      else {
        used.add(`${folder} ${packageOf(specifier)}`);
        used.add(`${folder} ${packageOf(specifier)} ${posix.relative(`src/${folder}`, file.path)}`);
      }
    }
  }
  return Object.entries(table).flatMap(
    ([folder, { folders, types = [], packages = {}, packageTypes = [], node }]) => {
      const allowed = [
        '',
        ...[...folders, ...types, ...packageTypes, ...(node ? ['node'] : [])],
        ...Object.entries(packages).flatMap(([name, where]) =>
          where === 'all' ? [name] : where.map((path) => `${name} ${path}`),
        ),
      ];
      return allowed
        .map((what) => `${folder} ${what}`.trim())
        .filter((row) => !used.has(row))
        .map((row) => `${row}: is in the table of tidy-table.ts and not in src`);
    },
  );
}

/** Whatever no entry point reaches is dead: wire it, or delete it. */
export const checkDeadFiles: Check = (files) => {
  const sources = new Map(files.filter(isSource).map((file) => [file.path, file]));
  const missing = entryPoints.filter((path) => !sources.has(path));
  const alive = new Set<string>();
  const visit = (path: string): void => {
    const file = sources.get(path);
    if (file === undefined || alive.has(path)) return;
    alive.add(path);
    for (const { specifier } of importsOf(file))
      if (specifier.startsWith('.')) visit(resolve(path, specifier));
  };
  entryPoints.forEach(visit);
  return [
    ...missing.map((path) => `${path}: is an entry point in tidy-table.ts and does not exist`),
    ...[...sources.keys()]
      .filter((path) => !alive.has(path))
      .map((path) => `${path}: no entry point reaches it`),
  ];
};

/**
 * No file imports, by way of others, itself: types count too, for whoever reads one would have to read all.
 */
export const checkCircles: Check = (files) => {
  const sources = files.filter(isSource);
  const imports = new Map(
    sources.map((file) => [
      file.path,
      importsOf(file)
        .filter(({ specifier }) => specifier.startsWith('.'))
        .map(({ specifier }) => resolve(file.path, specifier)),
    ]),
  );
  const comesBack = (path: string): boolean => {
    const seen = new Set<string>();
    const open = [path];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const next of imports.get(at) ?? []) {
        if (next === path) return true;
        if (!seen.has(next)) open.push(next);
        seen.add(next);
      }
    }
    return false;
  };
  return sources
    .filter((file) => comesBack(file.path))
    .map((file) => `${file.path}: is in a circle of imports: put what both need into a file of its own`);
};

/** Time and chance are injected, so that simulations own them. */
export const checkAmbient: Check = (files) => {
  const uses = codeMatches(
    files.filter((file) => isSource(file) && folderOf(file.path) !== 'base'),
    /\bDate\.now\b|\bnew Date\(\s*\)|(?<![.\w])(?:setTimeout|setInterval|setImmediate)\b|\bMath\.random\b|\bperformance\.now\b|\bprocess\.hrtime\b|\bAbortSignal\.timeout\b|\bglobalThis\.set\w+/g,
  );
  const exempt = (use: Use) => Object.hasOwn(ambientExemptions, `${use.path}: ${use.found}`);
  const stale = Object.keys(ambientExemptions).filter((key) => {
    const [path, found] = key.split(': ');
    return (
      files.some((file) => file.path === path) &&
      !uses.some((use) => use.path === path && use.found === found)
    );
  });
  return [
    ...uses
      .filter((use) => !exempt(use))
      .map((use) => `${use.at}: ${use.found}: take a Clock or Random of src/base as an argument`),
    ...stale.map((key) => `${key}: is exempt in tidy-table.ts and need not be`),
  ];
};

/** What Node cannot erase, or a reader cannot search for by name. */
export const checkSyntax: Check = (files) => [
  ...codeMatches(files.filter(isScript), /^[ \t]*(?:export\s+)?(?:declare\s+)?(?:const\s+)?enum\s+\w+/gm).map(
    (use) => `${use.at}: enum: use a union of literals`,
  ),
  ...codeMatches(files.filter(isSource), /^[ \t]+private\s+(?!constructor\b)/gm).map(
    (use) => `${use.at}: private: name the member #name`,
  ),
  ...codeMatches(files.filter(isSource), /^[ \t]*export\s+default\b|\bas\s+default\b/gm).map(
    (use) => `${use.at}: default export: export by name`,
  ),
  ...files
    .filter((file) => isSource(file) && posix.basename(file.path) === 'index.ts')
    .map((file) => `${file.path}: no barrel files: name the file after what is in it`),
];

/** No file is longer than one idea. */
export const checkLength: Check = (files) =>
  files.filter(isScript).flatMap(({ path, text }) => {
    const lines = text.replace(/\n$/, '').split('\n').length;
    return lines > linesMax ? [`${path}: ${lines} lines, of at most ${linesMax}: divide it`] : [];
  });

/** Comments are no wider than code, which the formatter does not wrap for us. */
export const checkCommentWidth: Check = (files) =>
  files.filter(isScript).flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      const isComment =
        /^\s*(?:\/\/(?! biome-ignore)|\/?\*+(?: |$))/.test(line) && /\s\S+\s/.test(line.trim());
      const isWide = line.length > commentColumnsMax && isComment && !path.startsWith('wasm/');
      return isWide
        ? [
            `${path}:${index + 1}: a comment of ${line.length} columns, of at most ${commentColumnsMax}: wrap it`,
          ]
        : [];
    }),
  );

/** Nothing is left for later in the tree: what is open is an issue. */
export const checkLeftovers: Check = (files) =>
  files.flatMap((file) =>
    [...file.text.matchAll(/\b(?:TO(?:)DO|FIX(?:)ME|XX(?:)X|HA(?:)CK)\b/g)].map(
      ({ 0: word, index }) => `${file.path}:${lineAt(file.text, index)}: ${word}: do it, or file an issue`,
    ),
  );

/** Where packages are fetched from is the user's own configuration, never the tree's. */
export const checkRegistryHosts: Check = (files) =>
  files.flatMap((file) => {
    const hosts =
      /\b(?:registry\.(?:npmjs|yarnpkg|npmmirror)\.(?:org|com)|pypi\.org|pythonhosted\.org|proxy\.golang\.org|crates\.io|repo1?\.maven\.(?:apache\.)?org)\b|<(?:pluginRepositories|repositories|mirrors)>|^\s*(?:@[\w-]+:)?registry\s*=.*|--(?:extra-)?index-url\b|\bindex-url\s*=|\bGOPROXY=/gm;
    const found = [...file.text.matchAll(hosts)];
    if (/(?:^|\/)package-lock\.json$/.test(file.path)) found.push(...file.text.matchAll(/"resolved":/g));
    return found.map(
      ({ 0: what, index }) =>
        `${file.path}:${lineAt(file.text, index)}: ${what.trim()}: names a package registry`,
    );
  });

interface Use {
  readonly path: string;
  readonly at: string;
  readonly found: string;
}

function codeMatches(files: readonly SourceFile[], pattern: RegExp): Use[] {
  return files.flatMap(({ path, text }) => {
    if (text.search(pattern) < 0) return [];
    const code = blank(text, 'comments and strings');
    return [...code.matchAll(pattern)].map(({ 0: found, index }) => ({
      path,
      at: `${path}:${lineAt(code, index)}`,
      found: found.trim(),
    }));
  });
}

function isSource(file: SourceFile): boolean {
  return file.path.startsWith('src/') && file.path.endsWith('.ts');
}

function isScript(file: SourceFile): boolean {
  return file.path.endsWith('.ts');
}

/** The folder below `src/`, or the file there, or the folder beside `src/`. */
function folderOf(path: string): string {
  const [first = '', second = ''] = path.split('/');
  return first === 'src' ? second : first;
}

function resolve(from: string, specifier: string): string {
  return posix.join(posix.dirname(from), specifier);
}
