import type { Codec } from './contenders.ts';

/** A case that a codec must handle; `holds` throws or returns false if it does not. */
export interface Case {
  readonly what: string;
  holds(codec: Codec): boolean;
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const bytesOf = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const clusterName = 'envoy.config.cluster.v3.Cluster';
const protocols = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** Equal as JSON, whatever the order of members and whether names are snake_case or lowerCamelCase. */
function same(one: unknown, other: unknown): boolean {
  const form = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(form);
    if (typeof value !== 'object' || value === null) return value;
    const camel = (key: string) => key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    return Object.fromEntries(
      Object.entries(value)
        .map(([key, member]) => [camel(key), form(member)] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  };
  return JSON.stringify(form(one)) === JSON.stringify(form(other));
}

/** JSON that has these bytes, and these bytes that have this JSON, in canonical form. */
function both(what: string, type: string, json: unknown, bytes: string, canonical: unknown = json): Case {
  return {
    what,
    holds: (codec) =>
      hex(codec.encode(type, json)) === hex(bytesOf(bytes)) &&
      same(codec.decode(type, bytesOf(bytes)), canonical),
  };
}

/** Survives a round trip. */
function survives(what: string, type: string, json: unknown): Case {
  return { what, holds: (codec) => same(codec.decode(type, codec.encode(type, json)), json) };
}

/** Is refused with a message that names the field's path. */
function refused(what: string, type: string, json: unknown, path: RegExp): Case[] {
  const errorOf = (codec: Codec): string | undefined => {
    try {
      codec.encode(type, json);
      return undefined;
    } catch (error) {
      return String((error as Error).message);
    }
  };
  return [
    { what: `${what} is refused`, holds: (codec) => errorOf(codec) !== undefined },
    { what: `${what}: the error names its path`, holds: (codec) => path.test(errorOf(codec) ?? '') },
  ];
}

const inAny = (type: string, value: object) => ({ '@type': `type.googleapis.com/${type}`, ...value });

/** A google.protobuf.Struct within Structs, so many levels deep, on the wire. */
function deepStruct(levels: number): Uint8Array {
  // From the innermost on, each byte before those that are there.
  const reversed: number[] = [];
  const wrap = (tag: number) => {
    const length: number[] = [];
    let rest = reversed.length;
    for (; rest > 127; rest >>>= 7) length.push((rest & 127) | 128);
    reversed.push(...[tag, ...length, rest].reverse());
  };
  const key = [0x0a, 1, 'a'.charCodeAt(0)];
  for (let i = 0; i < levels; i++) {
    // The value: a Struct in a Value, within the map's entry, behind its key.
    for (const tag of [0x2a, 0x12]) wrap(tag);
    reversed.push(...key.toReversed());
    wrap(0x0a);
  }
  return Uint8Array.from(reversed.reverse());
}

function failsSoon(codec: Codec): boolean {
  try {
    codec.decode('google.protobuf.Struct', deepStruct(100_000));
    return false;
  } catch (error) {
    return !/call stack/i.test(String(error));
  }
}

export const cases: readonly Case[] = [
  both('a Duration, with 0, 3, 6 or 9 digits', 'google.protobuf.Duration', '0.250s', '10 80e59a77'),
  both(
    'a negative Duration',
    'google.protobuf.Duration',
    '-1.500s',
    '08 ffffffffffffffffff01 10 80b6ca91feffffffff01',
  ),
  both('a Timestamp', 'google.protobuf.Timestamp', '2026-01-01T00:00:00Z', '08 80f2d6ca06'),
  both('a wrapper', 'google.protobuf.UInt32Value', 32_768, '08 808002'),
  both('a wrapper at its default', 'google.protobuf.BoolValue', false, ''),
  both(
    '64 bits, beyond 2^53',
    'google.protobuf.UInt64Value',
    '18446744073709551615',
    '08 ffffffffffffffffff01',
  ),
  both('64 bits as a JSON number', 'google.protobuf.Int64Value', 7, '08 07', '7'),
  both('NaN', 'google.protobuf.DoubleValue', 'NaN', '09 000000000000f87f'),
  both('bytes in base64', 'google.protobuf.BytesValue', 'AP8=', '0a 02 00ff'),
  both('bytes in base64url, not padded', 'google.protobuf.BytesValue', '_-8', '0a 02 ffef', '/+8='),
  both('a FieldMask', 'google.protobuf.FieldMask', 'aB,c.d', '0a 03 615f62 0a 03 632e64'),
  survives('a Struct with null, lists and structs', 'google.protobuf.Struct', {
    ...{ n: 1.5, s: 'x', b: true, list: [null, 'x', [2], {}], deep: { a: { b: null } } },
  }),
  survives('an Any of a message, in a map', clusterName, {
    name: 'a',
    typed_extension_protocol_options: {
      [protocols]: inAny(protocols, { explicit_http_config: { http2_protocol_options: {} } }),
    },
  }),
  survives(
    'an Any of a well-known type',
    'google.protobuf.Any',
    inAny('google.protobuf.Duration', { value: '1s' }),
  ),
  {
    what: 'an enum by name and by number',
    holds: (codec) =>
      hex(codec.encode(clusterName, { type: 'EDS' })) === '1003' &&
      hex(codec.encode(clusterName, { type: 3 })) === '1003',
  },
  {
    what: 'an enum that a newer sender has stays a number',
    holds: (codec) => same(codec.decode(clusterName, bytesOf('10 63')), { type: 99 }),
  },
  {
    what: 'a field that a newer sender has is passed over',
    holds: (codec) => same(codec.decode(clusterName, bytesOf('0a 01 61 fa7f 01 7a')), { name: 'a' }),
  },
  {
    what: 'null is absent',
    holds: (codec) => codec.encode(clusterName, { name: null, eds_cluster_config: null }).length === 0,
  },
  {
    what: 'snake_case and lowerCamelCase are both read',
    holds: (codec) =>
      hex(codec.encode(clusterName, { alt_stat_name: 'x' })) ===
      hex(codec.encode(clusterName, { altStatName: 'x' })),
  },
  {
    what: 'the order of members changes no byte',
    holds: (codec) => {
      const metadata = (keys: string[]) => ({
        filter_metadata: Object.fromEntries(keys.map((key) => [key, { [key]: 1 }])),
      });
      const one = codec.encode(clusterName, { name: 'a', type: 'EDS', metadata: metadata(['x', 'y', 'z']) });
      const other = codec.encode(clusterName, {
        metadata: metadata(['z', 'y', 'x']),
        type: 'EDS',
        name: 'a',
      });
      return hex(one) === hex(other);
    },
  },
  ...refused('an unknown field', clusterName, { lb_config: { a: 1 } }, /lb_config|lbConfig/),
  ...refused(
    'a wrong enum deep within',
    clusterName,
    { health_checks: [{}, { http_health_check: { codec_client_type: 'FASTEST' } }] },
    /health_?checks\[1\]/i,
  ),
  ...refused('a Duration without its unit', clusterName, { connect_timeout: '5' }, /connect_?timeout/i),
  ...refused('two of a oneof', clusterName, { type: 'EDS', cluster_type: {} }, /type/),
  ...refused(
    'a number too large',
    clusterName,
    { per_connection_buffer_limit_bytes: 2 ** 32 },
    /per_?connection/i,
  ),
  ...refused('half a surrogate pair', clusterName, { name: '\ud800' }, /name/),
  { what: '100,000 levels end in an error that is not the stack’s', holds: failsSoon },
];

/** Which of the cases a codec gets wrong. */
export function wrongOf(codec: Codec): string[] {
  return cases
    .filter(({ holds }) => {
      try {
        return !holds(codec);
      } catch {
        return true;
      }
    })
    .map(({ what }) => what);
}
