import type { Reader, Writer } from 'protobufjs/minimal.js';
import { invalid } from './invalid.ts';

/** A scalar type: wire type, how its JSON form is written and how it is read back. */
interface Scalar {
  readonly wire: 0 | 1 | 2 | 5;
  /** Writes the value without its tag; throws MeshError 'invalid' naming `path`. */
  write(writer: Writer, value: unknown, path: string): void;
  /** Reads the value in its proto3 JSON form. */
  read(reader: Reader): string | number | boolean;
  readonly isDefault: (value: unknown) => boolean;
}

const isZero = (value: unknown) => value === 0 || value === '0';

/** A 32-bit integer in JSON: a number, or digits in a string. */
function int32(value: unknown, path: string, min: number, max: number): number {
  const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isInteger(number) || number < min || number > max)
    throw invalid(path, `is not an integer from ${min} to ${max}`, value);
  return number;
}

/** A 64-bit integer in JSON: a number that is exact, or digits in a string. Given back as digits. */
function int64(value: unknown, path: string, min: bigint, max: bigint): string {
  const exact = typeof value === 'number' ? Number.isSafeInteger(value) : /^-?\d+$/.test(String(value));
  if ((typeof value !== 'number' && typeof value !== 'string') || !exact)
    throw invalid(path, 'is not a 64-bit integer (beyond 2^53 write it as a string)', value);
  const big = BigInt(value);
  if (big < min || big > max) throw invalid(path, `is not an integer from ${min} to ${max}`, value);
  return big.toString();
}

function float(value: unknown, path: string): number {
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value);
  if (typeof value !== 'number') throw invalid(path, 'is not a number', value);
  return value;
}

function readFloat(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

const int32Range = [-(2 ** 31), 2 ** 31 - 1] as const;
const uint32Range = [0, 2 ** 32 - 1] as const;
const int64Range = [-(2n ** 63n), 2n ** 63n - 1n] as const;
const uint64Range = [0n, 2n ** 64n - 1n] as const;

type Method32 = 'int32' | 'uint32' | 'sint32' | 'fixed32' | 'sfixed32';
type Method64 = 'int64' | 'uint64' | 'sint64' | 'fixed64' | 'sfixed64';

function scalar32(method: Method32, wire: 0 | 5, range: readonly [number, number]): Scalar {
  return {
    wire,
    write: (writer, value, path) => writer[method](int32(value, path, ...range)),
    read: (reader) => reader[method](),
    isDefault: isZero,
  };
}

function scalar64(method: Method64, wire: 0 | 1, range: readonly [bigint, bigint]): Scalar {
  return {
    wire,
    write: (writer, value, path) => writer[method](int64(value, path, ...range)),
    read: (reader) => reader[method]().toString(),
    isDefault: isZero,
  };
}

/** Every scalar type of proto3, by name. */
export const scalars: ReadonlyMap<string, Scalar> = new Map<string, Scalar>([
  ['int32', scalar32('int32', 0, int32Range)],
  ['uint32', scalar32('uint32', 0, uint32Range)],
  ['sint32', scalar32('sint32', 0, int32Range)],
  ['fixed32', scalar32('fixed32', 5, uint32Range)],
  ['sfixed32', scalar32('sfixed32', 5, int32Range)],
  ['int64', scalar64('int64', 0, int64Range)],
  ['uint64', scalar64('uint64', 0, uint64Range)],
  ['sint64', scalar64('sint64', 0, int64Range)],
  ['fixed64', scalar64('fixed64', 1, uint64Range)],
  ['sfixed64', scalar64('sfixed64', 1, int64Range)],
  [
    'double',
    {
      wire: 1,
      write: (writer, value, path) => writer.double(float(value, path)),
      read: (reader) => readFloat(reader.double()),
      isDefault: (value) => Object.is(value, 0),
    },
  ],
  [
    'float',
    {
      wire: 5,
      write: (writer, value, path) => writer.float(float(value, path)),
      // The nearest short decimal, so that 0.1 reads back as 0.1.
      read: (reader) => readFloat(Number(reader.float().toPrecision(8))),
      isDefault: (value) => Object.is(value, 0),
    },
  ],
  [
    'bool',
    {
      wire: 0,
      write(writer, value, path) {
        if (typeof value !== 'boolean') throw invalid(path, 'is not true or false', value);
        writer.bool(value);
      },
      read: (reader) => reader.bool(),
      isDefault: (value) => value === false,
    },
  ],
  [
    'string',
    {
      wire: 2,
      write(writer, value, path) {
        if (typeof value !== 'string') throw invalid(path, 'is not a string', value);
        // A lone surrogate has no UTF-8 form, and Envoy refuses the whole message for it.
        if (!value.isWellFormed()) throw invalid(path, 'is not well-formed Unicode', value);
        writer.string(value);
      },
      read: (reader) => reader.string(),
      isDefault: (value) => value === '',
    },
  ],
  [
    'bytes',
    {
      wire: 2,
      write: (writer, value, path) => writer.bytes(bytesOf(value, path)),
      read: (reader) => Buffer.from(reader.bytes()).toString('base64'),
      isDefault: (value) => value === '' || (value instanceof Uint8Array && value.length === 0),
    },
  ],
]);

function bytesOf(value: unknown, path: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(value))
    throw invalid(path, 'is not base64 or bytes', value);
  return Buffer.from(value, 'base64');
}
