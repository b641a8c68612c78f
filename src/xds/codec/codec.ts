import protobuf, { type Writer } from 'protobufjs/minimal.js';
import type { Any } from '../../../protos/gen/envoy.d.ts';
import { MeshError } from '../../base/error.ts';
import { isResourceType, nameFieldOf, referencesOf, ruleOf } from '../resource-types.ts';
import { bytesOf, type Content, joinedContent } from './content.ts';
import { decodeMessage } from './decode.ts';
import { encodeMessage, encodeResourceBody, typePrefix, withPath } from './encode.ts';
import { invalid } from './invalid.ts';
import { type VersionSum, versionOfBytes, versionText } from './version-sum.ts';
import type { BoundedReader } from './wellknown.ts';

/**
 * A resource in proto3 JSON with '@type', in the form of Envoy's documentation. Literals are type-checked
 * against `protos/gen/envoy.d.ts`; any other object needs only '@type', and is checked when encoded.
 */
export type ResourceJson = Any | { readonly '@type': string };

/** What an encoded resource is made of. */
export type EncodedParts = Pick<EncodedResource, 'typeUrl' | 'name' | 'sum' | 'refs' | 'content'>;

const noRefs: readonly string[] = [];

/** A resource as it goes to any number of streams: encoded once, never changed. */
export class EncodedResource {
  /** `type.googleapis.com/` and the full name. */
  readonly typeUrl: string;
  readonly name: string;
  /** The message itself, without its Any. */
  readonly content: Content;
  // In fields of their own, not in an array: there are hundreds of thousands.
  readonly #high: number;
  readonly #low: number;
  /** Undefined: the resource's own name, as of nearly every cluster and scope. */
  readonly #refs: readonly string[] | undefined;

