import type { NamedIdc } from '../../agreement/admission.ts';
import { isMap } from '../../base/raw-map.ts';
import { yieldToEventLoop } from '../../base/yield-to-event-loop.ts';
import type { Finding } from '../../model/finding.ts';
import type { MeshObject, Ref } from '../../model/object.ts';
import { refKey } from '../../model/object.ts';
import { type PathPart, renderPath } from '../../model/values/field-path.ts';
import { type Fault, findingOf } from '../parse/fault.ts';
import { placeholderIn } from '../parse/foreign.ts';
import { type Draft, parseObject } from '../parse/object.ts';
import {
  firstContentLine,
  loadDocument,
  locatePaths,
  type Position,
  splitDocuments,
  YamlFault,
} from './yaml.ts';

/** One object in a file. The same object, by identity, while its document's text is unchanged. */
export interface ObjectEntry {
  readonly key: string;
  readonly ref: Ref;
  /** Its location; for one that only moved within its file, the first location. */
  readonly origin: string;
  /** Absent if the object has errors: its last good version stays. */
  readonly object?: MeshObject;
  /** Then the IDCs that it names. */
  readonly idcs?: readonly NamedIdc[];
  /** And its readable part. */
  readonly draft?: Draft;
}

/** The content of a file. */
export interface FileContent {
  readonly text: string;
  readonly entries: readonly ObjectEntry[];
  readonly problems: readonly Finding[];
  /**
   * Texts of documents that are not YAML, or do not identify their object: objects missing from the file may
   * be in them, and are not deleted.
   */
  readonly unclear: readonly string[];
  /**
   * Whether the file may be truncated: its last document is unclear, or has errors and ends within a line.
   */
  readonly cut: boolean;
  /** True when at least one problem is an error. */
  readonly faulty: boolean;
  readonly documents: ReadonlyMap<string, Document>;
}

/** A fault, and the object that it is of, where it is known which. */
interface OwnedFault extends Fault {
  readonly ref?: Ref;
}

/** An error with its position in its document. */
interface PlacedFault extends OwnedFault {
  readonly position: Position;
  /** The document is an unrendered template. */
  readonly isTemplate?: boolean;
}

/** A parsed document; lines count from its own first line, so that it may move in the file. */
interface Document {
  readonly line: number;
  readonly text: string;
  readonly items: readonly { readonly entry: ObjectEntry; readonly at: readonly PathPart[] }[];
  readonly faults: readonly PlacedFault[];
  readonly unclear: boolean;
  /** Kinds of foreign objects, the first one's line in the document. */
  readonly foreign: readonly string[];
  readonly first: number;
}

const none: readonly never[] = [];

/** Errors of a file with a column; the others have the line of their document. */
const locatedMax = 200;

/** Characters parsed before yielding: some 25 ms. */
const sliceChars = 256 * 1024;

/**
 * Parses the objects of a file, in slices of whole documents; never rejects. `file`: its name in messages.
 * Documents whose text is in `previous` are reused.
 */
export async function readContent(file: string, text: string, previous?: FileContent): Promise<FileContent> {
  const documents = new Map<string, Document>();
  const entries: ObjectEntry[] = [];
  const problems: Finding[] = [];
  const unclear: string[] = [];
  const foreign: string[] = [];
  let foreignLine = 1;
  let last: Document | undefined;
  let twins = 0;
  let hasTemplate = false;
  let since = 0;
  for (const part of splitDocuments(text)) {
    since += part.text.length;
    if (since > sliceChars) {
      await yieldToEventLoop();
      since = 0;
    }
    const known = documents.has(part.text) ? undefined : previous?.documents.get(part.text);
    const document = known
      ? known.line === part.line
        ? known
        : { ...known, line: part.line }
      : readDocument(file, part.text, part.line, problems.length < locatedMax);
    // A repeated document is two claims to one name, and needs an entry of its own.
    documents.set(documents.has(part.text) ? `twin ${twins++}` : part.text, document);
    for (const { entry } of document.items) entries.push(entry);
    for (const fault of document.faults) {
      // Templates are reported once per file.
      if (fault.isTemplate && hasTemplate) continue;
      hasTemplate ||= fault.isTemplate === true;
      problems.push(placedFinding(file, document, fault, fault.position, fault.ref));
    }
    if (document.unclear) unclear.push(document.text);
    if (foreign.length === 0) foreignLine = document.line + document.first - 1;
    foreign.push(...document.foreign);
    last = document;
  }
  const faulty = problems.some(({ severity }) => severity === 'error');
  const cut = last?.unclear === true || (last !== undefined && isFaulty(last) && !text.endsWith('\n'));
  if (foreign.length > 0)
    problems.push({
      code: 'ForeignObjects',
      severity: 'warning',
      where: `${file}:${foreignLine}:1`,
      path: '',
      message: ignoring(foreign),
    });
  return { text, entries, problems, unclear, cut, faulty, documents };
}

/** The content of a file in an encoding that is not read. `text` tells it from other content. */
export function misencodedContent(file: string, text: string, encoding: string): FileContent {
  const message = `the encoding is ${encoding}: save it as UTF-8.`;
  const problem: Finding = { code: 'WrongEncoding', severity: 'error', where: file, path: '', message };
  return {
    text,
    entries: [],
    problems: [problem],
    unclear: [text],
    cut: true,
    faulty: true,
    documents: new Map(),
  };
}

