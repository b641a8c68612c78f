import { createRequire } from 'node:module';
import yaml from 'js-yaml';
import type { Document, LineCounter, Node } from 'yaml';
import type { PathPart } from '../../model/values/field-path.ts';
import { excessOfText, excessOfValue, yamlLimits } from './yaml-limits.ts';

/** One YAML document of a file, as text. */
interface YamlText {
  readonly text: string;
  /** Line of the file where it begins, from 1. */
  readonly line: number;
}

/** A position in a document's text; both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A document that cannot be parsed: why, and the position in its text. */
export class YamlFault extends Error {
  readonly position: Position;

  /** Whether it was not parsed because of a limit. */
  readonly isExcess: boolean;

  constructor(message: string, position: Position, isExcess = false) {
    super(message);
    this.name = 'YamlFault';
    this.position = position;
    this.isExcess = isExcess;
  }
}

const load = createRequire(import.meta.url);
/** The parser that knows positions; loaded when they are asked for, as a start needs none. */
const positioned = (): typeof import('yaml') => load('yaml');

/** Merge keys (`<<: *defaults`): not in YAML 1.2, but common. */
const merge = new yaml.Type('tag:yaml.org,2002:merge', { kind: 'scalar', resolve: (data) => data === '<<' });
/** The types of YAML 1.2; no dates, so that timestamps stay strings. */
const schema = yaml.CORE_SCHEMA.extend({ implicit: [merge] });

/**
 * Splits a file into documents without parsing: in YAML a line that begins with `---` or `...` occurs only
 * between documents. So a change parses one document again, and an invalid one does not affect others. Empty
 * documents are left out.
 */
export function* splitDocuments(file: string): Generator<YamlText> {
  const text = file.charCodeAt(0) === 0xfeff ? file.slice(1) : file;
  let start = 0;
  let line = 1;
  for (const end of markers(text)) {
    const part = text.slice(start, end);
    // Directives (`%YAML 1.2`) belong to the document after the marker that ends them.
    if (end < text.length && isDirectives(part)) continue;
    // A leading end marker is replaced by a comment of the same length, which a single-document parser
    // ignores.
    if (hasContent(part)) yield { text: part.replace(/^\.\.\./, '#..'), line };
    line += countLines(part);
    start = end;
  }
}

/** Positions where documents may end: before each marker but one at the start, and at the end. */
function* markers(text: string): Generator<number> {
  for (const { index } of text.matchAll(/^(?:---|\.\.\.)(?=\s|$)/gm)) if (index > 0) yield index;
  yield text.length;
}

/**
 * Parses one document. Throws YamlFault if it is not YAML, has a duplicate key in a mapping, or is above a
 * limit (`yaml-limits.ts`).
 */
export function loadDocument(text: string): unknown {
  const excess = excessOfText(text);
  if (excess !== undefined) throw new YamlFault(excess, { line: firstContentLine(text), column: 1 }, true);
  let value: unknown;
  try {
    value = yaml.load(text, { schema });
  } catch (reason) {
    // Nested lists: the parser recurses, and overflows the stack.
    if (reason instanceof RangeError) throw new YamlFault('nested too deeply', { line: 1, column: 1 });
    if (!(reason instanceof yaml.YAMLException)) throw new YamlFault(String(reason), { line: 1, column: 1 });
    const { line = 0, column = 0 } = reason.mark ?? {};
    throw new YamlFault(reason.reason, { line: line + 1, column: column + 1 });
  }
  const expanded = excessOfValue(text, value);
  if (expanded !== undefined)
    throw new YamlFault(expanded, { line: firstContentLine(text), column: 1 }, true);
  return value;
}

/**
 * The positions of fields in a document; for a missing field, where it should be. Slow (it keeps every
 * position), so only for documents with problems.
 */
export function locatePaths(text: string, paths: readonly (readonly PathPart[])[]): Position[] {
  if (text.length > yamlLimits.locatedMax)
    return paths.map(() => ({ line: firstContentLine(text), column: 1 }));
  try {
    return positions(text, paths);
  } catch {
    // This parser's limit is lower: the position is lost, not the error.
    return paths.map(() => ({ line: firstContentLine(text), column: 1 }));
  }
}

/** The last document, as a List has positions for each item's errors. */
let last: { readonly text: string; readonly counter: LineCounter; readonly document: Document } | undefined;

function treeOf(text: string): NonNullable<typeof last> {
  if (last?.text === text) return last;
  const library = positioned();
  const counter = new library.LineCounter();
  const options = { uniqueKeys: false, strict: false, logLevel: 'silent', merge: true } as const;
  last = { text, counter, document: library.parseDocument(text, { ...options, lineCounter: counter }) };
  // It takes a hundred times the memory of its text.
  queueMicrotask(() => {
    last = undefined;
  });
  return last;
}

function positions(text: string, paths: readonly (readonly PathPart[])[]): Position[] {
  const { counter, document } = treeOf(text);
  return paths.map((path) => {
    let node: unknown = document.contents;
    let offset = offsetOf(node) ?? 0;
    for (const part of path) {
      const found = child(node, part);
      if (found === undefined) break;
      offset = found.offset ?? offset;
      node = found.node;
    }
    const { line, col } = counter.linePos(offset);
    return { line, column: col };
  });
}

/** The first line with content, where an editor should open the document. From 1, in its text. */
export function firstContentLine(text: string): number {
  const lines = text.split('\n', 200);
  const found = lines.findIndex(
    (line) => !/^\s*(?:#|$)/.test(line) && !/^(?:---|\.\.\.)\s*(?:#|$)/.test(line),
  );
  return found < 0 ? 1 : found + 1;
}

function child(node: unknown, part: PathPart): { node: unknown; offset: number | undefined } | undefined {
  const { isMap, isSeq } = positioned();
  if (isMap(node)) {
    const pair = node.items.find(
      ({ key }) => String((key as { value?: unknown } | null)?.value) === String(part),
    );
    return pair && { node: pair.value, offset: offsetOf(pair.key) };
  }
  if (isSeq(node) && typeof part === 'number' && part < node.items.length) {
    return { node: node.items[part], offset: offsetOf(node.items[part]) };
  }
  return undefined;
}

function offsetOf(node: unknown): number | undefined {
  return (node as Node | null)?.range?.[0];
}

function isDirectives(part: string): boolean {
  return part.includes('%') && part.split('\n').every((line) => /^(?:%|\.\.\.|\s*(?:#|$))/.test(line));
}

function hasContent(part: string): boolean {
  return /^(?!\s*(?:#|$))(?!(?:---|\.\.\.)\s*(?:#|$))./m.test(part);
}

function countLines(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++;
  return count;
}
