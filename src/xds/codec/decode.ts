import type { Reader } from 'protobufjs/minimal.js';
import { typePrefix } from './encode.ts';
import { scalars } from './scalar.ts';
import { enumPlan, type FieldPlan, messagePlan } from './schema.ts';
import { checkDepth, eachField, wellKnowns } from './wellknown.ts';

/**
 * Reads the body of message `type` up to `end` into proto3 JSON with proto field names. Lenient towards newer
 * senders: unknown fields are skipped, an unknown enum value stays a number, an Any of an unknown type keeps
 * its bytes as base64 in `value`. `depth`: nesting level. Throws RangeError.
 */
export function decodeMessage(reader: Reader, type: string, end: number, depth = 0): unknown {
  checkDepth(depth);
  const special = wellKnowns.get(type);
  if (special !== undefined) return special.read(reader, end, depth);
  if (type === 'google.protobuf.Any') return decodeAny(reader, end, depth);
  const plan = messagePlan(type);
  const json: Record<string, unknown> = {};
  eachField(reader, end, (id, wire) => {
    const field = plan?.byId.get(id);
    if (field === undefined) return false;
    decodeField(reader, field, wire, json, depth);
    return true;
  });
  return json;
}

function decodeAny(reader: Reader, end: number, depth: number): unknown {
  let url = '';
  let start = end;
  let stop = end;
  eachField(reader, end, (id) => {
    if (id === 1) url = reader.string();
    else if (id === 2) {
      stop = reader.uint32() + reader.pos;
      start = reader.pos;
      reader.pos = stop;
    }
    return id === 1 || id === 2;
  });
  const type = url.slice(typePrefix.length);
  const known = messagePlan(type) !== undefined;
  const after = reader.pos;
  reader.pos = start;
  const value = known
    ? decodeMessage(reader, type, stop, depth + 1)
    : Buffer.from(reader.buf.subarray(start, stop)).toString('base64');
  reader.pos = after;
  if (!known || wellKnowns.has(type)) return { '@type': url, value };
  return { '@type': url, ...(value as object) };
}

function decodeField(
  reader: Reader,
  field: FieldPlan,
  wire: number,
  json: Record<string, unknown>,
  depth: number,
): void {
  if (field.shape === 'one') {
    json[field.name] = decodeValue(reader, field.type, depth);
    return;
  }
  if (field.shape === 'map') {
    const [key, value] = decodeEntry(reader, field, depth);
    const map = (json[field.name] ?? {}) as Record<string, unknown>;
    Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
    json[field.name] = map;
    return;
  }
  const list = (json[field.name] ?? []) as unknown[];
  json[field.name] = list;
  const packed = wire === 2 && (scalars.get(field.type)?.wire ?? (enumPlan(field.type) ? 0 : 2)) !== 2;
  if (!packed) list.push(decodeValue(reader, field.type, depth));
  else
    for (const end = reader.uint32() + reader.pos; reader.pos < end; )
      list.push(decodeValue(reader, field.type, depth));
}

function decodeEntry(reader: Reader, field: FieldPlan, depth: number): [key: string, value: unknown] {
  const end = reader.uint32() + reader.pos;
  let key: unknown = field.keyType === 'string' ? '' : field.keyType === 'bool' ? false : 0;
  let value: unknown;
  eachField(reader, end, (id) => {
    if (id === 1) key = decodeValue(reader, field.keyType, depth);
    else if (id === 2) value = decodeValue(reader, field.type, depth);
    return id === 1 || id === 2;
  });
  return [String(key), value ?? emptyValue(field.type)];
}

/** The value of a map entry that has no value on the wire. */
function emptyValue(type: string): unknown {
  const scalar = scalars.get(type);
  if (scalar === undefined) return enumPlan(type)?.byNumber.get(0) ?? {};
  return scalar.isDefault(0) ? 0 : scalar.isDefault(false) ? false : '';
}

function decodeValue(reader: Reader, type: string, depth: number): unknown {
  const scalar = scalars.get(type);
  if (scalar !== undefined) return scalar.read(reader);
  const plan = enumPlan(type);
  if (plan !== undefined) {
    const number = reader.int32();
    return plan.byNumber.get(number) ?? number;
  }
  return decodeMessage(reader, type, reader.uint32() + reader.pos, depth + 1);
}
