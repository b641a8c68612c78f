import { fileURLToPath } from 'node:url';
import {
  type BindingElement,
  isBinaryExpression,
  isBindingElement,
  isClassDeclaration,
  isMethodDeclaration,
  isObjectBindingPattern,
  isObjectLiteralExpression,
  isParenthesizedExpression,
  isPropertyAccessExpression,
  isSpreadAssignment,
  type Node,
  SyntaxKind,
} from 'typescript/unstable/ast';
import {
  API,
  type Checker,
  type Symbol as DeclaredSymbol,
  SymbolFlags,
  type Type,
} from 'typescript/unstable/sync';
import { lineAt, type SourceFile } from './tidy-source.ts';

/**
 * What the compiler lets pass and is wrong at run time: `{ ...instance }` has no method and no `#member` of
 * its class, and a method that is passed on as a value has lost its instance. An instance is of a class of
 * `src/`, or typed by an interface that one implements.
 */
export function checkInstances(files: readonly SourceFile[]): string[] {
  const sources = files.filter(({ path }) => /^src\/.*\.ts$/.test(path));
  const api = new API({ cwd: root, fs: overlay(sources) });
  try {
    const [project] = api.updateSnapshot({ openProjects: [projectFile] }).getProjects();
    if (project === undefined) throw new Error('the compiler opens no project');
    const places = sources.flatMap((file) => {
      const parsed = project.program.getSourceFile(`${root}/${file.path}`);
      if (parsed === undefined) throw new Error(`${file.path}: the compiler does not read it`);
      return placesIn(parsed, file);
    });
    return faultsOf(project.checker, places);
  } finally {
    api.close();
  }
}

const root = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');
const projectFile = `${root}/tsconfig.tidy.json`;

/** What the compiler reads: these files instead of those on disk, and packages from there. */
function overlay(sources: readonly SourceFile[]) {
  const texts = new Map(sources.map(({ path, text }) => [`${root}/${path}`, text]));
  const config = { extends: './tsconfig.json', include: [], files: [...texts.keys()] };
  texts.set(projectFile, JSON.stringify(config));
  return {
    readFile: (file: string) => texts.get(file),
    fileExists: (file: string) => (texts.has(file) ? true : undefined),
  };
}

type What = 'spread' | 'access' | 'pattern' | 'class' | 'base';

/** A node that is looked at. */
interface Place {
  readonly what: What;
  readonly node: Node;
  readonly file: SourceFile;
}

function placesIn(parsed: Node, file: SourceFile): Place[] {
  const places: Place[] = [];
  const add = (what: What, node: Node) => places.push({ what, node, file });
  const visit = (node: Node): void => {
    if (isSpreadAssignment(node) && !isLiteral(node.expression)) add('spread', node.expression);
    if (isPropertyAccessExpression(node) && isValue(node)) add('access', node);
    if (isObjectBindingPattern(node)) add('pattern', node);
    if (isClassDeclaration(node) && node.name !== undefined) {
      if (node.members.some(isMethodDeclaration)) {
        add('class', node.name);
        for (const { types } of node.heritageClauses ?? []) for (const type of types) add('base', type);
      }
    }
    node.forEachChild(visit);
  };
  visit(parsed);
  return places;
}

/** `{…}`, `(is && {…})`. */
function isLiteral(node: Node): boolean {
  if (isParenthesizedExpression(node)) return isLiteral(node.expression);
  if (isBinaryExpression(node)) return isLiteral(node.right);
  return isObjectLiteralExpression(node);
}

/** Whether a property's value is kept or passed on, and not called, assigned, compared or looked into. */
function isValue(node: Node): boolean {
  const { parent } = node;
  if (passing.has(parent.kind)) return false;
  return !('expression' in parent && parent.expression === node && parent.kind === SyntaxKind.CallExpression);
}

const passing: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.PropertyAccessExpression,
  SyntaxKind.NonNullExpression,
  SyntaxKind.TypeOfExpression,
  SyntaxKind.PrefixUnaryExpression,
  SyntaxKind.BinaryExpression,
  SyntaxKind.IfStatement,
]);

function faultsOf(checker: Checker, places: readonly Place[]): string[] {
  const of = (...what: What[]) => places.filter((place) => what.includes(place.what));
  const declared = checker.getTypeAtLocation(of('class', 'base').map(({ node }) => node));
  const owners = new Set(declared.flatMap((type) => symbolOf(type) || []));
  const isInstance = (type: Type | undefined): type is Type => {
    if (type === undefined) return false;
    if (type.isUnionType() || type.isIntersectionType()) return type.getTypes().some(isInstance);
    return owners.has(symbolOf(type));
  };
  const instances = (what: What) => {
    const found = of(what);
    const types = checker.getTypeAtLocation(found.map(({ node }) => node));
    return found.flatMap((place, i) => (isInstance(types[i]) ? [{ ...place, type: types[i] }] : []));
  };
  const accessed = of('access');
  const symbols = checker.getSymbolAtLocation(accessed.map(({ node }) => node));
  return [
    ...instances('spread').map((place) => fault(place, copied)),
    ...instances('pattern').flatMap(({ type, ...place }) =>
      elementsOf(place.node).flatMap((element) => {
        if (element.dotDotDotToken !== undefined) return [fault({ ...place, node: element }, copied)];
        const name = nameIn((element.propertyName ?? element.name) as Node, place.file);
        const isMethod = isInstanceMethod(checker.getPropertyOfType(type, name));
        return isMethod ? [fault({ ...place, node: element }, unbound)] : [];
      }),
    ),
    ...accessed
      .filter((_, i) => owners.has(parentOf(symbols[i])) && isInstanceMethod(symbols[i]))
      .map((place) => fault(place, unbound)),
  ];
}

const copied = 'a copy of an instance has no methods: name the fields that are needed';
const unbound = 'a method without its instance: pass a function that calls it';

function fault({ node, file: { path, text } }: Place, what: string): string {
  const shown = text.slice(node.pos, node.end).trim();
  return `${path}:${lineAt(text, node.end)}: ${shown}: ${what}`;
}

/** Ids that a type and a symbol have at hand, while their methods ask the compiler; 0: none. */
function symbolOf(type: Type | undefined): number {
  return (type as { readonly symbol?: number } | undefined)?.symbol ?? 0;
}

function parentOf(symbol: DeclaredSymbol | undefined): number {
  return (symbol as { readonly parent?: number } | undefined)?.parent ?? 0;
}

function isInstanceMethod(symbol: DeclaredSymbol | undefined): boolean {
  if (symbol === undefined || (symbol.flags & SymbolFlags.Method) === 0) return false;
  const declaration = symbol.valueDeclaration?.resolve();
  return !(
    declaration !== undefined &&
    isMethodDeclaration(declaration) &&
    declaration.modifiers?.some(({ kind }) => kind === SyntaxKind.StaticKeyword)
  );
}

function elementsOf(pattern: Node): BindingElement[] {
  return isObjectBindingPattern(pattern) ? pattern.elements.filter(isBindingElement) : [];
}

function nameIn(node: Node, { text }: SourceFile): string {
  return text.slice(node.pos, node.end).trim();
}
