import { MeshError } from '../../base/error.ts';
import { copyInto, type Slices } from '../slices.ts';

/**
 * A gRPC message as it stands on the wire: one byte that says "not compressed", four of length, the message.
 * (gRPC over HTTP/2, "Length-Prefixed-Message".)
 */
export type Frame = Buffer;

const headBytes = 5;
// Of fewer bytes a message is put together at once.
const slicedBytesMin = 2 ** 20;
const frames = new WeakMap<Buffer, Frame>();

/** The frame of a message, made once, whoever is sent it. The message must not be changed afterwards. */
export function frameOf(message: Buffer): Frame {
  const known = frames.get(message);
  if (known !== undefined) return known;
  const frame = framed([message]);
  frames.set(message, frame);
  return frame;
}

/** A message put together from its parts, within its frame: what is as long as a snapshot is copied once. */
export function messageOf(parts: readonly Uint8Array[]): Buffer {
  const frame = framed(parts);
  const message = frame.subarray(headBytes);
  frames.set(message, frame);
  return message;
}

/** As `messageOf`. */
export function* messageInSlices(parts: readonly Uint8Array[]): Slices<Buffer> {
  const length = lengthOf(parts);
  if (length < slicedBytesMin) return messageOf(parts);
  const frame = Buffer.allocUnsafeSlow(headBytes + length);
  frame[0] = 0;
  frame.writeUInt32BE(length, 1);
  let [at, since] = [headBytes, 0];
  for (const part of parts) {
    at = yield* copyInto(frame, part, at);
    since += part.length;
    if (since < slicedBytesMin) continue;
    since = 0;
    yield;
  }
  const message = frame.subarray(headBytes);
  frames.set(message, frame);
  return message;
}

function framed(parts: readonly Uint8Array[]): Frame {
  const length = lengthOf(parts);
  const head = Buffer.alloc(headBytes);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, ...parts], headBytes + length);
}

/** How many bytes parts have together. */
export function lengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

/** What a reader does with what it reads. */
interface FrameTaker {
  /** Most bytes that the next message may have. */
  bytesMax(): number;
  /**
   * Asked before each message of so many bytes: whether it may be taken now. Else `goOn` is to be called
   * later.
   */
  mayTake(bytes: number, isCompressed: boolean): boolean;
  /** Is given each message, a view that is good until it returns. */
  take(message: Buffer, isCompressed: boolean): void;
  /** So many bytes of a message wait for the rest of it. */
  waiting(bytes: number): void;
}

// Pieces of an unfinished message that are kept as they came. A long message comes in pieces of 16 KiB, and
// is joined once.
const piecesMax = 64;
const pieceBytesMin = 4 * 1024;
// A message of megabytes is put together as its pieces come: a copy of all of it at once would hold others
// up. Room for it is made once so large a part has come, and for what may come behind it in one piece.
const gatheredPart = 1 / 16;
const behindBytes = 64 * 1024;
const nothing = Buffer.alloc(0);

/** Cuts the bytes of a stream, as they come in, into messages. */
export class FrameReader {
  readonly #taker: FrameTaker;
  // The beginning of a frame that has not come whole, and how long it must be to go on.
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #wantedBytes = 0;
  // Where they are put together, all of them: `keptBytes` of it are there.
  #gathered: Buffer | undefined;

  constructor(taker: FrameTaker) {
    this.#taker = taker;
  }

  /**
   * Takes what came. Throws MeshError at a message that has more than `bytesMax`, or no frame; it must be
   * given no more then.
   */
  read(chunk: Buffer): void {
    this.#cut(chunk);
    this.#taker.waiting(this.#keptBytes);
  }

  /** Whether a message has begun, and not ended. */
  isWithin(): boolean {
    return this.#keptBytes > 0;
  }

  /** Takes on what was left when no more might be taken. As `read`. */
  goOn(): void {
    this.read(nothing);
  }

  #cut(chunk: Buffer): void {
    const bytes = this.#joined(chunk);
    if (bytes === undefined) return;
    const own = (part: Buffer) => (bytes === chunk ? part : Buffer.from(part));
    let at = 0;
    while (bytes.length - at >= headBytes) {
      const length = bytes.readUInt32BE(at + 1);
      this.#check(bytes[at], length);
      const end = at + headBytes + length;
      if (end > bytes.length) {
        this.#keep(own(bytes.subarray(at)), end - at);
        return;
      }
      if (!this.#taker.mayTake(length, bytes[at] === 1)) {
        // Bytes of the scratch buffer are another stream's before this one goes on.
        const rest = bytes.subarray(at);
        this.#keep(rest.buffer === scratch.buffer ? Buffer.from(rest) : rest, 0);
        return;
      }
      this.#taker.take(bytes.subarray(at + headBytes, end), bytes[at] === 1);
      at = end;
    }
    if (at < bytes.length) this.#keep(own(bytes.subarray(at)), headBytes);
  }

  #check(flag: number | undefined, length: number): void {
    if (flag !== 0 && flag !== 1)
      throw new MeshError('invalid', `a gRPC frame begins with ${flag}: 0 or 1 is meant`);
    const most = this.#taker.bytesMax();
    if (length > most)
      throw new MeshError('exhausted', `a request has ${length} bytes: at most ${most} are read`);
  }

  #keep(bytes: Buffer, wantedBytes: number): void {
    this.#kept = [bytes];
    this.#keptBytes = bytes.length;
    this.#wantedBytes = wantedBytes;
  }

  /** What was kept with the chunk after it; undefined while that is not enough to go on. */
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
      // A view of a few bytes would keep all that was read with them.
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
   * Joins small pieces when they are many: a client may send a message byte by byte. They are joined only
   * with what is not much longer than they are, so that the number of copies of a byte grows with the
   * logarithm of the message.
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

// An ACK of State of the World repeats all names, tens of KiB that go at once: new memory for each would be
// most of the collector's work. One buffer serves all streams, since a message is read before the next one
// comes.
let scratch = Buffer.allocUnsafeSlow(64 * 1024);
const scratchBytesMax = 2 ** 20;

/** Lets a message that a reader gave stay as it is when the next one is read. */
export function keepMessage(message: Buffer): void {
  if (message.buffer === scratch.buffer) scratch = Buffer.allocUnsafeSlow(64 * 1024);
}

/** The parts in one buffer, which is good until the next call. */
function joinedForNow(parts: readonly Buffer[], length: number): Buffer {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  if (length > scratchBytesMax) return Buffer.concat(parts, length);
  if (length > scratch.length) scratch = Buffer.allocUnsafeSlow(scratchBytesMax);
  let at = 0;
  for (const part of parts) at += part.copy(scratch, at);
  return scratch.subarray(0, length);
}
