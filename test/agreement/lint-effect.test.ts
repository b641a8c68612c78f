import t from 'tap';
import { checkAgreement } from '../../src/agreement/agreement.ts';
import { renderPath } from '../../src/model/values/field-path.ts';
import { parseObject } from '../../src/registry/parse/object.ts';
import { drGroup, idc, type RawObject, service, workload } from '../registry/objects.ts';

// What is allowed and has no effect in this combination is told.

/**
 * What is told of these objects beside two Idcs, two instances and whatever `but` names: `name path:
 * message`.
 */
function told(...raws: RawObject[]): string[] {
  const all = [
    idc('sh-a'),
    idc('sh-b'),
    workload('w'),
    workload('w-2', { locality: 'sh-b/zone-1' }),
    ...raws,
  ];
  const parsed = all.map((raw) => parseObject(raw, 'mesh.yaml'));
  const errors = parsed.flatMap(({ faults }) => faults).filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  const objects = parsed.flatMap(({ object }) => object ?? []);
  return checkAgreement({ objects, wallMs: 0 })
    .filter(({ message }) => /effect/.test(message))
    .map(({ object, path, message }) => `${object.meta.name} ${renderPath(path)}: ${message}`);
}

const group = (traffic: object): RawObject => {
  const raw = drGroup('g', ['a.example'], 'sh-a', 'sh-b');
  return { ...raw, spec: { ...raw.spec, capacity: { concurrentPerInstance: 100 }, traffic } };
};
const annotated = (annotations: Record<string, string>, spec: Record<string, unknown> = {}): RawObject => {
  const raw = service('s', 'a.example', spec);
  return { ...raw, metadata: { ...raw.metadata, annotations } };
};
const rule = (trafficPolicy: object): RawObject => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'DestinationRule',
  metadata: { name: 'r', namespace: 'shop' },
  spec: { host: 'a.example', trafficPolicy },
});
const tcp = { ports: [{ number: 80, name: 'tcp', protocol: 'TCP' }] };

t.test('retries, hedging and times of a DR group', async (t) => {
  const entry = service('s', 'a.example');
  const of = (traffic: object) => told(entry, group(traffic));
  t.match(of({ hedge: true, retries: 0 }), [/^g spec\.traffic\.hedge: has no effect: `retries` is 0/]);
  t.match(of({ perTryTimeout: '1s', retries: 0 }), [
    /^g spec\.traffic\.perTryTimeout: .*bounded by `timeout`/,
  ]);
  t.match(of({ idempotentMethods: ['GET'], retries: 0 }), [/^g spec\.traffic\.idempotentMethods: /]);
  const budget = { requestsPerSecond: 300 };
  t.match(of({ retryBudget: budget, retries: 0 }), [
    /^g spec\.traffic\.retryBudget: has no effect: `retries` is 0/,
  ]);
  t.match(told(annotated({ 'isthmus.dev/retry-budget': '300' }), group({ retries: 0 })), [
    /^s metadata\.annotations\["isthmus\.dev\/retry-budget"\]: has no effect: `retries` is 0/,
  ]);
  t.match(told(annotated({ 'isthmus.dev/retry-budget': '300' }, tcp)), [/no port is HTTP/]);
  t.match(of({ hedge: true, idempotentMethods: [] }), [
    /^g spec\.traffic\.hedge: .*`idempotentMethods` is empty/,
  ]);
  t.match(of({ hedge: true, timeout: '400ms' }), [
    /ends by `timeout` after 400ms, before .* at 400ms \(the default\)/,
  ]);
  t.match(of({ hedge: true, timeout: '1s', perTryTimeout: '1s' }), [
    /after 1000ms, before .* at 1000ms\. Shorten/,
  ]);
  for (const good of [
    { hedge: true },
    { retryBudget: budget },
    { hedge: true, timeout: '401ms' },
    { hedge: true, timeout: '300ms', perTryTimeout: '100ms' },
    { hedge: false, retries: 0, timeout: '1s' },
    { perTryTimeout: '1s', timeout: '1s' },
  ])
    t.strictSame(of(good), [], JSON.stringify(good));
});

t.test('what annotations and a DR group say together is told once, at the annotation', async (t) => {
  t.match(told(annotated({ 'isthmus.dev/retries': '0' }), group({ hedge: true })), [
    /^s metadata\.annotations\["isthmus\.dev\/retries"\]: hedge has no effect: `retries` is 0/,
  ]);
  t.match(told(annotated({ 'isthmus.dev/hedge': 'true' }), group({ retries: 0 })), [
    /^s metadata\.annotations\["isthmus\.dev\/hedge"\]: has no effect/,
  ]);
  t.equal(told(annotated({ 'isthmus.dev/timeout': '9s' }), group({ hedge: true, retries: 0 })).length, 1);
});