function isFaulty({ faults }: Document): boolean {
  return faults.some(({ severity }) => severity === 'error');
}

function ignoring(kinds: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const kind of kinds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const words = [...counts].sort().map(([kind, count]) => (count === 1 ? kind : `${count} ${kind}`));
  return `not for Isthmus, and ignored: ${words.join(', ')}.`;
}

/** A fault of an entry's object, as a finding at its place in the file. */
export function findingAt(file: string, content: FileContent, entry: ObjectEntry, fault: Fault): Finding {
  for (const document of content.documents.values()) {
    const item = document.items.find((item) => item.entry === entry);
    if (item === undefined) continue;
    const path = [...item.at, ...fault.path];
    const [position] = locatePaths(document.text, [path]);
    return placedFinding(file, document, { ...fault, path }, position ?? { line: 1, column: 1 }, entry.ref);
  }
  return findingOf(fault, file, entry.ref);
}

function placedFinding(
  file: string,
  document: Document,
  fault: Fault,
  { line, column }: Position,
  ref: Ref | undefined,
): Finding {
  return findingOf(fault, `${file}:${document.line + line - 1}:${column}`, ref);
}

function readDocument(file: string, text: string, line: number, exact: boolean): Document {
  let raw: unknown;
  try {
    raw = loadDocument(text);
  } catch (reason) {
    if (!(reason instanceof YamlFault)) throw reason;
    const message = reason.isExcess
      ? `too much to read: ${reason.message}.`
      : `not YAML: ${reason.message}. Correct it.`;
    const fault = placeholderFault(text) ?? {
      code: 'NotYaml',
      severity: 'error',
      path: [],
      message,
      position: reason.position,
    };
    return { line, text, items: [], faults: [fault], unclear: true, foreign: [], first: 1 };
  }
  const first = firstContentLine(text);
  const items: { entry: ObjectEntry; at: readonly PathPart[] }[] = [];
  const faults: OwnedFault[] = [];
  const foreign: string[] = [];
  let unclear = false;
  for (const { value, at } of unwrapList(raw)) {
    const origin = `${file}:${line + first - 1}${at.length > 0 ? ` ${renderPath(at)}` : ''}`;
    const parsed = parseObject(value, origin);
    const owner = parsed.ref && { ref: parsed.ref };
    for (const fault of parsed.faults) faults.push({ ...fault, ...owner, path: [...at, ...fault.path] });
    if (parsed.foreign !== undefined) foreign.push(parsed.foreign);
    if (parsed.ref === undefined) unclear ||= !parsed.ignored;
    else {
      const { ref, object, idcs = [], draft } = parsed;
      const remains = { ...(idcs.length > 0 && { idcs }), ...(draft && { draft }) };
      const content = object === undefined ? remains : { object };
      items.push({ at, entry: { key: refKey(ref), ref, origin, ...content } });
    }
  }
  // Placeholders are reported instead of their consequences. A document that is not an object is not meant to
  // be filled in.
  const isObject = items.length > 0 || (isMap(raw) && raw.kind !== undefined);
  const isFaulty = faults.some(({ severity }) => severity === 'error');
  const placeholder = isFaulty && isObject ? placeholderFault(text) : undefined;
  const positioned = placeholder ? [placeholder] : withPositions(text, faults, first, exact);
  // Copied: a list that was added to has room for sixteen more, and there are very many.
  const kept = { items: [...items], foreign: foreign.length === 0 ? none : foreign };
  return { line, text, ...kept, faults: positioned, unclear, first };
}

function placeholderFault(text: string): PlacedFault | undefined {
  // Comments may contain one.
  const found = placeholderIn(text.replace(/^\s*#.*$/gm, (line) => ' '.repeat(line.length)));
  if (found === undefined) return undefined;
  const before = text.slice(0, found.at).split('\n');
  const position = { line: before.length, column: (before.at(-1) ?? '').length + 1 };
  const { message } = found;
  return { code: 'TemplateNotRendered', severity: 'error', path: [], message, position, isTemplate: true };
}

function withPositions(
  text: string,
  faults: readonly OwnedFault[],
  first: number,
  exact: boolean,
): readonly PlacedFault[] {
  if (faults.length === 0) return none;
  const located = exact ? Math.min(faults.length, locatedMax) : 0;
  const positions =
    located > 0
      ? locatePaths(
          text,
          faults.slice(0, located).map(({ path }) => path),
        )
      : [];
  return faults
    .map((fault, index) => ({ ...fault, position: positions[index] ?? { line: first, column: 1 } }))
    .sort((a, b) => a.position.line - b.position.line || a.position.column - b.position.column);
}

/** The objects in a document: several in a `List` as printed by kubectl; none if it is empty. */
function unwrapList(raw: unknown): { value: unknown; at: readonly PathPart[] }[] {
  if (raw === undefined || raw === null) return [];
  if (isMap(raw) && typeof raw.kind === 'string' && raw.kind.endsWith('List') && Array.isArray(raw.items)) {
    return raw.items.map((value, index) => ({ value, at: ['items', index] }));
  }
  return [{ value: raw, at: none }];
}
