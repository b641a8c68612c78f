import { MeshError } from '../../base/error.ts';
import { safeExcerpt } from '../../base/text/safe-excerpt.ts';
import type { EncodedResource } from '../codec/codec.ts';
import type { Slices } from '../slices.ts';
import { Entry } from './entry.ts';
import { messageInSlices, messageOf } from './frame.ts';
import {
  ChunkWalk,
  type Cursor,
  eachShortField,
  field,
  fieldsInSlices,
  readChunk,
  readText,
  readVarint,
  skip,
  skipChunk,
} from './varint.ts';

/** The fields of a DiscoveryRequest that the server reads. `names`: bytes of the resource_names fields. */
export interface SotwRequest {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly node: Buffer | undefined;
  readonly error: string | undefined;
  readonly names: Buffer;
  /** Whether the client has accepted any version of the type. */
  readonly hasVersion: boolean;
}

/** The fields of a DeltaDiscoveryRequest that the server reads. */
export interface DeltaRequest {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly node: Buffer | undefined;
  readonly error: string | undefined;
  /** Bytes of the resource_names_subscribe fields, for `parseNames`. */
  readonly names: Buffer;
  readonly unsubscribe: readonly string[];
  readonly initialVersions: ReadonlyMap<string, string>;
}

const none: Buffer = Buffer.alloc(0);
const nameTag = (3 << 3) | 2;
// Envoy's longest type URL has 130 bytes; a nonce is a number of this server.
const typeUrlBytesMax = 512;
const nonceBytesMax = 128;
// A NACK's message: Envoy names a field and quotes a value.
const errorBytesMax = 4_096;

/** A request being read piece by piece. */
export interface Reading<R> {
  /** Reads about so many bytes; returns whether that was all. Throws MeshError 'invalid'. */
  step(bytesMax?: number): boolean;
  /** The request, once all is read. */
  request(): R;
}

/**
 * Reads a DiscoveryRequest. An ACK repeats all subscribed names: if they equal one of `lastNames` byte for
 * byte (one for each type, as the type comes after the names), that same Buffer is returned and no name is
 * parsed.
 */
export function readSotwRequest(bytes: Buffer, lastNames: readonly Buffer[] = []): Reading<SotwRequest> {
  return new SotwReading(bytes, lastNames);
}

const whatIsRead = 'a discovery request';

class SotwReading extends ChunkWalk implements Reading<SotwRequest> {
  readonly #bytes: Buffer;
  readonly #names: NameRuns;
  readonly #typeUrl = new ShortText('type_url', typeUrlBytesMax);
  readonly #nonce = noncePlace();
  #hasVersion = false;
  #node: Buffer | undefined = undefined;
  #error: string | undefined = undefined;

  constructor(bytes: Buffer, lastNames: readonly Buffer[]) {
    super(bytes, whatIsRead);
    this.#bytes = bytes;
    this.#names = new NameRuns(bytes, lastNames);
  }

  protected override take(id: number, cursor: Cursor, start: number): boolean {
    if (id === 3) this.#names.read(cursor, start);
    else if (id === 1) this.#hasVersion = skipChunk(cursor) > 0;
    else if (id === 2) this.#node = readChunk(cursor);
    else if (id === 4) this.#typeUrl.read(cursor);
    else if (id === 5) this.#nonce.read(cursor);
    else if (id === 6) this.#error = statusMessage(readChunk(cursor));
    return id <= 6;
  }

  request(): SotwRequest {
    return {
      typeUrl: this.#typeUrl.of(this.#bytes),
      nonce: this.#nonce.of(this.#bytes),
      node: this.#node,
      error: this.#error,
      hasVersion: this.#hasVersion,
      names: this.#names.joined(),
    };
  }
}

/** `readSotwRequest` in one step. */
export function parseSotwRequest(bytes: Buffer, lastNames: readonly Buffer[] = []): SotwRequest {
  return whole(readSotwRequest(bytes, lastNames));
}

