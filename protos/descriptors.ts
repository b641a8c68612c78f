import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor/index.js';
import { type Loaded, nameOf, sentBy } from './load.ts';

const { FileDescriptorProto } = descriptor as unknown as { FileDescriptorProto: protobuf.Type };

/** The files that describe the API. */
export interface Descriptors {
  readonly files: readonly {
    readonly name: string;
    /** Full names of its messages, enums, services and methods. */
    readonly symbols: readonly string[];
    /** A google.protobuf.FileDescriptorProto, in base64. */
    readonly proto: string;
  }[];
}

/**
 * Describes the services and all that is generated, file by file, as google.protobuf.FileDescriptorProto
 * (descriptor.proto), for server reflection. Options are left out: what they mean is for generators of code
 * and validators, and they would need the files that declare them.
 */
export function buildDescriptors(loaded: Loaded): Descriptors {
  const top = withReferences([
    ...loaded.messages,
    ...loaded.enums,
    ...loaded.serviceMessages,
    ...loaded.services,
  ]);
  const files = new Map<string, protobuf.ReflectionObject[]>();
  const file = fileFinder(loaded, top);
  for (const object of new Set<protobuf.ReflectionObject>(top))
    files.set(file(object), [...(files.get(file(object)) ?? []), object]);
  const sorted = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    files: sorted.map(([name, objects]) => ({
      name,
      symbols: objects.flatMap(symbolsOf).sort(),
      proto: encodeFile(name, objects, file),
    })),
  };
}

/** What stands in no other message and is among these, holds one of them, or is named by one that is. */
function withReferences(objects: readonly protobuf.ReflectionObject[]): protobuf.ReflectionObject[] {
  const top = new Set(objects.map(outermost));
  // A set's walk comes to what is added on the way.
  for (const object of top) for (const named of referencesOf(object)) top.add(outermost(named));
  return [...top];
}

type FileFinder = (object: protobuf.ReflectionObject) => string;

/**
 * Where an object stands: a nested one in its parent's file, one that the overlay added with its package's
 * others.
 */
function fileFinder({ fileOf }: Loaded, top: readonly protobuf.ReflectionObject[]): FileFinder {
  return (object) => {
    const outer = outermost(object);
    const common = commonFile(nameOf(outer));
    const sibling = () => top.find((other) => other.parent === outer.parent && fileOf(other) !== undefined);
    const found = common ?? fileOf(outer) ?? fileOf(sibling() ?? outer);
    if (found === undefined) throw new Error(`${nameOf(object)} is in no file`);
    return found;
  };
}

function outermost(object: protobuf.ReflectionObject): protobuf.ReflectionObject {
  return object.parent instanceof protobuf.Type ? outermost(object.parent) : object;
}

/** protobufjs carries these without their files. */
function commonFile(name: string): string | undefined {
  const [, short] = /^google\.protobuf\.(\w+)$/.exec(name) ?? [];
  if (short === undefined) return undefined;
  if (short.endsWith('Value') && !['Value', 'ListValue', 'NullValue'].includes(short))
    return 'google/protobuf/wrappers.proto';
  if (['Struct', 'Value', 'ListValue', 'NullValue'].includes(short)) return 'google/protobuf/struct.proto';
  const words = short.replace(/[a-z](?=[A-Z])/g, '$&_').toLowerCase();
  return `google/protobuf/${words}.proto`;
}

function symbolsOf(object: protobuf.ReflectionObject): string[] {
  if (object instanceof protobuf.Service)
    return [nameOf(object), ...object.methodsArray.map((method) => nameOf(method))];
  if (object instanceof protobuf.Type) return [nameOf(object), ...object.nestedArray.flatMap(symbolsOf)];
  return [nameOf(object)];
}

function encodeFile(name: string, objects: readonly protobuf.ReflectionObject[], file: FileFinder): string {
  const needed = new Set(objects.flatMap(referencesOf).map(file));
  needed.delete(name);
  const [first] = objects;
  const types = objects.filter((object) => object instanceof protobuf.Type);
  const enums = objects.filter((object) => object instanceof protobuf.Enum);
  const services = objects.filter((object) => object instanceof protobuf.Service);
  const proto = FileDescriptorProto.fromObject({
    name,
    package: first?.parent ? nameOf(first.parent) : '',
    dependency: [...needed].sort(),
    messageType: types.map(describeType),
    enumType: enums.map(describeEnum),
    service: services.map(describeService),
    syntax: 'proto3',
  });
  return Buffer.from(FileDescriptorProto.encode(proto).finish()).toString('base64');
}

