import type { Reader, Writer } from 'protobufjs/minimal.js';
import { invalid } from './invalid.ts';
import { scalars } from './scalar.ts';
import { lowerCamel } from './schema.ts';

/**
 * A well-known type whose JSON form is not an object of its fields. Both functions work on the message's
 * body.
 */
interface WellKnown {
  write(writer: Writer, value: unknown, path: string): void;
  /** `depth`: nesting level. */
  read(reader: Reader, end: number, depth: number): unknown;
}

// The limit of protobuf's own readers.
const depthMax = 100;

/** Checks the nesting depth of messages. Throws RangeError. */
export function checkDepth(depth: number): void {
  if (depth > depthMax) throw new RangeError(`messages are nested more than ${depthMax} levels deep`);
}

/** The special JSON forms of proto3, but for Any, which needs the whole codec. */
export const wellKnowns: ReadonlyMap<string, WellKnown> = new Map<string, WellKnown>([
  ['google.protobuf.Duration', { write: writeDuration, read: readDuration }],
  ['google.protobuf.Timestamp', { write: writeTimestamp, read: readTimestamp }],
  ['google.protobuf.FieldMask', { write: writeFieldMask, read: readFieldMask }],
  ['google.protobuf.Struct', { write: writeStruct, read: readStruct }],
  ['google.protobuf.Value', { write: writeValue, read: readValue }],
  ['google.protobuf.ListValue', { write: writeList, read: readList }],
  wrapper('DoubleValue', 'double', 0),
  wrapper('FloatValue', 'float', 0),
  wrapper('Int64Value', 'int64', '0'),
  wrapper('UInt64Value', 'uint64', '0'),
  wrapper('Int32Value', 'int32', 0),
  wrapper('UInt32Value', 'uint32', 0),
  wrapper('BoolValue', 'bool', false),
  wrapper('StringValue', 'string', ''),
  wrapper('BytesValue', 'bytes', ''),
]);

function wrapper(name: string, type: string, absent: unknown): [string, WellKnown] {
  const scalar = scalars.get(type);
  if (scalar === undefined) throw new Error(`no scalar ${type}`);
  return [
    `google.protobuf.${name}`,
    {
      write(writer, value, path) {
        if (scalar.isDefault(value)) return;
        scalar.write(writer.uint32((1 << 3) | scalar.wire), value, path);
      },
      read: (reader, end) => {
        let value = absent;
        eachField(reader, end, (id) => {
          if (id === 1) value = scalar.read(reader);
          return id === 1;
        });
        return value;
      },
    },
  ];
}

/** A reader that reads at most so many fields, nested ones included; undefined: no limit. */
export interface BoundedReader extends Reader {
  fieldsLeft?: number;
}

/** Calls `take` for each field until `end`; fields that it does not take are skipped. Throws RangeError. */
export function eachField(
  reader: BoundedReader,
  end: number,
  take: (id: number, wire: number) => boolean,
): void {
  while (reader.pos < end) {
    if (reader.fieldsLeft !== undefined) {
      reader.fieldsLeft -= 1;
      if (reader.fieldsLeft < 0) throw new RangeError('it has more fields than the limit');
    }
    const tag = reader.uint32();
    if (!take(tag >>> 3, tag & 7)) reader.skipType(tag & 7);
  }
}

function writeSecondsAndNanos(writer: Writer, seconds: bigint, nanos: number): void {
  if (seconds !== 0n) writer.uint32(8).int64(seconds.toString());
  if (nanos !== 0) writer.uint32(16).int32(nanos);
}

function readSecondsAndNanos(reader: Reader, end: number): [seconds: bigint, nanos: number] {
  let seconds = 0n;
  let nanos = 0;
  eachField(reader, end, (id) => {
    if (id === 1) seconds = BigInt(reader.int64().toString());
    else if (id === 2) nanos = reader.int32();
    return id === 1 || id === 2;
  });
  return [seconds, nanos];
}

function writeDuration(writer: Writer, value: unknown, path: string): void {
  const match = typeof value === 'string' ? /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(value) : null;
  if (match === null) throw invalid(path, "is not a duration such as '0.25s'", value);
  const sign = match[1] === '-' ? -1 : 1;
  const seconds = BigInt(match[2] ?? '0');
  if (seconds > 315_576_000_000n) throw invalid(path, 'is a duration out of range', value);
  const nanos = Number((match[3] ?? '').padEnd(9, '0'));
  writeSecondsAndNanos(writer, BigInt(sign) * seconds, sign * nanos || 0);
}

function readDuration(reader: Reader, end: number): string {
  const [seconds, nanos] = readSecondsAndNanos(reader, end);
  const sign = seconds < 0n || nanos < 0 ? '-' : '';
  const whole = seconds < 0n ? -seconds : seconds;
  return `${sign}${whole}${fraction(Math.abs(nanos))}s`;
}

