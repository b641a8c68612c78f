import protobuf, { type Writer } from 'protobufjs/minimal.js';
import { isSharedMessage } from '../../base/shared-message.ts';
import { type Content, contentOf, type PlacedContent } from './content.ts';
import { invalid } from './invalid.ts';
import { scalars } from './scalar.ts';
import { enumPlan, type FieldPlan, type MessagePlan, messagePlan } from './schema.ts';
import { wellKnowns } from './wellknown.ts';

/** What stands before a type's full name in an Any. */
export const typePrefix = 'type.googleapis.com/';

/**
 * Writes the body of message `type` (full name) from its proto3 JSON form. Strict: an unknown field, a
 * wrong type, an unknown enum value or two members of a oneof throw MeshError 'invalid' with the field's
 * path. Deterministic: fields by number, map entries by key, whatever the order in the JSON.
 */
export function encodeMessage(writer: Writer, type: string, json: unknown, path: string): void {
  const special = wellKnowns.get(type);
  if (special !== undefined) special.write(writer, json, path);
  else if (type === 'google.protobuf.Any') encodeAny(writer, json, path);
  else {
    const plan = messagePlan(type);
    if (plan === undefined) throw invalid(path, 'is of a type that is not in the schema', type);
    encodeFields(writer, plan, json, path, undefined);
  }
}

/**
 * As `encodeMessage`, for a resource: `json` has an '@type'. Returns the shared messages that are fields of
 * it, with their places.
 */
export function encodeResourceBody(
  writer: Writer,
  type: string,
  json: object,
  path: string,
): readonly PlacedContent[] {
  const plan = messagePlan(type);
  if (plan === undefined) throw invalid(path, 'is of a type that is not in the schema', type);
  const placed: PlacedContent[] = [];
  encodeFields(writer, plan, json, path, '@type', placed);
  return placed;
}

/**
 * The path of a field, or of an element, for errors. Built only where the path so far is not empty: nearly
 * all that is encoded has no error, and paths were a third of the time (`withPath`).
 */
function within(path: string, field: string): string {
  return path === '' ? '' : `${path}.${field}`;
}

function at(path: string, key: string | number): string {
  return path === '' ? '' : `${path}[${JSON.stringify(key)}]`;
}

/**
 * Encodes without paths, and again with them where that throws. `encode` has no other effect than what it
 * returns.
 */
export function withPath<R>(path: string, encode: (path: string) => R): R {
  try {
    return encode('');
  } catch {
    return encode(path);
  }
}

function encodeAny(writer: Writer, json: unknown, path: string): void {
  if (!isObject(json)) throw invalid(path, "is not an object with '@type'", json);
  const url = json['@type'];
  if (typeof url !== 'string' || !url.startsWith(typePrefix))
    throw invalid(`${path}.@type`, `does not name a type after '${typePrefix}'`, url);
  const type = url.slice(typePrefix.length);
  writer.uint32(10).string(url).uint32(18).fork();
  if (wellKnowns.has(type)) encodeMessage(writer, type, json.value, within(path, 'value'));
  else {
    const plan = messagePlan(type);
    if (plan === undefined) throw invalid(`${path}.@type`, 'is not in the schema (protos/entries.ts)', url);
    encodeFields(writer, plan, json, path, '@type');
  }
  writer.ldelim();
}

function encodeFields(
  writer: Writer,
  plan: MessagePlan,
  json: unknown,
  path: string,
  skip: string | undefined,
  placed?: PlacedContent[],
): void {
  if (!isObject(json)) throw invalid(path, `is not an object (${plan.name})`, json);
  // Few fields, mostly in order already: insertion sort by number.
  const fields: FieldPlan[] = [];
  const values: unknown[] = [];
  for (const key in json) {
    const value = json[key];
    // proto3 JSON: null means absent, except for a type that has a null.
    if (value === undefined || key === skip) continue;
    const field = plan.byName.get(key);
    if (field === undefined) throw invalid(`${path}.${key}`, `is not a field of ${plan.name}`, value);
    if (value === null && field.type !== 'google.protobuf.Value') continue;
    let at = fields.length;
    for (let i = fields.length - 1; i >= 0; i -= 1) {
      const other = fields[i] as FieldPlan;
      if (other === field) throw invalid(`${path}.${key}`, 'is given twice', value);
      if (field.oneof !== undefined && other.oneof === field.oneof)
        throw invalid(`${path}.${key}`, `excludes ${path}.${other.name}`, value);
      if (other.id > field.id) at = i;
    }
    if (at === fields.length) {
      fields.push(field);
      values.push(value);
    } else {
      fields.splice(at, 0, field);
      values.splice(at, 0, value);
    }
  }
  for (let i = 0; i < fields.length; i += 1) {
    const field = fields[i] as FieldPlan;
    encodeField(writer, field, values[i], within(path, field.name), placed);
  }
}

