import t from 'tap';
import {
  parseTrafficAnnotations,
  trafficFromAnnotations,
} from '../../../src/model/annotations/annotations.ts';
import type { ServiceEntry } from '../../../src/model/service.ts';
import { addressKind } from '../../../src/model/values/address.ts';
import { parseObject } from '../../../src/registry/parse/object.ts';

function entry(annotations: Record<string, string>): ServiceEntry {
  return {
    kind: 'ServiceEntry',
    meta: { namespace: 'shop', name: 's', labels: {}, annotations, origin: '' },
    spec: { hosts: ['a'], ports: [], resolution: 'STATIC', location: 'MESH_INTERNAL', endpoints: [] },
  };
}

t.test('all settings', async (t) => {
  const traffic = trafficFromAnnotations(
    entry({
      'isthmus.dev/timeout': '3s',
      'isthmus.dev/idle-timeout': '2h',
      'isthmus.dev/retry-body-limit': '8Mi',
      'isthmus.dev/per-try-timeout': '800ms',
      'isthmus.dev/round-trip': '0.4s',
      'isthmus.dev/retries': '2',
      'isthmus.dev/idempotent-methods': 'GET, PUT,GET',
      'isthmus.dev/health-path': '/healthz?deep=1',
      'isthmus.dev/health-interval': '0.5s',
      'other.dev/timeout': '9s',
    }),
  );
  t.strictSame(traffic, {
    timeoutMs: 3000,
    idleTimeoutMs: 7_200_000,
    retryBodyBytes: 8_388_608,
    perTryTimeoutMs: 800,
    roundTripMs: 400,
    retries: 2,
    idempotentMethods: ['GET', 'PUT'],
    health: { path: '/healthz?deep=1', intervalMs: 500 },
  });
});

t.test('no settings, and lists of none', async (t) => {
  t.strictSame(trafficFromAnnotations(entry({})), {});
  t.strictSame(trafficFromAnnotations(entry({ 'isthmus.dev/idempotent-methods': '' })), {
    idempotentMethods: [],
  });
  t.strictSame(trafficFromAnnotations(entry({ 'isthmus.dev/timeout': '0' })), { timeoutMs: 0 });
});

t.test('faulty annotations are named and ignored, the rest is read', async (t) => {
  const { traffic, faults } = parseTrafficAnnotations({
    'isthmus.dev/timeout': 'x',
    'isthmus.dev/retries': '1',
  });
  t.strictSame(traffic, { retries: 1 });
  t.match(faults, [{ key: 'isthmus.dev/timeout', message: /not a duration/ }]);
});

t.test('sizes of bodies', async (t) => {
  const limit = (value: string) => parseTrafficAnnotations({ 'isthmus.dev/retry-body-limit': value });
  for (const [text, bytes] of [
    ['0', 0],
    ['65536', 65_536],
    ['512Ki', 524_288],
    ['1M', 1_000_000],
    ['64Mi', 67_108_864],
  ] as const)
    t.strictSame(limit(text), { traffic: { retryBodyBytes: bytes }, faults: [] });
  for (const text of ['', '4MB', '-1', '1.5Mi', '1Ti'])
    t.match(limit(text).faults, [{ message: /not a size/ }]);
  t.match(limit('65Mi').faults, [{ message: /at most 64Mi/ }]);
});

t.test('a round trip is one that gateways can have', async (t) => {
  for (const text of ['0ms', '2.1s', 'far', '5'])
    t.match(parseTrafficAnnotations({ 'isthmus.dev/round-trip': text }).faults, [
      { key: 'isthmus.dev/round-trip', message: /give 1ms to 2000ms/ },
    ]);
});

t.test('one try may not be longer than all', async (t) => {
  const longer = { 'isthmus.dev/timeout': '1s', 'isthmus.dev/per-try-timeout': '2s' };
  t.match(parseTrafficAnnotations(longer).faults, [{ key: 'isthmus.dev/per-try-timeout' }]);
  t.strictSame(
    parseTrafficAnnotations({ ...longer, 'isthmus.dev/timeout': '0' }).faults,
    [],
    '0 is no limit',
  );
});

t.test('kinds of addresses', async (t) => {
  const kinds = {
    '10.0.0.1': 'ip',
    '2001:db8::1': 'ip',
    'a.b': 'dns',
    '1.2.3.x': 'dns',
    'unix:///a:b': 'unix',
    '': 'none',
  };
  t.equal(addressKind('10.0.0.256'), 'dns', 'no IP to Envoy');
  t.equal(addressKind('010.0.0.1'), 'dns', 'no IP to Envoy');
  for (const [address, kind] of Object.entries(kinds)) t.equal(addressKind(address), kind, address);
});

t.test('the annotations of an object are read once, when it is parsed', async (t) => {
  const { object } = parseObject(
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'ServiceEntry',
      metadata: { name: 's', annotations: { 'isthmus.dev/timeout': '2s' } },
      spec: {
        hosts: ['a.example'],
        resolution: 'DNS',
        ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
      },
    },
    'here',
  );
  if (object?.kind !== 'ServiceEntry') throw new Error('it has faults');
  const traffic = trafficFromAnnotations(object);
  t.same(traffic, { timeoutMs: 2000 });
  t.equal(trafficFromAnnotations(object), traffic, 'not read again, but the same');
  t.not(trafficFromAnnotations(entry({ 'isthmus.dev/timeout': '2s' })), traffic, 'each object has its own');
});
