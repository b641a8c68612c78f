import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** A way from proto3 JSON to the wire and back. `type`: a message's full name. */
export interface Codec {
  encode(type: string, json: unknown): Uint8Array;
  decode(type: string, bytes: Uint8Array): unknown;
}

/** A codec to measure. `home`: a folder that contains @bufbuild/protobuf. */
export interface Contender {
  readonly name: string;
  load(home: string): Promise<Codec>;
}

/**
 * Envoy's API as protos/gen has it for reflection: files as a google.protobuf.FileDescriptorProto each, after
 * those that they import.
 */
function sortedFiles(dependenciesOf: (proto: Buffer) => readonly string[]): Buffer[] {
  const path = new URL('../../protos/gen/descriptors.json', import.meta.url);
  const { files } = JSON.parse(readFileSync(path, 'utf8')) as { files: { name: string; proto: string }[] };
  const byName = new Map(files.map(({ name, proto }) => [name, Buffer.from(proto, 'base64')]));
  const sorted = new Map<string, Buffer>();
  const add = (name: string) => {
    const proto = byName.get(name);
    if (proto === undefined) return;
    byName.delete(name);
    for (const other of dependenciesOf(proto)) add(other);
    sorted.set(name, proto);
  };
  for (const { name } of files) add(name);
  return [...sorted.values()];
}

/** The codec of `isthmus/xds`. */
const own: Contender = {
  name: 'our own',
  async load() {
    const { encodeJson, decodeJson } = await import('../../src/xds/codec/codec.ts');
    return { encode: encodeJson, decode: decodeJson };
  },
};

// biome-ignore lint/suspicious/noExplicitAny: the package is not among the dependencies, and so its types are not here.
type Untyped = any;

/** @bufbuild/protobuf, whose generated code runs the same reflection over the same descriptors. */
const bufbuild: Contender = {
  name: '@bufbuild/protobuf',
  async load(home) {
    const require = createRequire(join(home, 'index.js'));
    const {
      createFileRegistry,
      fromBinary,
      fromJson,
      toBinary,
      toJson,
      create,
    }: Untyped = require('@bufbuild/protobuf');
    const { FileDescriptorProtoSchema, FileDescriptorSetSchema }: Untyped = require('@bufbuild/protobuf/wkt');
    const parse = (proto: Buffer) => fromBinary(FileDescriptorProtoSchema, proto);
    const file = sortedFiles((proto) => parse(proto).dependency).map(parse);
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file }));
    const options = { registry, useProtoFieldName: true };
    const schemaOf = (type: string) => registry.getMessage(type);
    return {
      encode: (type, json) => toBinary(schemaOf(type), fromJson(schemaOf(type), json, options)),
      decode: (type, bytes) => toJson(schemaOf(type), fromBinary(schemaOf(type), bytes), options),
    };
  },
};

async function protobufRoot(): Promise<Untyped> {
  const { default: protobuf }: Untyped = await import('protobufjs');
  const { default: descriptor }: Untyped = await import('protobufjs/ext/descriptor/index.js');
  const parse = (proto: Buffer) => descriptor.FileDescriptorProto.decode(proto);
  const file = sortedFiles((proto) => parse(proto).dependency).map(parse);
  return protobuf.Root.fromDescriptor({ file }).resolveAll();
}

/** protobufjs as it is usually used: `fromObject` and `toObject`. */
const protobufObjects: Contender = {
  name: 'protobufjs fromObject',
  async load() {
    const root = await protobufRoot();
    const options = { longs: String, enums: String, bytes: String, json: true };
    return {
      encode(type, json) {
        const found = root.lookupType(type);
        return found.encode(found.fromObject(json)).finish();
      },
      decode(type, bytes) {
        const found = root.lookupType(type);
        return found.toObject(found.decode(bytes), options);
      },
    };
  },
};

/** protobufjs with its extension for proto3 JSON. */
const protobufJson: Contender = {
  name: 'protobufjs ext/protojson',
  async load() {
    const root = await protobufRoot();
    const { default: protojson }: Untyped = await import('protobufjs/ext/protojson.js' as string);
    return {
      encode(type, json) {
        const found = root.lookupType(type);
        return found.encode(protojson.fromJson(found, json)).finish();
      },
      decode(type, bytes) {
        const found = root.lookupType(type);
        return protojson.toJson(found, found.decode(bytes));
      },
    };
  },
};

export const contenders: readonly Contender[] = [own, bufbuild, protobufJson, protobufObjects];