t.test('health settings without effect', async (t) => {
  const often = annotated({ 'isthmus.dev/health-interval': '1s' });
  t.match(told(often), [
    /^s metadata\.annotations\["isthmus\.dev\/health-interval"\]: has no effect: nothing says how/,
  ]);
  t.strictSame(told(often, group({ health: { path: '/up' } })), []);
  t.strictSame(told(annotated({ 'isthmus.dev/health-enabled': 'false' })), []);
});

t.test('settings of requests where there are none', async (t) => {
  t.match(told(annotated({ 'isthmus.dev/timeout': '9s' }, tcp)), [
    /^s metadata\.annotations\["isthmus\.dev\/timeout"\]: has no effect: no port is HTTP/,
  ]);
  const untyped = drGroup('g', ['a.example'], 'sh-a', 'sh-b');
  const tcpGroup = { ...untyped, spec: { ...untyped.spec, traffic: { timeout: '1s', retries: 1 } } };
  t.match(told(service('s', 'a.example', tcp), tcpGroup), [
    /^g spec\.traffic\.timeout: has no effect: no port of its hosts/,
    /^g spec\.traffic\.retries: /,
  ]);
});

t.test('a rule for what no port has', async (t) => {
  const hash = { loadBalancer: { consistentHash: { httpHeaderName: 'x-user' } } };
  const bySource = { loadBalancer: { consistentHash: { useSourceIp: true } } };
  const settings = (number: number, policy: object) => ({
    portLevelSettings: [{ port: { number }, ...policy }],
  });
  t.match(told(service('s', 'a.example', tcp), rule(hash)), [
    /^r spec\.trafficPolicy\.loadBalancer\.consistentHash: has no effect: a TCP connection has no header/,
  ]);
  t.match(told(service('s', 'a.example', tcp), rule(settings(80, hash))), [
    /portLevelSettings: has no effect: a TCP/,
  ]);
  t.match(told(service('s', 'a.example'), rule(settings(8080, bySource))), [
    /^r spec\.trafficPolicy\.portLevelSettings: port 8080 has no effect: .*has it, but 80\./,
  ]);
  t.strictSame(told(service('s', 'a.example', tcp), rule(bySource)), []);
  t.strictSame(told(service('s', 'a.example'), rule({ ...hash, ...settings(80, hash) })), []);
});

t.test('names of a certificate where nobody speaks TLS', async (t) => {
  const named = service('s', 'a.example', { subjectAltNames: ['x.example'] });
  t.match(told(named), [/^s spec\.subjectAltNames: have no effect/]);
  t.strictSame(told(named, rule({ tls: { mode: 'SIMPLE' } })), []);
});

t.test('trusted proxies, none of them', async (t) => {
  const raw = idc('sh-c');
  const trusting = (hops: number) => ({
    ...raw,
    spec: { ...raw.spec, edge: { trustedProxies: { hops, from: ['10.0.0.0/8'] } } },
  });
  t.match(told(trusting(0)), [/^sh-c spec\.edge\.trustedProxies\.from: has no effect: `hops` is 0/]);
  t.strictSame(told(trusting(1)), []);
});

t.test('annotations that nearly are Isthmus’s', async (t) => {
  const warnings = (annotations: Record<string, string>, labels = {}) => {
    const raw = annotated(annotations);
    return parseObject({ ...raw, metadata: { ...raw.metadata, labels } }, 'm.yaml').faults.map(
      ({ severity, path, message }) => `${severity} ${renderPath(path)}: ${message}`,
    );
  };
  for (const key of [
    'isthmus.io/timeout',
    'istmus.dev/timeout',
    'Isthmus.dev/retries',
    'mesh.isthmus.dev/hedge',
  ])
    t.match(warnings({ [key]: '1' }), [/^warning metadata\.annotations.*begin with isthmus\.dev\/\.$/], key);
  t.match(warnings({ 'isthmus.dev/time-out': '1s' }), [/^error .*Did you mean 'isthmus\.dev\/timeout'/]);
  t.match(warnings({}, { 'isthmus.dev/timeout': '1s' }), [
    /^warning metadata\.labels.*move it to `annotations`/,
  ]);
  for (const key of ['networking.istio.io/exportTo', 'example.com/timeout', 'istio.io/rev', 'timeout'])
    t.strictSame(warnings({ [key]: 'x' }), [], key);
});

const grpc = { ports: [{ number: 80, name: 'grpc', protocol: 'GRPC' }] };
const mixed = { ports: [...grpc.ports, { number: 81, name: 'http', protocol: 'HTTP' }] };
const withSpec = (spec: object, ...idcs: readonly object[]): RawObject => {
  const raw = group({});
  return { ...raw, spec: { ...raw.spec, ...spec, ...(idcs.length > 0 && { idcs }) } };
};

