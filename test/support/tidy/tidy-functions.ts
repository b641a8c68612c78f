import { type Node, SyntaxKind } from 'typescript/unstable/ast';
import { createVirtualFileSystem } from 'typescript/unstable/fs';
import { API } from 'typescript/unstable/sync';
import { lineAt, type SourceFile } from './tidy-source.ts';
import { functionLinesMax, longFunctions } from './tidy-table.ts';

/** A function, method, accessor or constructor, wherever it stands. */
interface FunctionSpan {
  /** The names around it and its own: `Session.#write`, `planGroup.ways`. */
  readonly name: string;
  /** From 1. */
  readonly line: number;
  /** Lines from its first token to its end, both included; comments before it do not count. */
  readonly lines: number;
}

/**
 * No function of `src/`, `bench/` and `wasm/` is longer than `functionLinesMax`, but for those of the table
 * in tidy-table.ts. A closure counts with all that it holds.
 */
export function checkFunctions(
  files: readonly SourceFile[],
  exempt: Readonly<Record<string, string>> = longFunctions,
): string[] {
  const scripts = files.filter(({ path }) => /^(?:src|bench|wasm)\/.*\.ts$/.test(path));
  const seen = new Set<string>();
  const faults = functionsOf(scripts).flatMap(([path, { name, line, lines }]) => {
    if (lines <= functionLinesMax) return [];
    const key = `${path} ${name}`;
    seen.add(key);
    if (Object.hasOwn(exempt, key)) return [];
    return [`${path}:${line}: ${name}: ${lines} lines, of at most ${functionLinesMax}: divide it`];
  });
  const paths = new Set(scripts.map(({ path }) => path));
  const stale = Object.keys(exempt).filter(
    (key) => paths.has(key.split(' ', 1)[0] as string) && !seen.has(key),
  );
  return [...faults, ...stale.map((key) => `${key}: is exempt in tidy-table.ts and need not be`)];
}

/** All functions of these files, by path, as the compiler parses them. */
function functionsOf(files: readonly SourceFile[]): (readonly [string, FunctionSpan])[] {
  const config = {
    compilerOptions: { noLib: true, noResolve: true, types: [], experimentalDecorators: true },
    include: ['**/*.ts'],
  };
  const api = new API({
    cwd: root,
    fs: createVirtualFileSystem({
      ...Object.fromEntries(files.map(({ path, text }) => [`${root}/${path}`, text])),
      [`${root}/tsconfig.json`]: JSON.stringify(config),
    }),
  });
  try {
    const snapshot = api.updateSnapshot({ openProjects: [`${root}/tsconfig.json`] });
    const program = snapshot.getProjects()[0]?.program;
    return files.flatMap((file) => {
      const parsed = program?.getSourceFile(`${root}/${file.path}`);
      if (parsed === undefined) throw new Error(`${file.path}: the compiler does not read it`);
      return spansIn(parsed, file).map((span) => [file.path, span] as const);
    });
  } finally {
    api.close();
  }
}

const root = '/tree';

function spansIn(parsed: Node, { text }: SourceFile): FunctionSpan[] {
  const spans: FunctionSpan[] = [];
  const visit = (node: Node, around: readonly string[]): void => {
    const name = nameOf(node, text);
    const isUnnamed = name === undefined && functionKinds.has(node.kind) && !namedKinds.has(node.parent.kind);
    const own = isUnnamed ? '(anonymous)' : name;
    const names = own === undefined ? around : [...around, own];
    if (functionKinds.has(node.kind)) {
      const source = text.slice(node.pos, node.end);
      const start = node.pos + (source.length - source.replace(leading, '').length);
      const line = lineAt(text, start);
      spans.push({ name: names.join('.'), line, lines: lineAt(text, node.end) - line + 1 });
    }
    node.forEachChild((child) => visit(child, names));
  };
  visit(parsed, []);
  return spans;
}

/** Spaces and comments before a node's first token. */
const leading = /^(?:\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)+/;

/** What a function is called: its own name, or that of what it is assigned to. */
function nameOf(node: Node, text: string): string | undefined {
  if (node.kind === SyntaxKind.Constructor) return 'constructor';
  if (!functionKinds.has(node.kind) && !namedKinds.has(node.kind)) return undefined;
  const { name } = node as Node & { readonly name?: Node };
  return name === undefined ? undefined : text.slice(name.pos, name.end).replace(leading, '');
}

const functionKinds: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.FunctionExpression,
  SyntaxKind.ArrowFunction,
  SyntaxKind.MethodDeclaration,
  SyntaxKind.Constructor,
  SyntaxKind.GetAccessor,
  SyntaxKind.SetAccessor,
]);

const namedKinds: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.ClassDeclaration,
  SyntaxKind.VariableDeclaration,
  SyntaxKind.PropertyAssignment,
  SyntaxKind.PropertyDeclaration,
]);
