import type { Slices } from '../slices.ts';
import { ownBytes } from './own-bytes.ts';

/** Bytes that never change, kept in little memory. */
export interface Content {
  readonly length: number;
  /** Writes all of them into a buffer that has room for them; returns the place after them. */
  writeTo(target: Buffer, place: number): number;
  /** As `writeTo`, for contents that may be long. */
  inSlices?(target: Buffer, place: number): Slices<number>;
  /** The bytes themselves, if they are kept as they are. */
  readonly whole?: Buffer;
}

/** Bytes for a parser; each call makes a copy. */
export function bytesOf(content: Content): Buffer {
  const bytes = Buffer.allocUnsafe(content.length);
  content.writeTo(bytes, 0);
  return bytes;
}

/**
 * Short bytes as text of one byte a character. A Buffer takes some 350 bytes beside its content, and memory
 * that V8 does not move; a string takes 20, and lives in the heap.
 */
class Text implements Content {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  get length(): number {
    return this.#text.length;
  }

  writeTo(target: Buffer, place: number): number {
    return place + target.write(this.#text, place, 'latin1');
  }
}

/** Long bytes. */
class Long implements Content {
  readonly whole: Buffer;

  constructor(whole: Buffer) {
    this.whole = whole;
  }

  get length(): number {
    return this.whole.length;
  }

  writeTo(target: Buffer, place: number): number {
    target.set(this.whole, place);
    return place + this.length;
  }
}

/** What contents that differ in one word alone have in common: the text between its occurrences. */
interface Template {
  readonly pieces: readonly string[];
}

/** A template with its word. */
class Filled implements Content {
  readonly length: number;
  readonly #template: Template;
  readonly #word: string;

  constructor(length: number, template: Template, word: string) {
    this.length = length;
    this.#template = template;
    this.#word = word;
  }

  writeTo(target: Buffer, place: number): number {
    const { pieces } = this.#template;
    let at = place;
    for (let i = 0; i < pieces.length; i += 1) {
      const piece = pieces[i] as string;
      if (i > 0) at += target.write(this.#word, at, 'latin1');
      if (piece !== '') at += target.write(piece, at, 'latin1');
    }
    return at;
  }
}

/** A content within a longer one. */
export interface PlacedContent {
  readonly at: number;
  readonly content: Content;
}

/** A content of others, and of what is between them: the routes of many hosts. */
class Joined implements Content {
  readonly length: number;
  readonly #parts: readonly Content[];

  constructor(length: number, parts: readonly Content[]) {
    this.length = length;
    this.#parts = parts;
  }

  writeTo(target: Buffer, place: number): number {
    let at = place;
    for (const part of this.#parts) at = part.writeTo(target, at);
    return at;
  }

  *inSlices(target: Buffer, place: number): Slices<number> {
    let [at, since] = [place, 0];
    for (const part of this.#parts) {
      at = part.writeTo(target, at);
      since += part.length;
      if (since < sliceBytes) continue;
      since = 0;
      yield;
    }
    return at;
  }
}

// Written in some tenths of a millisecond.
const sliceBytes = 128 * 1024;

// Shorter contents cost less than a search for a template; longer ones have their memory for themselves.
const [templateBytesMin, longBytesMin] = [160, 64 * 1024];
// A shorter word saves nothing.
const wordMin = 4;
// Between pieces in a template's key. Pieces with it in them are told apart by their lengths.
const between = '\0\xff\0';

/** Templates in use, by their pieces. */
const templates = new Map<string, WeakRef<Template>>();
const collected = new FinalizationRegistry<string>((key) => {
  if (templates.get(key)?.deref() === undefined) templates.delete(key);
});

/** Hashes of keys that were seen once, each at a place that others overwrite: most contents are unique. */
const seen = new Uint32Array(2 ** 16);

/**
 * Keeps bytes, which may be reused after this. Contents that are equal but for the resource's `name`, or its
 * host, such as the clusters of many Groups, are kept once: from the second one on.
 */
export function contentOf(bytes: Uint8Array, name: string): Content {
  if (bytes.length >= longBytesMin) return new Long(ownBytes(bytes));
  const text = latin1(bytes);
  const word = bytes.length < templateBytesMin ? '' : wordOf(name);
  const pieces = word.length < wordMin ? [] : text.split(word);
  const template = pieces.length > 1 ? templateOf(pieces) : undefined;
  return template === undefined ? new Text(text) : new Filled(text.length, template, word);
}

/** As `contentOf`; `placed`: parts of the bytes that are kept already, in order, and are not kept twice. */
export function joinedContent(bytes: Uint8Array, name: string, placed: readonly PlacedContent[]): Content {
  if (placed.length === 0) return contentOf(bytes, name);
  const parts: Content[] = [];
  let from = 0;
  const putUpTo = (end: number) => {
    if (end > from) parts.push(betweenOf(bytes.subarray(from, end)));
  };
  for (const { at, content } of placed) {
    putUpTo(at);
    parts.push(content);
    from = at + content.length;
  }
  putUpTo(bytes.length);
  return new Joined(bytes.length, parts);
}

/** A few bytes between others, nearly always a tag and a length: the same object for the same ones. */
function betweenOf(bytes: Uint8Array): Content {
  if (bytes.length > headBytesMax) return contentOf(bytes, '');
  const text = latin1(bytes);
  const known = heads.get(text);
  if (known !== undefined) return known;
  const made = new Text(text);
  if (heads.size < headsMax) heads.set(text, made);
  return made;
}

const heads = new Map<string, Content>();
const [headBytesMax, headsMax] = [4, 10_000];

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

/** The longest part of a name that may be a host. */
function wordOf(name: string): string {
  let word = '';
  for (const [found] of name.matchAll(/[A-Za-z0-9.-]+/g)) if (found.length > word.length) word = found;
  return word;
}

function templateOf(pieces: readonly string[]): Template | undefined {
  const key = pieces.join(between);
  const known = templates.get(key)?.deref();
  if (known !== undefined) return sameLengths(known.pieces, pieces) ? known : undefined;
  if (!isSeen(key)) return undefined;
  // Parts of the key, so that the text is kept once.
  let at = 0;
  const parts = pieces.map(({ length }) => {
    const part = key.slice(at, at + length);
    at += length + between.length;
    return part;
  });
  const template = { pieces: parts };
  templates.set(key, new WeakRef(template));
  collected.register(template, key);
  return template;
}

function sameLengths(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every(({ length }, i) => length === b[i]?.length);
}

/** Whether a key was seen before; with others in between it may be forgotten. */
function isSeen(key: string): boolean {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i += 1) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  const place = (hash ^ (hash >>> 16)) & (seen.length - 1);
  if (seen[place] === hash >>> 0) return true;
  seen[place] = hash;
  return false;
}

/** Templates in use, for tests. */
export function templateCount(): number {
  return templates.size;
}
