import { readFileSync } from 'node:fs';
import type { Descriptors } from '../../../protos/descriptors.ts';
import { MeshError } from '../../base/error.ts';
import { safeExcerpt } from '../../base/text/safe-excerpt.ts';
import type { Services } from '../transport/grpc-server.ts';
import { eachChunk, field, numberField, readChunk, readText } from '../wire/varint.ts';
import type { Answering } from './tool-calls.ts';

/** gRPC Server Reflection; both versions have the same messages. */
export const reflectionServices: readonly string[] = [
  'grpc.reflection.v1.ServerReflection',
  'grpc.reflection.v1alpha.ServerReflection',
];

/** The query of a request, by its field in ServerReflectionRequest. */
type Ask = { readonly by: number; readonly text: string };

// Fields of the request's oneof, and of the response's, grpc/reflection/v1/reflection.proto.
const byFile = 3;
const bySymbol = 4;
const byExtension = 5;
const extensionNumbers = 6;
const listServices = 7;
const filesAnswer = 4;
const extensionNumbersAnswer = 5;
const servicesAnswer = 6;
const errorAnswer = 7;
const notFoundCode = 5;

/** Serves the names of `services` and the descriptors of their messages, for tools such as grpcurl. */
export function reflection(
  services: readonly string[],
  calls: Answering,
  read: () => Descriptors = readDescriptors,
): Services {
  let catalog: Catalog | undefined;
  const answer = (request: Buffer): Buffer => {
    catalog ??= catalogOf(read());
    return respond(request, catalog, services);
  };
  return new Map(
    reflectionServices.map((name) => [`/${name}/ServerReflectionInfo`, calls.conversation(answer)]),
  );
}

interface Catalog {
  readonly byName: ReadonlyMap<string, Buffer>;
  readonly bySymbol: ReadonlyMap<string, Buffer>;
}

// Read on first use, from beside the schema.
function readDescriptors(): Descriptors {
  return JSON.parse(readFileSync(new URL('../../../protos/gen/descriptors.json', import.meta.url), 'utf8'));
}

function catalogOf({ files }: Descriptors): Catalog {
  const byName = new Map(files.map(({ name, proto }) => [name, Buffer.from(proto, 'base64')]));
  const symbols = files.flatMap(({ name, symbols }) =>
    symbols.map((symbol) => [symbol, byName.get(name) as Buffer] as const),
  );
  return { byName, bySymbol: new Map(symbols) };
}

function respond(request: Buffer, catalog: Catalog, services: readonly string[]): Buffer {
  let host = '';
  let ask: Ask = { by: 0, text: '' };
  eachChunk(request, 'a reflection request', (id, cursor) => {
    if (id === 1) host = readText(cursor);
    else ask = { by: id, text: id === byExtension ? extendedType(readChunk(cursor)) : readText(cursor) };
    return true;
  });
  // A copy: the request's buffer is reused before this is sent.
  return Buffer.concat([field(1, host), field(2, Buffer.from(request)), found(ask, catalog, services)]);
}

function found({ by, text }: Ask, catalog: Catalog, services: readonly string[]): Buffer {
  const file = by === byFile ? catalog.byName.get(text) : catalog.bySymbol.get(text);
  if (by === listServices)
    return field(servicesAnswer, Buffer.concat(services.map((name) => field(1, field(1, name)))));
  if ((by === byFile || by === bySymbol) && file !== undefined) return field(filesAnswer, field(1, file));
  // None of the described messages has extensions.
  if (by === extensionNumbers && file !== undefined) return field(extensionNumbersAnswer, field(1, text));
  if (by < byFile || by > listServices) throw new MeshError('invalid', 'the reflection request has no query');
  const message = `there is no '${safeExcerpt(text, 256)}' here`;
  return field(errorAnswer, Buffer.concat([numberField(1, notFoundCode), field(2, message)]));
}

/** ExtensionRequest.containing_type. */
function extendedType(bytes: Buffer): string {
  let type = '';
  eachChunk(bytes, 'an extension request', (id, cursor) => {
    if (id === 1) type = readText(cursor);
    return id === 1;
  });
  return type;
}