  constructor(of: EncodedParts) {
    this.typeUrl = of.typeUrl;
    this.name = of.name;
    this.content = of.content;
    [this.#high, this.#low] = of.sum;
    const [first] = of.refs;
    this.#refs =
      first === undefined ? noRefs : of.refs.length === 1 && first === of.name ? undefined : of.refs;
  }

  /** Hash of the bytes: equal content, equal version. */
  get version(): string {
    return versionText(this.sum);
  }

  /** The version as numbers. */
  get sum(): VersionSum {
    return [this.#high, this.#low];
  }

  /** Whether another resource has the same version, and so the same content. */
  hasVersionOf(other: EncodedResource): boolean {
    return this.#high === other.#high && this.#low === other.#low;
  }

  /** Whether another resource is the same in all: type, name and content. */
  equals(other: EncodedResource): boolean {
    return this.typeUrl === other.typeUrl && this.name === other.name && this.hasVersionOf(other);
  }

  /**
   * Names of the resources that a client requests because of this one: the endpoints of an EDS cluster, the
   * route configurations of a listener or a scope.
   */
  get refs(): readonly string[] {
    return this.#refs ?? [this.name];
  }

  /** The content as bytes: each call makes a copy. */
  get bytes(): Buffer {
    return bytesOf(this.content);
  }
}

// Builders return the same object for unchanged content.
const byObject = new WeakMap<object, EncodedResource>();
// Equal content built twice, for example for two node classes, shares one buffer as long as it is referenced.
const byContent = new Map<string, WeakRef<EncodedResource>>();
const collected = new FinalizationRegistry<string>((key) => {
  if (byContent.get(key)?.deref() === undefined) byContent.delete(key);
});

/** Resources encoded since the process began, without hits of the caches. */
export const codecStats = { resourcesEncoded: 0 };

/**
 * Encodes a resource strictly; `resource` must not be changed afterwards. Throws MeshError 'invalid' with
 * the path of the field: an unknown type or field, a wrong value, no name. One that is encoded is returned.
 */
export function encodeResource(resource: ResourceJson | EncodedResource): EncodedResource {
  if (resource instanceof EncodedResource) return resource;
  const known = byObject.get(resource);
  if (known !== undefined) return known;
  const encoded = encodeResourceApart(resource, (typeUrl, sum, name) =>
    byContent.get(keyOf(typeUrl, versionText(sum), name))?.deref(),
  );
  byObject.set(resource, encoded);
  const key = keyOf(encoded.typeUrl, encoded.version, encoded.name);
  if (byContent.get(key)?.deref() === encoded) return encoded;
  byContent.set(key, new WeakRef(encoded));
  collected.register(encoded, key);
  return encoded;
}

function keyOf(typeUrl: string, version: string, name: string): string {
  return `${typeUrl} ${version} ${name}`;
}

/**
 * As `encodeResource`, for a caller that keeps the result instead of `resource`: nothing is remembered here,
 * so that equal contents are one only if `known` gives the earlier one.
 */
export function encodeResourceApart(
  resource: ResourceJson,
  known: (typeUrl: string, sum: VersionSum, name: string) => EncodedResource | undefined = () => undefined,
): EncodedResource {
  const body = resource as ResourceJson & Record<string, unknown>;
  const { '@type': typeUrl } = body;
  if (typeof typeUrl !== 'string' || !typeUrl.startsWith(typePrefix))
    throw invalid("'@type'", `does not name a type after '${typePrefix}'`, typeUrl);
  const type = typeUrl.slice(typePrefix.length);
  const name = body[nameFieldOf(typeUrl)];
  const path = type.slice(type.lastIndexOf('.') + 1);
  if (typeof name !== 'string' || name === '') throw invalid(path, 'has no name', name);
  const [writer, shared] = withPath(`${path}(${name})`, (at) => {
    const used = spareWriter ?? protobuf.Writer.create();
    // One that is left by an error is not used again.
    spareWriter = undefined;
    return [used, encodeResourceBody(used, type, body, at)] as const;
  });
  const bytes = writer.finish(true);
  if (bytes.length <= spareBytesMax) spareWriter = writer.reset();
  codecStats.resourcesEncoded += 1;
  const sum = versionOfBytes(bytes);
  return (
    known(typeUrl, sum, name) ??
    new EncodedResource({
      ...{ typeUrl: urlOf(typeUrl), name, sum },
      refs: referencesOf(typeUrl, body),
      content: joinedContent(bytes, name, shared),
    })
  );
}

// The writer of the last resource, with its memory.
let spareWriter: Writer | undefined;
const spareBytesMax = 2 ** 20;

/** The same string for all resources of a type. */
function urlOf(typeUrl: string): string {
  return isResourceType(typeUrl) ? ruleOf(typeUrl).url : typeUrl;
}

/**
 * The JSON form of an encoded resource, with '@type'. Throws MeshError 'invalid' when the bytes are broken.
 */
export function decodeResource(resource: {
  readonly typeUrl: string;
  readonly bytes: Uint8Array;
}): ResourceJson {
  const body = decodeJson(resource.typeUrl.slice(typePrefix.length), resource.bytes);
  return { '@type': resource.typeUrl, ...(body as object) };
}

/** Encodes the message `type` (full name) from proto3 JSON. Errors name their path, beginning with `path`. */
export function encodeJson(type: string, json: unknown, path: string = type): Uint8Array {
  return withPath(path, (at) => {
    const writer = protobuf.Writer.create();
    encodeMessage(writer, type, json, at);
    return writer.finish();
  });
}

/**
 * Decodes the message `type` (full name) to proto3 JSON with proto field names. `fieldsMax`: of all messages
 * in it together; default: any number. Throws MeshError 'invalid'.
 */
export function decodeJson(type: string, bytes: Uint8Array, fieldsMax?: number): unknown {
  const reader: BoundedReader = protobuf.Reader.create(bytes);
  if (fieldsMax !== undefined) reader.fieldsLeft = fieldsMax;
  try {
    return decodeMessage(reader, type, bytes.length);
  } catch (cause) {
    throw new MeshError('invalid', `bytes are not a ${type}: ${MeshError.from(cause).message}`, { cause });
  }
}