t.test('times, hedging and methods where all is gRPC', async (t) => {
  const given = {
    timeout: '1s',
    perTryTimeout: '500ms',
    hedge: true,
    idempotentMethods: ['GET'],
    retries: 1,
  };
  const fields = told(service('s', 'a.example', grpc), group(given)).map(
    (text) => /traffic\.(\w+): has no effect on gRPC/.exec(text)?.[1],
  );
  t.strictSame(fields.filter(Boolean).sort(), ['hedge', 'idempotentMethods', 'perTryTimeout', 'timeout']);
  t.match(told(annotated({ 'isthmus.dev/timeout': '1s' }, grpc)), [
    /^s .*timeout"\]: has no effect on gRPC calls/,
  ]);
  t.strictSame(told(service('s', 'a.example', mixed), group({ timeout: '1s' })), []);
  t.strictSame(
    told(service('s', 'a.example', grpc), group({ timeout: '0', hedge: false, idleTimeout: '1s' })),
    [],
  );
});

t.test('the way to another IDC where there is none, or one', async (t) => {
  const entry = service('s', 'a.example');
  const home = withSpec({ hopLimit: 0, capacity: undefined, traffic: { roundTrip: '9ms' } });
  t.match(told(entry, home), [/^g spec\.traffic\.roundTrip: has no effect: with hopLimit 0/]);
  t.strictSame(told(entry, group({ roundTrip: '9ms' })), []);
  const far = annotated({ 'isthmus.dev/round-trip': '9ms' });
  t.match(told(far), [/^s .*round-trip"\]: has no effect: no DrGroup is for these hosts/]);
  t.match(told(far, withSpec({ hopLimit: 0, capacity: undefined })), [
    /round-trip"\]: has no effect: with hopLimit 0/,
  ]);
  t.strictSame(told(far, group({})), []);
  const [a, b] = ['sh-a', 'sh-b'].map((name) => ({ name, weight: 1 }));
  t.match(told(entry, withSpec({}, a as object, b as object)), [
    /^g spec\.idcs\[0\]\.weight: has no effect: of two IDCs/,
  ]);
  const three = withSpec({}, a as object, b as object, { name: 'sh-c', weight: 0 });
  t.strictSame(told(idc('sh-c'), entry, three), []);
  t.match(told(entry, withSpec({ hopLimit: 2 })), [
    /^g spec\.hopLimit: has no more effect than 1: among 2 IDCs/,
  ]);
  t.strictSame(told(idc('sh-c'), entry, { ...three, spec: { ...three.spec, hopLimit: 2 } }), []);
});

t.test('what an instance of an IDC bears, where nobody comes from another', async (t) => {
  const raw = idc('sh-c');
  const bears = { ...raw, spec: { ...raw.spec, capacity: { concurrentPerInstance: 5 } } };
  const entry = service('s', 'a.example');
  t.match(told(bears, entry, group({})), [/^sh-c spec\.capacity: has no effect: no DrGroup lets/]);
  const names = [{ name: 'sh-a' }, { name: 'sh-c' }];
  t.strictSame(told(bears, entry, withSpec({}, ...names)), []);
  t.match(told(bears, entry, withSpec({ hopLimit: 0, capacity: undefined }, ...names)), [
    /^sh-c spec\.capacity: /,
  ]);
});

t.test('the share of a retry budget where requests may leave: a note', async (t) => {
  const budget = { retryBudget: { requestsPerSecond: 300, share: '30%' } };
  const entry = service('s', 'a.example');
  t.match(told(entry, group(budget)), [
    /^g spec\.traffic\.retryBudget\.share: has no effect if requests may leave/,
  ]);
  t.strictSame(told(entry, withSpec({ hopLimit: 0, capacity: undefined, traffic: budget })), []);
  const own = annotated({ 'isthmus.dev/retry-budget': '300,30%' });
  t.match(told(own, group({})), [/^s .*retry-budget"\]: its share has no effect if/]);
  t.strictSame(told(own), []);
  t.strictSame(told(annotated({ 'isthmus.dev/retry-budget': '300' }), group({})), []);
});

t.test('a warm-up by reads where there are none', async (t) => {
  const health = { path: '/up', grpc: true };
  const warm = (own: Record<string, unknown>, traffic: object = {}) =>
    told(
      service('s', 'a.example', own),
      withSpec({ failback: { warmup: 'mirror' }, traffic: { health, ...traffic } }),
    ).filter((text) => /failback/.test(text));
  t.match(warm(grpc), [/^g spec\.failback\.warmup: has no effect: gRPC calls are POSTs/]);
  t.match(warm({}, { idempotentMethods: ['PUT'] }), [
    /warmup: has no effect: `idempotentMethods` has neither/,
  ]);
  t.strictSame(warm(mixed), []);
  t.strictSame(warm({}), []);
});