/** Canonical: 0, 3, 6 or 9 digits (protobuf's ProtoJSON, "Duration" and "Timestamp"). */
function fraction(nanos: number): string {
  if (nanos === 0) return '';
  const digits = String(nanos).padStart(9, '0');
  return `.${digits.replace(/(?:000){1,2}$/, '')}`;
}

function writeTimestamp(writer: Writer, value: unknown, path: string): void {
  const match =
    typeof value === 'string'
      ? /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(value)
      : null;
  const wall = match === null ? Number.NaN : Date.parse(`${match[1]}${match[3]}`);
  if (match === null || Number.isNaN(wall)) throw invalid(path, 'is not an RFC 3339 time', value);
  writeSecondsAndNanos(writer, BigInt(wall / 1000), Number((match[2] ?? '').padEnd(9, '0')));
}

function readTimestamp(reader: Reader, end: number): string {
  const [seconds, nanos] = readSecondsAndNanos(reader, end);
  const text = new Date(Number(seconds) * 1000).toISOString();
  return `${text.slice(0, 19)}${fraction(nanos)}Z`;
}

function writeFieldMask(writer: Writer, value: unknown, path: string): void {
  if (typeof value !== 'string') throw invalid(path, "is not a field mask such as 'a,b.c'", value);
  for (const part of value.split(',').filter((part) => part !== ''))
    writer.uint32(10).string(part.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
}

function readFieldMask(reader: Reader, end: number): string {
  const paths: string[] = [];
  eachField(reader, end, (id) => id === 1 && paths.push(lowerCamel(reader.string())) > 0);
  return paths.join(',');
}

function writeStruct(writer: Writer, value: unknown, path: string): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(path, 'is not an object', value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  // Sorted, so that equal content has equal bytes and so one version.
  for (const [key, member] of members.sort(([a], [b]) => (a < b ? -1 : 1))) {
    writer.uint32(10).fork().uint32(10).string(key).uint32(18).fork();
    writeValue(writer, member, `${path}.${key}`);
    writer.ldelim().ldelim();
  }
}

function writeValue(writer: Writer, value: unknown, path: string): void {
  if (value === null) writer.uint32(8).int32(0);
  else if (typeof value === 'number') writer.uint32(17).double(value);
  else if (typeof value === 'string') writer.uint32(26).string(value);
  else if (typeof value === 'boolean') writer.uint32(32).bool(value);
  else if (Array.isArray(value)) {
    writeList(writer.uint32(50).fork(), value, path);
    writer.ldelim();
  } else {
    writeStruct(writer.uint32(42).fork(), value, path);
    writer.ldelim();
  }
}

function writeList(writer: Writer, value: unknown, path: string): void {
  if (!Array.isArray(value)) throw invalid(path, 'is not a list', value);
  value.forEach((element, i) => {
    writeValue(writer.uint32(10).fork(), element, `${path}[${i}]`);
    writer.ldelim();
  });
}

function readStruct(reader: Reader, end: number, depth: number): Record<string, unknown> {
  checkDepth(depth);
  const struct: Record<string, unknown> = {};
  eachField(reader, end, (id) => {
    if (id !== 1) return false;
    const entryEnd = reader.uint32() + reader.pos;
    let key = '';
    let value: unknown = null;
    eachField(reader, entryEnd, (id) => {
      if (id === 1) key = reader.string();
      else if (id === 2) value = readValue(reader, reader.uint32() + reader.pos, depth + 1);
      return id === 1 || id === 2;
    });
    // Not by assignment: a key `__proto__` must stay a key.
    Object.defineProperty(struct, key, { value, enumerable: true, configurable: true, writable: true });
    return true;
  });
  return struct;
}

function readValue(reader: Reader, end: number, depth: number): unknown {
  let value: unknown = null;
  eachField(reader, end, (id) => {
    if (id === 1) reader.int32();
    else if (id === 2) value = reader.double();
    else if (id === 3) value = reader.string();
    else if (id === 4) value = reader.bool();
    else if (id === 5) value = readStruct(reader, reader.uint32() + reader.pos, depth + 1);
    else if (id === 6) value = readList(reader, reader.uint32() + reader.pos, depth + 1);
    return id >= 1 && id <= 6;
  });
  return value;
}

function readList(reader: Reader, end: number, depth: number): unknown[] {
  checkDepth(depth);
  const list: unknown[] = [];
  const next = () => readValue(reader, reader.uint32() + reader.pos, depth + 1);
  eachField(reader, end, (id) => id === 1 && list.push(next()) > 0);
  return list;
}
