import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import protobuf from 'protobufjs';
import t from 'tap';
import { sharedMessage } from '../../../src/base/shared-message.ts';
import { decodeJson, decodeResource, encodeJson, encodeResource } from '../../../src/xds/codec/codec.ts';

const clusterType: string = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
const cluster = {
  '@type': clusterType,
  name: 'checkout',
  type: 'EDS',
  connect_timeout: '0.250s',
  per_connection_buffer_limit_bytes: 32_768,
  health_checks: [{ timeout: '1s', interval: '-1.5s', http_health_check: { path: '/' } }],
  metadata: { filter_metadata: { b: { n: 1.5, list: [null, 'x', true] }, a: {} } },
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};

t.test('a resource reads back as its JSON, in canonical form', async (t) => {
  const encoded = encodeResource(cluster);
  t.equal(encoded.name, 'checkout');
  t.equal(encoded.typeUrl, clusterType);
  t.same(decodeResource(encoded), {
    ...cluster,
    health_checks: [{ ...cluster.health_checks[0], interval: '-1.500s' }],
  });
});

t.test('protobufjs, which shares no code with the codec but its wire format, reads the same', async (t) => {
  const root = new protobuf.Root();
  const require = createRequire(import.meta.url);
  const deps = join(dirname(require.resolve('@grpc/grpc-js-xds/package.json')), 'deps');
  root.resolvePath = (_origin, target) => {
    const folder = /^envoy/.test(target)
      ? 'envoy-api'
      : /^(udpa|xds)/.test(target)
        ? 'xds'
        : /^validate/.test(target)
          ? 'protoc-gen-validate'
          : 'googleapis';
    return target === 'google/protobuf/descriptor.proto'
      ? join(dirname(require.resolve('protobufjs/package.json')), target)
      : join(deps, folder, target);
  };
  await root.load('envoy/config/cluster/v3/cluster.proto', { keepCase: true });
  const type = root.lookupType('envoy.config.cluster.v3.Cluster');
  const read = type.toObject(type.decode(encodeResource(cluster).bytes), { longs: Number, enums: String });
  t.match(read, {
    name: 'checkout',
    type: 'EDS',
    connect_timeout: { nanos: 250_000_000 },
    per_connection_buffer_limit_bytes: { value: 32_768 },
    health_checks: [{ interval: { seconds: -1, nanos: -500_000_000 }, http_health_check: { path: '/' } }],
    metadata: { filter_metadata: { b: { fields: { n: { numberValue: 1.5 } } } } },
  });
});

t.test('equal content has one version and one buffer, whatever the order of its keys', async (t) => {
  const turned = Object.fromEntries(Object.entries(cluster).reverse()) as typeof cluster;
  t.equal(encodeResource(turned), encodeResource({ ...cluster }));
  const other = { ...cluster, type: 'STATIC' };
  t.not(encodeResource(other).version, encodeResource(cluster).version);
});

/** A message, and how often it was walked. */
function counted<M extends object>(message: M) {
  const walks = { count: 0 };
  const ownKeys = (target: M) => {
    walks.count += 1;
    return Reflect.ownKeys(target);
  };
  return { message: new Proxy(message, { ownKeys }), walks };
}

t.test('a message that is marked as shared is encoded once, one that is only frozen each time', async (t) => {
  const config = { ads: {}, resource_api_version: 'V3' };
  const versions = new Set<string>();
  for (const [mark, times] of [
    [sharedMessage, 1],
    [(message: object) => Object.freeze(message), 3],
  ] as [(message: object) => object, number][]) {
    const { message, walks } = counted(config);
    const marked = mark(message);
    walks.count = 0;
    for (const name of ['a', 'b', 'c']) {
      const eds_cluster_config = { eds_config: marked };
      versions.add(encodeResource({ ...{ '@type': clusterType, name, eds_cluster_config } }).version);
    }
    t.equal(walks.count, times);
  }
  t.equal(versions.size, 3, 'the bytes are the same either way');
  t.throws(() => {
    (sharedMessage({ a: 1 }) as { a: number }).a = 2;
  }, TypeError);
});

t.test('a field at its default changes nothing, a message that is there does', async (t) => {
  const bare = encodeResource({ '@type': clusterType, name: 'a' } as typeof cluster);
  const same = {
    '@type': clusterType,
    name: 'a',
    alt_stat_name: '',
    health_checks: [],
    eds_cluster_config: null,
  };
  t.equal(encodeResource(same).version, bare.version);
  const limit = { '@type': clusterType, name: 'a', per_connection_buffer_limit_bytes: 0 };
  t.not(encodeResource(limit).version, bare.version, 'a wrapper with 0 is not absent');
});

