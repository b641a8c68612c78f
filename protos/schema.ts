import protobuf from 'protobufjs';
import { type Loaded, nameOf } from './load.ts';

/**
 * One field: name, number, type (a scalar's name, or a full name), label and oneof. Labels: '' proto3
 * implicit presence (a default is not written), 'o' explicit presence, 'r' repeated, 'm<key type>' map.
 */
export type SchemaField = readonly [name: string, id: number, type: string, label: string, oneof?: string];

/** What the codec needs of the .proto files, and no more: it loads in a few milliseconds. */
export interface Schema {
  readonly messages: Readonly<Record<string, readonly SchemaField[]>>;
  readonly enums: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Draws the run-time schema from what was loaded. */
export function buildSchema(loaded: Loaded): Schema {
  return {
    messages: Object.fromEntries(
      loaded.messages.map((message) => [
        nameOf(message),
        message.fieldsArray.map(buildField).sort((a, b) => a[1] - b[1]),
      ]),
    ),
    enums: Object.fromEntries(loaded.enums.map((type) => [nameOf(type), { ...type.values }])),
  };
}

function buildField(field: protobuf.Field): SchemaField {
  const type = field.resolvedType === null ? field.type : nameOf(field.resolvedType);
  // protobufjs wraps a proto3 `optional` in a synthetic oneof of its own, named with a leading underscore.
  const oneof = field.partOf?.name.startsWith('_') === false ? field.partOf.name : undefined;
  const explicit = field.partOf !== null || field.resolvedType instanceof protobuf.Type;
  const label =
    field instanceof protobuf.MapField ? `m${field.keyType}` : field.repeated ? 'r' : explicit ? 'o' : '';
  return oneof === undefined
    ? [field.name, field.id, type, label]
    : [field.name, field.id, type, label, oneof];
}
