import { MeshError } from '../../base/error.ts';
import { each, type Slices } from '../slices.ts';

/** The parts of protobuf's wire format that requests and responses need, on plain Buffers. */

/** A cursor over a message. Reading past the end throws RangeError. */
export interface Cursor {
  readonly bytes: Buffer;
  at: number;
}

/** Reads a varint, truncated to 32 bits. */
export function readVarint(cursor: Cursor): number {
  let value = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = cursor.bytes[cursor.at];
    if (byte === undefined) throw new RangeError('message is truncated');
    cursor.at += 1;
    if (shift < 32) value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value >>> 0;
  }
  throw new RangeError('varint is too long');
}

/** Reads a length-delimited field, as a view. */
export function readChunk(cursor: Cursor): Buffer {
  const end = endOfChunk(cursor);
  const chunk = cursor.bytes.subarray(cursor.at, end);
  cursor.at = end;
  return chunk;
}

function endOfChunk(cursor: Cursor): number {
  const length = readVarint(cursor);
  if (cursor.at + length > cursor.bytes.length) throw new RangeError('message is truncated');
  return cursor.at + length;
}

/** Skips a length-delimited field; returns its length. */
export function skipChunk(cursor: Cursor): number {
  const end = endOfChunk(cursor);
  const length = end - cursor.at;
  cursor.at = end;
  return length;
}

/** Reads a string field. */
export function readText(cursor: Cursor): string {
  const end = endOfChunk(cursor);
  // A view for each would cost more than decoding.
  const text = cursor.bytes.toString('utf8', cursor.at, end);
  cursor.at = end;
  return text;
}

/** Skips the content of a field of this wire type. */
export function skip(cursor: Cursor, wire: number): void {
  if (wire === 0) readVarint(cursor);
  else if (wire === 1) cursor.at += 8;
  else if (wire === 2) cursor.at = endOfChunk(cursor);
  else if (wire === 5) cursor.at += 4;
  else throw new RangeError(`unknown wire type ${wire}`);
  if (cursor.at > cursor.bytes.length) throw new RangeError('message is truncated');
}

// A newer client sends a few unknown fields. Each takes time, and 32 MiB can hold 16 million.
const skippedMax = 1_000;

/** A resumable walk through the length-delimited fields of a message. */
export abstract class ChunkWalk {
  readonly #cursor: Cursor;
  readonly #what: string;
  #skipped = 0;

  constructor(bytes: Buffer, what: string) {
    this.#cursor = { bytes, at: 0 };
    this.#what = what;
  }

  /** Reads a field's content; false leaves it to be skipped, as unknown fields and other wire types are. */
  protected abstract take(id: number, cursor: Cursor, start: number): boolean;

  /**
   * Walks about so many bytes; returns whether it is at the end. Throws MeshError 'invalid' if the bytes are
   * not `what`.
   */
  step(bytesMax = Number.POSITIVE_INFINITY): boolean {
    const cursor = this.#cursor;
    const { length } = cursor.bytes;
    const end = Math.min(length, cursor.at + bytesMax);
    try {
      while (cursor.at < end) {
        const start = cursor.at;
        const tag = readVarint(cursor);
        if (tag >>> 3 === 0) throw new RangeError('field number 0 is not valid');
        if ((tag & 7) === 2 && this.take(tag >>> 3, cursor, start)) continue;
        skip(cursor, tag & 7);
        this.#skipped += 1;
        if (this.#skipped > skippedMax) throw new RangeError(`it has more than ${skippedMax} unknown fields`);
      }
    } catch (cause) {
      if (cause instanceof MeshError) throw cause;
      throw new MeshError('invalid', `not ${this.#what}: ${MeshError.from(cause).message}`, { cause });
    }
    return cursor.at >= length;
  }
}

// A status has a few details, a map's entry two fields. 32 MiB can hold 16 million, read in one piece.
const shortFieldsMax = 1_000;

/**
 * Calls `take` with the tag of each field of a message of few fields; those that it does not take are
 * skipped. Throws RangeError.
 */
export function eachShortField(bytes: Buffer, take: (tag: number, cursor: Cursor) => boolean): void {
  let fields = 0;
  for (const cursor: Cursor = { bytes, at: 0 }; cursor.at < bytes.length; fields += 1) {
    if (fields >= shortFieldsMax)
      throw new RangeError(`a nested message has more than ${shortFieldsMax} fields`);
    const tag = readVarint(cursor);
    if (!take(tag, cursor)) skip(cursor, tag & 7);
  }
}

type Take = (id: number, cursor: Cursor, start: number) => boolean;

class Walk extends ChunkWalk {
  protected override readonly take: Take;

  constructor(bytes: Buffer, what: string, take: Take) {
    super(bytes, what);
    this.take = take;
  }
}

/**
 * Walks through a whole message; `take` as in `ChunkWalk`. Throws MeshError 'invalid' if the bytes are not
 * `what`.
 */
export function eachChunk(bytes: Buffer, what: string, take: Take): void {
  new Walk(bytes, what, take).step();
}

function varint(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) out.push((rest & 0x7f) | 0x80);
  out.push(rest);
  return out;
}

/** Bytes of a varint of at most 32 bits. */
export function varintLength(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value < 0x10000000 ? 4 : 5;
}

/** Writes a varint of at most 32 bits; returns the place after it. */
export function putVarint(target: Buffer, place: number, value: number): number {
  let at = place;
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) {
    target[at] = (rest & 0x7f) | 0x80;
    at += 1;
  }
  target[at] = rest;
  return at + 1;
}

/** A length-delimited field: tag, length and content. */
export function field(id: number, content: Uint8Array | string): Buffer {
  const body = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
  return Buffer.concat([fieldHead(id, body.length), body]);
}

/** Tag and length of a length-delimited field. */
export function fieldHead(id: number, length: number): Buffer {
  return Buffer.from([...varint((id << 3) | 2), ...varint(length)]);
}

/** A varint field: a number of at most 32 bits, or an enum. */
export function numberField(id: number, value: number): Buffer {
  return Buffer.from([...varint(id << 3), ...varint(value)]);
}

/**
 * A repeated string field. In one piece: a buffer for each of 100,000 names would cost more than they do. The
 * memory that it is a part of is larger.
 */
export function* fieldsInSlices(id: number, texts: readonly string[]): Slices<Buffer> {
  const heads = 10;
  const out = Buffer.allocUnsafe(texts.reduce((sum, text) => sum + heads + 3 * text.length, 0));
  let at = 0;
  yield* each(texts, (text) => {
    at = putVarint(out, at, (id << 3) | 2);
    at = putVarint(out, at, Buffer.byteLength(text));
    at += out.write(text, at);
  });
  return out.subarray(0, at);
}