/** What an object's fields or methods name. */
function referencesOf(object: protobuf.ReflectionObject): protobuf.ReflectionObject[] {
  if (object instanceof protobuf.Service) return sentBy(object);
  if (!(object instanceof protobuf.Type)) return [];
  const fields = object.fieldsArray.map((field) => field.resolve().resolvedType);
  return [...fields.filter((type) => type !== null), ...object.nestedArray.flatMap(referencesOf)];
}

// FieldDescriptorProto.Type and Label.
const scalars: Readonly<Record<string, number>> = {
  ...{ double: 1, float: 2, int64: 3, uint64: 4, int32: 5, fixed64: 6, fixed32: 7, bool: 8, string: 9 },
  ...{ bytes: 12, uint32: 13, sfixed32: 15, sfixed64: 16, sint32: 17, sint64: 18 },
};
const messageKind = 11;
const enumKind = 14;
const optional = 1;
const repeated = 3;

function describeType(type: protobuf.Type): object {
  const oneofs = type.oneofsArray.toSorted((a, b) => Number(isSynthetic(a)) - Number(isSynthetic(b)));
  const nested = type.nestedArray;
  const maps = type.fieldsArray.filter((field) => field.map) as unknown as protobuf.MapField[];
  return {
    name: type.name,
    field: type.fieldsArray.map((field) => describeField(field, type, oneofs)),
    nestedType: [
      ...nested.filter((one) => one instanceof protobuf.Type).map(describeType),
      ...maps.map(describeMapEntry),
    ],
    enumType: nested.filter((one) => one instanceof protobuf.Enum).map(describeEnum),
    oneofDecl: oneofs.map(({ name }) => ({ name })),
  };
}

/** protobufjs and protoc alike wrap a proto3 `optional` in a oneof of its own. */
function isSynthetic(oneof: protobuf.OneOf): boolean {
  return oneof.name.startsWith('_') && oneof.fieldsArray.length === 1;
}

function describeField(
  field: protobuf.Field,
  parent: protobuf.Type,
  oneofs: readonly protobuf.OneOf[],
): object {
  const isMap = field.map;
  const { partOf } = field;
  return {
    name: field.name,
    // As protoc does: without it some tools write JSON by the other name.
    jsonName: field.name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
    number: field.id,
    label: isMap || field.repeated ? repeated : optional,
    ...(isMap ? { type: messageKind, typeName: `.${nameOf(parent)}.${entryName(field)}` } : kindOf(field)),
    ...(partOf && { oneofIndex: oneofs.indexOf(partOf) }),
    ...(partOf && isSynthetic(partOf) && { proto3Optional: true }),
  };
}

function kindOf(field: Pick<protobuf.Field, 'type' | 'resolve'>): object {
  const type = field.resolve().resolvedType;
  if (type === null) return { type: scalars[field.type] };
  return { type: type instanceof protobuf.Enum ? enumKind : messageKind, typeName: `.${nameOf(type)}` };
}

/** `foo_bar` → `FooBarEntry`, as protoc names the message of a map's entries. */
function entryName({ name }: { readonly name: string }): string {
  return `${name.replace(/(?:^|_)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())}Entry`;
}

function describeMapEntry(field: protobuf.MapField): object {
  return {
    name: entryName(field),
    field: [
      { name: 'key', number: 1, label: optional, type: scalars[field.keyType] },
      { name: 'value', number: 2, label: optional, ...kindOf(field) },
    ],
    options: { mapEntry: true },
  };
}

function describeEnum({ name, values }: protobuf.Enum): object {
  const numbers = Object.values(values);
  return {
    name,
    value: Object.entries(values).map(([label, number]) => ({ name: label, number })),
    ...(new Set(numbers).size < numbers.length && { options: { allowAlias: true } }),
  };
}

function describeService(service: protobuf.Service): object {
  return {
    name: service.name,
    method: service.methodsArray.map((method) => ({
      name: method.name,
      inputType: `.${nameOf(method.resolvedRequestType as protobuf.Type)}`,
      outputType: `.${nameOf(method.resolvedResponseType as protobuf.Type)}`,
      clientStreaming: method.requestStream === true,
      serverStreaming: method.responseStream === true,
    })),
  };
}
