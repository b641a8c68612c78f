import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { entryFiles, serviceFiles } from './entries.ts';
import { applyOverlay } from './overlay.ts';
import { wellKnown } from './wellknown.ts';

/** What was read: the types to generate, by full name without a leading dot, in a stable order. */
export interface Loaded {
  readonly messages: readonly protobuf.Type[];
  readonly enums: readonly protobuf.Enum[];
  /** What is served by gRPC, and what its methods send besides `messages`. */
  readonly services: readonly protobuf.Service[];
  readonly serviceMessages: readonly protobuf.Type[];
  /** The name of a file as its importers write it. */
  fileOf(object: protobuf.ReflectionObject): string | undefined;
}

// protobufjs carries these itself; all of them may stand in an Any.
const wellKnownFiles = ['any', 'duration', 'empty', 'struct', 'timestamp', 'wrappers', 'field_mask'].map(
  (name) => `google/protobuf/${name}.proto`,
);

/** The full name as Envoy writes it, without protobufjs's leading dot. */
export function nameOf(object: protobuf.ReflectionObject): string {
  return object.fullName.replace(/^\./, '');
}

/** Reads the entry files and their imports from the npm package, and gathers what they define and reach. */
export async function loadProtos(): Promise<Loaded> {
  const require = createRequire(import.meta.url);
  const xdsFolder = dirname(require.resolve('@grpc/grpc-js-xds/package.json'));
  const folders = [
    ...['envoy-api', 'xds', 'googleapis', 'protoc-gen-validate'].map((name) => join(xdsFolder, 'deps', name)),
    dirname(require.resolve('protobufjs/package.json')),
    // What no package brings: health checks and reflection.
    fileURLToPath(new URL('.', import.meta.url)).replace(/\/$/, ''),
  ];
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => {
    if (existsSync(target)) return target;
    return folders.map((folder) => join(folder, target)).find((path) => existsSync(path)) ?? target;
  };
  await root.load([...entryFiles, ...serviceFiles, ...wellKnownFiles], { keepCase: true });
  applyOverlay(root);
  const fileOf = ({ filename }: protobuf.ReflectionObject) => {
    const folder = folders.find((one) => filename?.startsWith(`${one}/`));
    return folder === undefined ? (filename ?? undefined) : filename?.slice(folder.length + 1);
  };
  const generated = closure(root);
  const services = servicesOf(root);
  const known = new Set<protobuf.ReflectionObject>(generated.messages);
  return { ...generated, services, serviceMessages: reached(services.flatMap(sentBy), known), fileOf };
}

/** The messages of a service's methods. */
export function sentBy({ methodsArray }: protobuf.Service): protobuf.Type[] {
  return methodsArray.flatMap((method) => {
    method.resolve();
    return [method.resolvedRequestType, method.resolvedResponseType].filter((type) => type !== null);
  });
}

/** The services of `serviceFiles`, by name. */
function servicesOf(root: protobuf.Root): protobuf.Service[] {
  const found: protobuf.Service[] = [];
  const walk = (space: protobuf.NamespaceBase) => {
    for (const object of space.nestedArray) {
      if (object instanceof protobuf.Service) {
        if (serviceFiles.some((file) => object.filename?.endsWith(file))) found.push(object);
      } else if (object instanceof protobuf.Namespace) walk(object);
    }
  };
  walk(root);
  return found.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

/** Messages that are reached from some of them and are not known, these included. */
function reached(from: readonly protobuf.Type[], known: Set<protobuf.ReflectionObject>): protobuf.Type[] {
  return from.flatMap((type) => {
    if (known.has(type)) return [];
    known.add(type);
    const fields = type.fieldsArray.map((field) => field.resolve().resolvedType);
    return [type, ...reached([...fields, ...type.nestedArray].filter(isType), known)];
  });
}

function isType(object: protobuf.ReflectionObject | null): object is protobuf.Type {
  return object instanceof protobuf.Type;
}

function closure(root: protobuf.Root): Pick<Loaded, 'messages' | 'enums'> {
  const messages = new Map<string, protobuf.Type>();
  const enums = new Map<string, protobuf.Enum>();
  const visit = (object: protobuf.ReflectionObject | null) => {
    if (object instanceof protobuf.Enum) enums.set(nameOf(object), object);
    if (!(object instanceof protobuf.Type) || messages.has(nameOf(object))) return;
    messages.set(nameOf(object), object);
    // The overlay's fields came after the package was resolved.
    for (const field of object.fieldsArray) visit(field.resolve().resolvedType);
    // A nested type is part of its parent's documented form even where no field names it.
    for (const nested of object.nestedArray) visit(nested);
  };
  const isEntry = (object: protobuf.ReflectionObject) =>
    nameOf(object) in wellKnown || entryFiles.some((file) => object.filename?.endsWith(file) === true);
  const walk = (space: protobuf.NamespaceBase) => {
    for (const object of space.nestedArray) {
      if (object instanceof protobuf.Type || object instanceof protobuf.Enum) {
        if (isEntry(object)) visit(object);
      } else if (object instanceof protobuf.Namespace) walk(object);
    }
  };
  walk(root);
  const byName = <T>(map: Map<string, T>) =>
    [...map.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  return { messages: byName(messages), enums: byName(enums) };
}
