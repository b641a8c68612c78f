/** The few parts of protobuf's wire format that requests and responses need, on plain Buffers. */

/** A cursor over a message. Reading past the end throws RangeError. */
export interface Cursor {
  readonly bytes: Buffer;
  at: number;
}

/** Reads a varint of at most 32 bits' worth; longer ones (64-bit fields) are read and truncated. */
export function readVarint(cursor: Cursor): number {
  let value = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = cursor.bytes[cursor.at];
    if (byte === undefined) throw new RangeError('message is cut short');
    cursor.at += 1;
    if (shift < 32) value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value >>> 0;
  }
  throw new RangeError('varint is too long');
}

/** Reads a length-delimited field's content, as a view. */
export function readChunk(cursor: Cursor): Buffer {
  const length = readVarint(cursor);
  const end = cursor.at + length;
  if (end > cursor.bytes.length) throw new RangeError('message is cut short');
  const chunk = cursor.bytes.subarray(cursor.at, end);
  cursor.at = end;
  return chunk;
}

/** Reads a string field. */
export function readText(cursor: Cursor): string {
  return readChunk(cursor).toString('utf8');
}

/** Skips the content of a field of this wire type. */
export function skip(cursor: Cursor, wire: number): void {
  if (wire === 0) readVarint(cursor);
  else if (wire === 1) cursor.at += 8;
  else if (wire === 2) readChunk(cursor);
  else if (wire === 5) cursor.at += 4;
  else throw new RangeError(`wire type ${wire} is not known`);
  if (cursor.at > cursor.bytes.length) throw new RangeError('message is cut short');
}

function varint(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) out.push((rest & 0x7f) | 0x80);
  out.push(rest);
  return out;
}

/** A length-delimited field: its tag, its length and its content. */
export function field(id: number, content: Uint8Array | string): Buffer {
  const body = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
  return Buffer.concat([fieldHead(id, body.length), body]);
}

/** What stands before the content of a length-delimited field. */
export function fieldHead(id: number, length: number): Buffer {
  return Buffer.from([...varint((id << 3) | 2), ...varint(length)]);
}