const faults: readonly [string, object, RegExp][] = [
  [
    'an unknown field',
    { namee: 'x' },
    /^Cluster\(a\)\.namee is not a field of envoy.config.cluster.v3.Cluster/,
  ],
  ['a wrong enum', { lb_policy: 'FASTEST' }, /^Cluster\(a\)\.lb_policy is not one of ROUND_ROBIN, /],
  ['a bad duration', { connect_timeout: '5' }, /^Cluster\(a\)\.connect_timeout is not a duration/],
  ['a string for a list', { health_checks: 'x' }, /^Cluster\(a\)\.health_checks is not a list/],
  ['a path in a list', { health_checks: [{}, { interval: 1 }] }, /health_checks\[1\]\.interval is not a dur/],
  ['two of a oneof', { type: 'EDS', cluster_type: {} }, /cluster_type excludes Cluster\(a\)\.type/],
  ['a number too large', { per_connection_buffer_limit_bytes: 2 ** 32 }, /is not an integer from 0 to/],
  ['an Any without type', { filters: [{ typed_config: {} }] }, /typed_config\.@type does not name a type/],
  [
    'an Any of no known type',
    { filters: [{ typed_config: { '@type': 'type.googleapis.com/a.B' } }] },
    /a\.B/,
  ],
  ['a field both ways', { lb_policy: 'RANDOM', lbPolicy: 'RANDOM' }, /lbPolicy is given twice/],
  ['half a surrogate pair', { alt_stat_name: '\ud800' }, /is not well-formed Unicode/],
];
for (const [what, fields, message] of faults) {
  t.test(`refused with its path: ${what}`, async (t) => {
    const resource = { '@type': clusterType, name: 'a', ...fields };
    t.throws(() => encodeResource(resource), { code: 'invalid', message });
  });
}

t.test('a resource needs a name and a type', async (t) => {
  t.throws(() => encodeResource({ '@type': clusterType }), { code: 'invalid', message: /has no name/ });
  t.throws(() => encodeResource({ '@type': 'Cluster' }), {
    code: 'invalid',
    message: /does not name a type/,
  });
});

t.test('fractions of seconds have 0, 3, 6 or 9 digits', async (t) => {
  const canonical = (text: string) =>
    decodeJson('google.protobuf.Duration', encodeJson('google.protobuf.Duration', text));
  t.same(['1s', '0.25s', '0.010s', '1.0005s', '0.000001s', '0.0000001s', '-2.123456789s'].map(canonical), [
    '1s',
    '0.250s',
    '0.010s',
    '1.000500s',
    '0.000001s',
    '0.000000100s',
    '-2.123456789s',
  ]);
});

t.test('every scalar and well-known type survives the way there and back', async (t) => {
  const values: readonly [string, unknown][] = [
    ['google.protobuf.Int64Value', '-9223372036854775808'],
    ['google.protobuf.UInt64Value', '18446744073709551615'],
    ['google.protobuf.DoubleValue', 'NaN'],
    ['google.protobuf.FloatValue', 0.1],
    ['google.protobuf.BytesValue', 'AAEC'],
    ['google.protobuf.BoolValue', false],
    ['google.protobuf.Duration', '-0.000000001s'],
    ['google.protobuf.Timestamp', '1969-12-31T23:59:59.500Z'],
    ['google.protobuf.FieldMask', 'fooBar,a.b'],
    ['google.protobuf.Value', { __proto__x: [1, { a: null }] }],
    ['google.protobuf.Any', { '@type': 'type.googleapis.com/google.protobuf.Duration', value: '3s' }],
    ['envoy.config.core.v3.DataSource', { inline_bytes: 'aGk=' }],
    ['envoy.type.v3.Int64Range', { start: '-5', end: '9007199254740993' }],
  ];
  for (const [type, value] of values) t.same(decodeJson(type, encodeJson(type, value)), value, type);
});

t.test('bytes that are no message are told, not guessed', async (t) => {
  const broken = { typeUrl: clusterType, bytes: Uint8Array.of(10, 200) };
  t.throws(() => decodeResource(broken), { code: 'invalid' });
});

t.test('a field of a newer sender is skipped', async (t) => {
  const bytes = Buffer.concat([
    encodeJson('envoy.config.core.v3.Node', { id: 'n' }),
    Buffer.from([0xf8, 0x7f, 1]),
  ]);
  t.same(decodeJson('envoy.config.core.v3.Node', bytes), { id: 'n' });
});

t.test('the generated types hold together when checked themselves', async (t) => {
  // The project skips library checks, and a broken declaration would quietly become `any`.
  const file = new URL('../../../protos/gen/envoy.d.ts', import.meta.url).pathname;
  const tsc = new URL('../../../node_modules/.bin/tsc', import.meta.url).pathname;
  const flags = ['--noEmit', '--strict', '--types', '', '--ignoreConfig', '--target', 'es2024'];
  const { stdout } = await promisify(execFile)(tsc, [...flags, file]).catch((error) => error);
  t.equal(stdout, '');
});

t.test('messages stand in each other no deeper than is read', (t) => {
  /** Metadata with lists in lists. */
  const nested = (levels: number) => {
    let value: unknown = 'x';
    for (let i = 0; i < levels; i += 1) value = [value];
    return encodeJson('envoy.config.core.v3.Node', { id: 'n', metadata: { a: value } });
  };
  t.ok(decodeJson('envoy.config.core.v3.Node', nested(40)));
  t.throws(() => decodeJson('envoy.config.core.v3.Node', nested(1_000)), {
    code: 'invalid',
    message: /messages are nested more than 100 levels deep/,
  });
  // A matcher of CSDS holds another one.
  let matcher: object = { null_match: {} };
  for (let i = 0; i < 60; i += 1) matcher = { list_match: { one_of: matcher } };
  const bytes = encodeJson('envoy.type.matcher.v3.ValueMatcher', matcher);
  t.throws(() => decodeJson('envoy.type.matcher.v3.ValueMatcher', bytes), { code: 'invalid' });
  t.end();
});
