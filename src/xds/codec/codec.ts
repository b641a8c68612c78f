import protobuf from 'protobufjs/minimal.js';
import type { Any } from '../../../protos/gen/envoy.d.ts';
import { MeshError } from '../../base/error.ts';
import { contentHash } from '../../base/hash.ts';
import { nameFieldOf, referencesOf } from '../resource-types.ts';
import { decodeMessage } from './decode.ts';
import { encodeMessage, typePrefix } from './encode.ts';
import { invalid } from './invalid.ts';
import { ownBytes } from './own-bytes.ts';
import type { BoundedReader } from './wellknown.ts';

/**
 * A resource in proto3 JSON with '@type', in the form of Envoy's documentation. Literals are type-checked
 * against `protos/gen/envoy.d.ts`; any other object needs only '@type', and is checked when encoded.
 */
export type ResourceJson = Any | { readonly '@type': string };

/** A resource as it goes to any number of streams: encoded once, never changed. */
export interface EncodedResource {
  /** `type.googleapis.com/` and the full name. */
  readonly typeUrl: string;
  readonly name: string;
  /** Hash of the bytes: equal content, equal version. */
  readonly version: string;
  /** The message itself, without its Any. */
  readonly bytes: Uint8Array;
  /**
   * Names of the resources that a client requests again when this one has changed: the endpoints of an EDS
   * cluster, the route configurations of a listener.
   */
  readonly refs: readonly string[];
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
 * the path of the field: an unknown type or field, a wrong value, no name.
 */
export function encodeResource(resource: ResourceJson): EncodedResource {
  const known = byObject.get(resource);
  if (known !== undefined) return known;
  const { '@type': typeUrl, ...body } = resource as ResourceJson & Record<string, unknown>;
  if (typeof typeUrl !== 'string' || !typeUrl.startsWith(typePrefix))
    throw invalid("'@type'", `does not name a type after '${typePrefix}'`, typeUrl);
  const type = typeUrl.slice(typePrefix.length);
  const name = body[nameFieldOf(typeUrl)];
  const path = type.slice(type.lastIndexOf('.') + 1);
  if (typeof name !== 'string' || name === '') throw invalid(path, 'has no name', name);
  const bytes = encodeJson(type, body, `${path}(${name})`);
  codecStats.resourcesEncoded += 1;
  const version = contentHash(bytes);
  const key = `${typeUrl} ${version} ${name}`;
  const shared = byContent.get(key)?.deref();
  const encoded = shared ?? {
    typeUrl,
    name,
    version,
    bytes: ownBytes(bytes),
    refs: referencesOf(typeUrl, body),
  };
  byObject.set(resource, encoded);
  if (shared !== undefined) return shared;
  byContent.set(key, new WeakRef(encoded));
  collected.register(encoded, key);
  return encoded;
}

/**
 * The JSON form of an encoded resource, with '@type'. Throws MeshError 'invalid' when the bytes are broken.
 */
export function decodeResource(resource: Pick<EncodedResource, 'typeUrl' | 'bytes'>): ResourceJson {
  const body = decodeJson(resource.typeUrl.slice(typePrefix.length), resource.bytes);
  return { '@type': resource.typeUrl, ...(body as object) };
}

/** Encodes the message `type` (full name) from proto3 JSON. Errors name their path, beginning with `path`. */
export function encodeJson(type: string, json: unknown, path: string = type): Uint8Array {
  const writer = protobuf.Writer.create();
  encodeMessage(writer, type, json, path);
  return writer.finish();
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
