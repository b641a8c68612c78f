import type { EncodedResource } from '../codec/codec.ts';
import type { Content } from '../codec/content.ts';
import { copyInto, type Slices } from '../slices.ts';
import { putVarint, varintLength } from './varint.ts';

/**
 * A resource's entry in a response: with its Any, on Delta also with its version and its name. It is written
 * for each response and not kept: only the resource's content is.
 */
export class Entry implements Content {
  readonly length: number;
  readonly #resource: EncodedResource;
  readonly #isDelta: boolean;
  readonly #type: Buffer;
  readonly #anyBytes: number;
  readonly #nameBytes: number;
  /** Bytes after the entry's own tag and length. */
  readonly #bodyBytes: number;

  constructor(resource: EncodedResource, isDelta: boolean) {
    const { typeUrl, version, name, content } = resource;
    this.#resource = resource;
    this.#isDelta = isDelta;
    this.#type = typeBytes(typeUrl);
    this.#anyBytes = fieldLength(this.#type.length) + fieldLength(content.length);
    this.#nameBytes = isDelta ? Buffer.byteLength(name) : 0;
    this.#bodyBytes = isDelta
      ? fieldLength(version.length) + fieldLength(this.#anyBytes) + fieldLength(this.#nameBytes)
      : this.#anyBytes;
    this.length = fieldLength(this.#bodyBytes);
  }

  writeTo(target: Buffer, place: number): number {
    const at = this.#writeHead(target, place);
    return this.#writeTail(target, this.#resource.content.writeTo(target, at));
  }

  /** As `writeTo`; a long content is copied piece by piece. */
  *inSlices(target: Buffer, place: number): Slices<number> {
    const { content } = this.#resource;
    if (content.whole === undefined) return this.writeTo(target, place);
    const at = yield* copyInto(target, content.whole, this.#writeHead(target, place));
    return this.#writeTail(target, at);
  }

  #writeHead(target: Buffer, place: number): number {
    const { version, content } = this.#resource;
    let at = putHead(target, place, 2, this.#bodyBytes);
    if (this.#isDelta) {
      // envoy.service.discovery.v3.Resource: version 1, resource 2, name 3.
      at = putHead(target, at, 1, version.length);
      at += target.write(version, at, 'latin1');
      at = putHead(target, at, 2, this.#anyBytes);
    }
    at = putHead(target, at, 1, this.#type.length);
    target.set(this.#type, at);
    return putHead(target, at + this.#type.length, 2, content.length);
  }

  #writeTail(target: Buffer, place: number): number {
    if (!this.#isDelta) return place;
    const at = putHead(target, place, 3, this.#nameBytes);
    return at + target.write(this.#resource.name, at);
  }
}

/** Bytes of a length-delimited field with a number of up to 15. */
function fieldLength(length: number): number {
  return 1 + varintLength(length) + length;
}

function putHead(target: Buffer, place: number, id: number, length: number): number {
  target[place] = (id << 3) | 2;
  return putVarint(target, place + 1, length);
}

const types = new Map<string, Buffer>();

/** A type URL, of which there are few. */
function typeBytes(typeUrl: string): Buffer {
  const known = types.get(typeUrl);
  if (known !== undefined) return known;
  const made = Buffer.from(typeUrl);
  types.set(typeUrl, made);
  return made;
}