function encodeField(
  writer: Writer,
  field: FieldPlan,
  value: unknown,
  path: string,
  placed: PlacedContent[] | undefined,
): void {
  if (field.shape === 'map') encodeMap(writer, field, value, path);
  else if (field.shape === 'one') encodeValue(writer, field.id, field.type, value, path, field.implicit);
  else encodeList(writer, field, value, path, placed);
}

function encodeList(
  writer: Writer,
  field: FieldPlan,
  value: unknown,
  path: string,
  placed: PlacedContent[] | undefined,
): void {
  if (!Array.isArray(value)) throw invalid(path, 'is not a list', value);
  if (value.length === 0) return;
  const packed = (scalars.get(field.type)?.wire ?? (enumPlan(field.type) ? 0 : 2)) !== 2;
  if (!packed) {
    value.forEach((element, i) => {
      encodeValue(writer, field.id, field.type, element, at(path, i), false, placed);
    });
    return;
  }
  writer.uint32((field.id << 3) | 2).fork();
  value.forEach((element, i) => {
    const scalar = scalars.get(field.type);
    if (scalar) scalar.write(writer, element, at(path, i));
    else writer.int32(enumNumber(field.type, element, at(path, i)));
  });
  writer.ldelim();
}

function encodeMap(writer: Writer, field: FieldPlan, value: unknown, path: string): void {
  if (!isObject(value)) throw invalid(path, 'is not an object', value);
  for (const key of Object.keys(value).sort()) {
    if (value[key] === undefined) continue;
    writer.uint32((field.id << 3) | 2).fork();
    const typedKey = field.keyType === 'bool' ? key === 'true' : key;
    encodeValue(writer, 1, field.keyType, typedKey, at(path, key), false);
    encodeValue(writer, 2, field.type, value[key], at(path, key), false);
    writer.ldelim();
  }
}

function encodeValue(
  writer: Writer,
  id: number,
  type: string,
  value: unknown,
  path: string,
  implicit: boolean,
  placed?: PlacedContent[],
): void {
  const scalar = scalars.get(type);
  if (scalar !== undefined) {
    if (implicit && scalar.isDefault(value)) return;
    scalar.write(writer.uint32((id << 3) | scalar.wire), value, path);
    return;
  }
  if (enumPlan(type) !== undefined) {
    const number = enumNumber(type, value, path);
    if (!implicit || number !== 0) writer.uint32(id << 3).int32(number);
    return;
  }
  writer.uint32((id << 3) | 2);
  if (isObject(value) && isSharedMessage(value)) {
    const content = encodeShared(type, value, path);
    writer.bytes(scratchOf(content));
    placed?.push({ at: writer.pos - content.length, content });
    return;
  }
  encodeMessage(writer.fork(), type, value, path);
  writer.ldelim();
}

/** Encoded messages marked by `sharedMessage`. */
const sharedContents = new WeakMap<object, { readonly type: string; readonly content: Content }>();

function encodeShared(type: string, value: object, path: string): Content {
  const known = sharedContents.get(value);
  if (known?.type === type) return known.content;
  const writer = protobuf.Writer.create();
  encodeMessage(writer, type, value, path);
  const { name } = value as { readonly name?: unknown };
  const content = contentOf(writer.finish(true), typeof name === 'string' ? name : '');
  sharedContents.set(value, { type, content });
  return content;
}

let scratch = Buffer.allocUnsafeSlow(4_096);

/** A content's bytes, until the next call. */
function scratchOf(content: Content): Uint8Array {
  if (content.whole !== undefined) return content.whole;
  if (content.length > scratch.length) scratch = Buffer.allocUnsafeSlow(2 * content.length);
  content.writeTo(scratch, 0);
  return scratch.subarray(0, content.length);
}

function enumNumber(type: string, value: unknown, path: string): number {
  const plan = enumPlan(type);
  const number = typeof value === 'string' ? plan?.byName.get(value) : undefined;
  if (number !== undefined) return number;
  if (typeof value === 'number' && plan?.byNumber.has(value)) return value;
  throw invalid(path, `is not one of ${[...(plan?.byName.keys() ?? [])].join(', ')}`, value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  );
}
