import { MeshError } from '../../base/error.ts';
import type { Content } from '../codec/content.ts';
import { copyInto, type Slices } from '../slices.ts';

/** A part of a message. */
type Part = Uint8Array | Content;

/**
 * A gRPC message with its prefix: a byte for "not compressed", four of length. (gRPC over HTTP/2,
 * "Length-Prefixed-Message".)
 */
export type Frame = Buffer;

const headBytes = 5;
// Of fewer bytes a message is put together at once.
const slicedBytesMin = 2 ** 20;
const frames = new WeakMap<Buffer, Frame>();

/** The frame of a message, built once for all its receivers. The message must not be changed afterwards. */
export function frameOf(message: Buffer): Frame {
  const known = frames.get(message);
  if (known !== undefined) return known;
  const frame = framed([message]);
  frames.set(message, frame);
  return frame;
}

/** A message joined from parts within its frame, so that it is copied once. */
export function messageOf(parts: readonly Part[]): Buffer {
  const frame = framed(parts);
  const message = frame.subarray(headBytes);
  frames.set(message, frame);
  return message;
}

/** As `messageOf`. */
export function* messageInSlices(parts: readonly Part[]): Slices<Buffer> {
  const length = lengthOf(parts);
  if (length < slicedBytesMin) return messageOf(parts);
  const frame = Buffer.allocUnsafeSlow(headBytes + length);
  frame[0] = 0;
  frame.writeUInt32BE(length, 1);
  let [at, since] = [headBytes, 0];
  for (const part of parts) {
    if (part instanceof Uint8Array) at = yield* copyInto(frame, part, at);
    else if (part.inSlices === undefined) at = part.writeTo(frame, at);
    else at = yield* part.inSlices(frame, at);
    since += part.length;
    if (since < slicedBytesMin) continue;
    since = 0;
    yield;
  }
  const message = frame.subarray(headBytes);
  frames.set(message, frame);
  return message;
}

function framed(parts: readonly Part[]): Frame {
  const length = lengthOf(parts);
  const frame = Buffer.allocUnsafe(headBytes + length);
  frame[0] = 0;
  frame.writeUInt32BE(length, 1);
  let at = headBytes;
  for (const part of parts)
    if (part instanceof Uint8Array) {
      frame.set(part, at);
      at += part.length;
    } else at = part.writeTo(frame, at);
  return frame;
}

/** Total length of parts. */
function lengthOf(parts: readonly Part[]): number {
  let length = 0;
  for (const part of parts) length += part.length;
  return length;
}

/** Consumer of a frame reader. */
interface FrameTaker {
  /** Limit on the next message, in bytes. */
  bytesMax(isCompressed: boolean): number;
  /** Called before each message of so many bytes: whether it may be taken now. If not, call `goOn` later. */
  mayTake(bytes: number, isCompressed: boolean): boolean;
  /** Takes each message; the view is valid until this returns. */
  take(message: Buffer, isCompressed: boolean): void;
  /** Bytes of a partly received message. */
  waiting(bytes: number): void;
}

// Pieces of an unfinished message kept separately. A long message comes in pieces of 16 KiB, and is joined
// once.
const piecesMax = 64;
const pieceBytesMin = 4 * 1024;
// A message of megabytes is put together as its pieces come: a copy of all of it at once would hold others
// up. Room for it is made once so large a part has come, and for what may come behind it in one piece.
const gatheredPart = 1 / 16;
const behindBytes = 64 * 1024;
const nothing = Buffer.alloc(0);

/** Splits the bytes of a stream into messages. */
export class FrameReader {
  readonly #taker: FrameTaker;
  // The beginning of an incomplete frame, and the length needed to go on.
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #wantedBytes = 0;
  // Where they are put together, all of them: `keptBytes` of it are there.
  #gathered: Buffer | undefined;

  constructor(taker: FrameTaker) {
    this.#taker = taker;
  }

  /**
   * Takes input. Throws MeshError at a message longer than `bytesMax`, or an invalid frame; the reader must
   * not be used after that.
   */
  read(chunk: Buffer): void {
    this.#cut(chunk);
    this.#taker.waiting(this.#keptBytes);
  }

  /** Whether a message has begun, and not ended. */
  isWithin(): boolean {
    return this.#keptBytes > 0;
  }

  /** Continues after `mayTake` refused. Throws as `read`. */
  goOn(): void {
    this.read(nothing);
  }

