import protobuf from 'protobufjs';
import { type Loaded, nameOf } from './load.ts';
import { wellKnown } from './wellknown.ts';

const scalars: Readonly<Record<string, string>> = {
  double: 'pbFloat',
  float: 'pbFloat',
  bool: 'boolean',
  string: 'string',
  bytes: 'pbBytes',
  ...Object.fromEntries(['int32', 'uint32', 'sint32', 'fixed32', 'sfixed32'].map((name) => [name, 'number'])),
  ...Object.fromEntries(['int64', 'uint64', 'sint64', 'fixed64', 'sfixed64'].map((name) => [name, 'pbLong'])),
};

/** Short names for what is written most often; all else goes by its full name. */
const aliases: Readonly<Record<string, string>> = {
  Bootstrap: 'envoy.config.bootstrap.v3.Bootstrap',
  Cluster: 'envoy.config.cluster.v3.Cluster',
  ClusterLoadAssignment: 'envoy.config.endpoint.v3.ClusterLoadAssignment',
  Listener: 'envoy.config.listener.v3.Listener',
  RouteConfiguration: 'envoy.config.route.v3.RouteConfiguration',
  VirtualHost: 'envoy.config.route.v3.VirtualHost',
  ScopedRouteConfiguration: 'envoy.config.route.v3.ScopedRouteConfiguration',
  Route: 'envoy.config.route.v3.Route',
  TypedExtensionConfig: 'envoy.config.core.v3.TypedExtensionConfig',
  Secret: 'envoy.extensions.transport_sockets.tls.v3.Secret',
  HttpConnectionManager: 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
};

const head = `// Written by protos/gen.ts from Envoy's .proto files. Do not edit.
// Envoy's documented proto3 JSON form, with proto field names. Every field is optional.

type pbLong = number | string;
type pbFloat = number | 'NaN' | 'Infinity' | '-Infinity';
/** Base64, or the bytes themselves. */
type pbBytes = string | Uint8Array;
/** Seconds, such as '0.25s'. */
type pbDuration = \`\${number}s\`;
type pbValue = null | boolean | number | string | readonly pbValue[] | pbStruct;
type pbStruct = { readonly [key: string]: pbValue };
type pbEmpty = { readonly [key: string]: never };
type pbMap<T> = { readonly [key: string]: T };
/** A message packed with its type, discriminated by '@type'. */
type pbAny = { [N in keyof pbAnyTypes]: { '@type': N } & pbAnyTypes[N] }[keyof pbAnyTypes];

export type Any = pbAny;
export type AnyTypes = pbAnyTypes;
export type Bytes = pbBytes;
export type Duration = pbDuration;
export type Struct = pbStruct;
export type Value = pbValue;
`;

/** Draws TypeScript declarations: a namespace for each package, an interface for each message. */
export function buildTypes(loaded: Loaded): string {
  const spaces = new Map<string, string[]>();
  for (const object of [...loaded.messages, ...loaded.enums]) {
    const space = nameOf(object).split('.').slice(0, -1).join('.');
    if (space === 'google.protobuf') continue;
    const body = object instanceof protobuf.Enum ? enumType(object) : messageType(object);
    spaces.set(space, [...(spaces.get(space) ?? []), body]);
  }
  refuseShadowedRoots([...spaces.keys()]);
  const out = [head];
  for (const [alias, name] of Object.entries(aliases)) out.push(`export type ${alias} = ${name};`);
  out.push(
    '',
    ...[...spaces].map(([space, bodies]) => `export namespace ${space} {\n${bodies.join('\n')}\n}`),
  );
  out.push('', 'interface pbAnyTypes {', ...loaded.messages.flatMap(anyMember), '}', '');
  return out.join('\n');
}

/** Inside `a.b.envoy`, the name `envoy.c` would mean something else: such a package needs another scheme. */
function refuseShadowedRoots(spaces: readonly string[]): void {
  const roots = new Set(spaces.map((space) => space.split('.')[0]));
  for (const space of spaces) {
    const shadow = space
      .split('.')
      .slice(1)
      .find((part) => roots.has(part));
    if (shadow !== undefined) throw new Error(`protos: namespace ${space} hides the package ${shadow}`);
  }
}

function enumType(type: protobuf.Enum): string {
  const names = Object.keys(type.values).map((name) => `'${name}'`);
  return `  type ${type.name} = ${names.join(' | ')};`;
}

function messageType(message: protobuf.Type): string {
  const fields = message.fieldsArray.map((field) => {
    const one = typeOf(field);
    const many = one.includes(' ') ? `readonly (${one})[]` : `readonly ${one}[]`;
    const type = field instanceof protobuf.MapField ? `pbMap<${one}>` : field.repeated ? many : one;
    return `    ${field.name}?: ${type} | undefined;`;
  });
  return [`  interface ${message.name} {`, ...fields, '  }'].join('\n');
}

function typeOf(field: protobuf.Field): string {
  if (field.resolvedType === null) return scalars[field.type] ?? 'never';
  const name = nameOf(field.resolvedType);
  return wellKnown[name] ?? name;
}

function anyMember(message: protobuf.Type): readonly string[] {
  const name = nameOf(message);
  const known = wellKnown[name];
  // Nested messages are never packed, and Any in Any means nothing to Envoy.
  if (message.parent instanceof protobuf.Type || name === 'google.protobuf.Any') return [];
  return [`  'type.googleapis.com/${name}': ${known === undefined ? name : `{ value: ${known} }`};`];
}