function whole<R>(reading: Reading<R>): R {
  reading.step();
  return reading.request();
}

const noncePlace = () => new ShortText('response_nonce', nonceBytesMax);

/** A string field with a length limit. Decoded once, however often the field occurs: the last one counts. */
class ShortText {
  readonly #field: string;
  readonly #bytesMax: number;
  #start = 0;
  #end = 0;

  constructor(field: string, bytesMax: number) {
    this.#field = field;
    this.#bytesMax = bytesMax;
  }

  /** Throws MeshError 'invalid' if it is too long. */
  read(cursor: Cursor): void {
    const length = skipChunk(cursor);
    if (length > this.#bytesMax)
      throw new MeshError(
        'invalid',
        `${this.#field} has ${length} bytes: at most ${this.#bytesMax} are read`,
      );
    this.#end = cursor.at;
    this.#start = this.#end - length;
  }

  of(bytes: Buffer): string {
    return bytes.toString('utf8', this.#start, this.#end);
  }
}

// Below this length a copy byte by byte is faster.
const copiedBytesMin = 32;

/**
 * The resource name fields of a request. Other fields may come between them: the positions of each run are
 * noted, and copied once.
 */
class NameRuns {
  readonly #bytes: Buffer;
  readonly #lastNames: readonly Buffer[];
  /** Start and end of each run. */
  readonly #places: number[] = [];
  #total = 0;
  /** The element of `lastNames` that the only run equals. */
  #known: Buffer | undefined;

  constructor(bytes: Buffer, lastNames: readonly Buffer[]) {
    this.#bytes = bytes;
    this.#lastNames = lastNames;
  }

  /** Reads the run that begins with the field at `start`, or a first part of it. */
  read(cursor: Cursor, start: number): void {
    const places = this.#places;
    const goesOn = places.at(-1) === start;
    const known = namesRun(this.#bytes, start, cursor, goesOn ? [] : this.#lastNames);
    this.#known = goesOn ? undefined : known;
    if (goesOn) places[places.length - 1] = cursor.at;
    else places.push(start, cursor.at);
    this.#total += cursor.at - start;
  }

  /** All runs joined. */
  joined(): Buffer {
    const [bytes, places] = [this.#bytes, this.#places];
    const [first = 0, last = 0] = places;
    if (places.length === 0) return none;
    if (places.length === 2) return this.#known ?? bytes.subarray(first, last);
    const out = Buffer.allocUnsafe(this.#total);
    let at = 0;
    for (let i = 0; i < places.length; i += 2) {
      const [from, to] = [places[i] ?? 0, places[i + 1] ?? 0];
      if (to - from >= copiedBytesMin) at += bytes.copy(out, at, from, to);
      else for (let byte = from; byte < to; byte += 1, at += 1) out[at] = bytes[byte] ?? 0;
    }
    return out;
  }
}

// Bytes of a run read before other streams have their turn.
const runBytesMax = 16 * 1024;

/**
 * Reads consecutive resource_names fields from `start`. Returns the element of `lastNames` that they equal,
 * if any.
 */
function namesRun(
  bytes: Buffer,
  start: number,
  cursor: Cursor,
  lastNames: readonly Buffer[],
): Buffer | undefined {
  for (const last of lastNames) {
    const end = start + last.length;
    const fits = last.length > 0 && end <= bytes.length && bytes[end] !== nameTag;
    if (!fits || bytes.compare(last, 0, last.length, start, end) !== 0) continue;
    cursor.at = end;
    return last;
  }
  skip(cursor, 2);
  const enough = start + runBytesMax;
  while (bytes[cursor.at] === nameTag && cursor.at < enough) {
    cursor.at += 1;
    skip(cursor, 2);
  }
  return undefined;
}

/** Yields each name in the bytes of `SotwRequest.names` or `DeltaRequest.names`. */
export function* eachName(names: Buffer): Iterable<string> {
  for (const cursor: Cursor = { bytes: names, at: 0 }; cursor.at < names.length; ) {
    readVarint(cursor);
    yield readText(cursor);
  }
}

/** Reads a DeltaDiscoveryRequest. */
export function readDeltaRequest(bytes: Buffer): Reading<DeltaRequest> {
  return new DeltaReading(bytes);
}

class DeltaReading extends ChunkWalk implements Reading<DeltaRequest> {
  readonly #bytes: Buffer;
  readonly #names: NameRuns;
  readonly #typeUrl = new ShortText('type_url', typeUrlBytesMax);
  readonly #nonce = noncePlace();
  readonly #unsubscribe: string[] = [];
  readonly #initialVersions = new Map<string, string>();
  #node: Buffer | undefined = undefined;
  #error: string | undefined = undefined;

  constructor(bytes: Buffer) {
    super(bytes, whatIsRead);
    this.#bytes = bytes;
    this.#names = new NameRuns(bytes, noNames);
  }

  protected override take(id: number, cursor: Cursor, start: number): boolean {
    if (id === 3) this.#names.read(cursor, start);
    else if (id === 1) this.#node = readChunk(cursor);
    else if (id === 2) this.#typeUrl.read(cursor);
    else if (id === 4) this.#unsubscribe.push(readText(cursor));
    else if (id === 5) this.#initialVersions.set(...mapEntry(readChunk(cursor)));
    else if (id === 6) this.#nonce.read(cursor);
    else if (id === 7) this.#error = statusMessage(readChunk(cursor));
    return id >= 1 && id <= 7;
  }

  request(): DeltaRequest {
    return {
      typeUrl: this.#typeUrl.of(this.#bytes),
      nonce: this.#nonce.of(this.#bytes),
      node: this.#node,
      error: this.#error,
      unsubscribe: this.#unsubscribe,
      initialVersions: this.#initialVersions,
      names: this.#names.joined(),
    };
  }
}

const noNames: readonly Buffer[] = [];

/** `readDeltaRequest` in one step. */
export function parseDeltaRequest(bytes: Buffer): DeltaRequest {
  return whole(readDeltaRequest(bytes));
}

/** A `google.rpc.Status` as one line: its message, cut, or its code if it has none. */
function statusMessage(bytes: Buffer): string {
  let message: Buffer = none;
  let code = 0;
  eachShortField(bytes, (tag, cursor) => {
    if (tag === 8) code = readVarint(cursor);
    else if (tag === 18) message = readChunk(cursor);
    return tag === 8 || tag === 18;
  });
  const text = safeExcerpt(message, errorBytesMax);
  return text === '' ? `status ${code}` : text;
}

function mapEntry(bytes: Buffer): [key: string, value: string] {
  let key = '';
  let value = '';
  eachShortField(bytes, (tag, cursor) => {
    if (tag === 10) key = readText(cursor);
    else if (tag === 18) value = readText(cursor);
    return tag === 10 || tag === 18;
  });
  return [key, value];
}

/** The fields of a response besides its resources. */
interface ResponseHead {
  readonly typeUrl: string;
  readonly version: string;
  readonly nonce: string;
}

/** Builds a DiscoveryResponse of encoded resources. */
export function buildSotwResponse(head: ResponseHead, resources: readonly EncodedResource[]): Buffer {
  return messageOf([
    field(1, head.version),
    ...resources.map((resource) => new Entry(resource, false)),
    field(4, head.typeUrl),
    field(5, head.nonce),
  ]);
}

/** Builds a DeltaDiscoveryResponse of encoded resources. */
export function* buildDeltaResponse(
  head: ResponseHead,
  resources: readonly EncodedResource[],
  removed: readonly string[],
): Slices<Buffer> {
  const gone = yield* fieldsInSlices(6, removed);
  return yield* messageInSlices([
    field(1, head.version),
    ...resources.map((resource) => new Entry(resource, true)),
    field(4, head.typeUrl),
    field(5, head.nonce),
    gone,
  ]);
}