  #cut(chunk: Buffer): void {
    const bytes = this.#joined(chunk);
    if (bytes === undefined) return;
    let at = 0;
    while (bytes.length - at >= headBytes) {
      const length = bytes.readUInt32BE(at + 1);
      this.#check(bytes[at], length);
      const end = at + headBytes + length;
      if (end > bytes.length) {
        this.#keep(restOf(chunk, bytes, at), end - at);
        return;
      }
      if (!this.#taker.mayTake(length, bytes[at] === 1)) {
        // A copy: the scratch buffer is reused by other streams before this one goes on.
        const rest = bytes.subarray(at);
        this.#keep(rest.buffer === scratch.buffer ? Buffer.from(rest) : rest, 0);
        return;
      }
      this.#taker.take(bytes.subarray(at + headBytes, end), bytes[at] === 1);
      at = end;
    }
    if (at < bytes.length) this.#keep(restOf(chunk, bytes, at), headBytes);
  }

  #check(flag: number | undefined, length: number): void {
    if (flag !== 0 && flag !== 1)
      throw new MeshError('invalid', `a gRPC frame begins with ${flag}: must be 0 or 1`);
    const isCompressed = flag === 1;
    const most = this.#taker.bytesMax(isCompressed);
    if (length > most)
      throw new MeshError(
        'exhausted',
        `a request has ${length} bytes${isCompressed ? ', compressed' : ''}: at most ${most} are read`,
      );
  }

  #keep(bytes: Buffer, wantedBytes: number): void {
    this.#kept = [bytes];
    this.#keptBytes = bytes.length;
    this.#wantedBytes = wantedBytes;
  }

  /** What was kept joined with the chunk; undefined if that is not enough to go on. */
  #joined(chunk: Buffer): Buffer | undefined {
    if (this.#keptBytes === 0) return chunk;
    this.#add(chunk);
    if (this.#keptBytes < this.#wantedBytes) {
      if (this.#gathered === undefined) this.#compact();
      return undefined;
    }
    const bytes = this.#gathered?.subarray(0, this.#keptBytes) ?? joinedForNow(this.#kept, this.#keptBytes);
    this.#kept = [];
    this.#keptBytes = 0;
    this.#gathered = undefined;
    return bytes;
  }

  #add(chunk: Buffer): void {
    const length = this.#keptBytes + chunk.length;
    if (this.#gathered !== undefined && length <= this.#gathered.length)
      chunk.copy(this.#gathered, this.#keptBytes);
    else {
      this.#scatter();
      // Copied: a view of a few bytes would keep the whole read buffer.
      if (chunk.length > 0) this.#kept.push(chunk.length < pieceBytesMin ? Buffer.from(chunk) : chunk);
    }
    this.#keptBytes = length;
    const isLong = this.#wantedBytes > scratchBytesMax && length < this.#wantedBytes;
    if (this.#gathered !== undefined || !isLong || length < gatheredPart * this.#wantedBytes) return;
    this.#gathered = Buffer.allocUnsafeSlow(this.#wantedBytes + behindBytes);
    let at = 0;
    for (const piece of this.#kept) at += piece.copy(this.#gathered, at);
    this.#kept = [];
  }

  /** What was put together is one piece among others: more came than there is room for. */
  #scatter(): void {
    if (this.#gathered === undefined) return;
    this.#kept = [this.#gathered.subarray(0, this.#keptBytes)];
    this.#gathered = undefined;
  }

  /**
   * Joins small pieces when there are many, as a client may send a message byte by byte. Pieces are joined
   * only with others of about their length, so that each byte is copied at most a logarithmic number of
   * times.
   */
  #compact(): void {
    if (this.#kept.length < piecesMax) return;
    let from = this.#kept.length;
    let bytes = 0;
    while (from > 0 && bytes + pieceBytesMin >= (this.#kept[from - 1]?.length ?? 0)) {
      from -= 1;
      bytes += this.#kept[from]?.length ?? 0;
    }
    if (this.#kept.length - from < piecesMax / 2) return;
    this.#kept.push(Buffer.concat(this.#kept.splice(from), bytes));
  }
}

// A State of the World ACK repeats all names, tens of KiB that are dropped at once: allocating for each would
// be most of the collector's work. One buffer serves all streams, since a message is processed before the
// next is read.
let scratch = Buffer.allocUnsafeSlow(64 * 1024);
const scratchBytesMax = 2 ** 20;

/** Keeps the last message that a reader gave valid beyond the next one. */
export function keepMessage(message: Buffer): void {
  if (message.buffer === scratch.buffer) scratch = Buffer.allocUnsafeSlow(64 * 1024);
}

/** The rest of `bytes`, a copy unless they are the chunk itself: the scratch buffer is reused. */
function restOf(chunk: Buffer, bytes: Buffer, at: number): Buffer {
  const rest = bytes.subarray(at);
  return bytes === chunk ? rest : Buffer.from(rest);
}

/** The parts in one buffer, valid until the next call. */
function joinedForNow(parts: readonly Buffer[], length: number): Buffer {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  if (length > scratchBytesMax) return Buffer.concat(parts, length);
  if (length > scratch.length) scratch = Buffer.allocUnsafeSlow(scratchBytesMax);
  let at = 0;
  for (const part of parts) at += part.copy(scratch, at);
  return scratch.subarray(0, length);
}
