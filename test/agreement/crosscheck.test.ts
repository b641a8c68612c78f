import t from 'tap';
import { checkAgreement } from '../../src/agreement/agreement.ts';
import type { Finding } from '../../src/model/finding.ts';
import { type MeshObject, refKey, refOf } from '../../src/model/object.ts';
import type { ObjectEntry } from '../../src/registry/files/documents.ts';
import { createObjectsInForce } from '../../src/registry/files/objects-in-force.ts';
import { findingOf } from '../../src/registry/parse/fault.ts';
import { parseObject } from '../../src/registry/parse/object.ts';
import { drGroup, idc, type RawObject, service, workload } from '../registry/objects.ts';

function parse(...raws: RawObject[]): MeshObject[] {
  return raws.map((raw, index) => {
    const { object, faults } = parseObject(raw, `mesh.yaml:${index}`);
    if (object === undefined) throw new Error(JSON.stringify(faults));
    return object;
  });
}

/** What a catalog rejects of these objects, in this order, and what a look at the rest finds. */
function crossCheck(objects: readonly MeshObject[]): Finding[] {
  const catalog = createObjectsInForce();
  const entries = objects.map((object): ObjectEntry => {
    const ref = refOf(object);
    return { key: refKey(ref), ref, origin: object.meta.origin, object };
  });
  catalog.setFile('mesh.yaml', entries);
  catalog.applyClaims([]);
  return [
    ...catalog.faults().map(({ entry, fault }) => findingOf(fault, entry.origin, entry.ref)),
    ...checkAgreement({ objects: catalog.objects(), wallMs: 0 }).map(({ code, object, path, message }) =>
      findingOf({ code, severity: 'warning', path, message }, object.meta.origin),
    ),
  ];
}

/** Problems as `severity where path`. */
function check(...raws: RawObject[]): string[] {
  return crossCheck(parse(...raws)).map(
    ({ severity, where, path }) => `${severity} ${where.slice(10)} ${path}`,
  );
}

const labelled = (raw: RawObject, labels: Record<string, string>): RawObject => ({
  ...raw,
  metadata: { ...raw.metadata, labels },
});
const rule = (host: string): RawObject => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'DestinationRule',
  metadata: { name: 'r', namespace: 'shop' },
  spec: { host },
});
const whole = [idc('sh-a'), idc('sh-b'), service('s', 'a.example'), workload('w')];

t.test('a mesh in which nothing is wrong', async (t) => {
  t.strictSame(
    check(...whole, drGroup('g', ['a.example'], 'sh-a', 'sh-b'), rule('a.example'), rule('*.example')).length,
    1,
    'but for the two rules of one name',
  );
  t.strictSame(check(...whole, drGroup('g', ['a.example'], 'sh-a', 'sh-b'), rule('*.example')), []);
});

t.test('one name twice', async (t) => {
  t.strictSame(check(...whole, workload('w', { weight: 2 })), ['error 4 metadata.name']);
});

t.test('a host in two ServiceEntries', async (t) => {
  const second = (spec: Record<string, unknown>) =>
    service('z', 'b.example', { hosts: ['b.example', 'A.example'], ...spec });
  t.strictSame(check(...whole, second({})), [], 'they add up');
  const http2 = { ports: [{ number: 80, name: 'http', protocol: 'HTTP2' }] };
  t.strictSame(check(...whole, second(http2)), ['warning 4 spec.ports[0].protocol']);
});

t.test('a host named by two DrGroups', async (t) => {
  const groups = [drGroup('z', ['a.example'], 'sh-a', 'sh-b'), drGroup('g', ['a.example'], 'sh-b', 'sh-a')];
  t.strictSame(check(...whole, ...groups), ['error 5 spec.hosts[0]']);
});

t.test('ServiceEntries selected by two DrGroups', async (t) => {
  const select = (name: string, labels: Record<string, string>): RawObject => ({
    ...drGroup(name, [], 'sh-a', 'sh-b'),
    spec: {
      selector: { matchLabels: labels },
      idcs: [{ name: 'sh-a' }, { name: 'sh-b' }],
      capacity: { concurrentPerInstance: 100 },
    },
  });
  const mesh = [
    idc('sh-a'),
    idc('sh-b'),
    labelled(service('s', 'a.example'), { tier: 'gold', team: 'x' }),
    workload('w'),
  ];
  t.strictSame(check(...mesh, select('b', { tier: 'gold' }), select('a', { team: 'x' })), [
    'warning 4 spec.selector.matchLabels',
  ]);
  t.strictSame(
    check(...mesh, select('b', { tier: 'gold' }), drGroup('a', ['a.example'], 'sh-a', 'sh-b')),
    [],
    'naming it is an exception',
  );
});

t.test('IDCs that nobody defines', async (t) => {
  const problems = crossCheck(parse(...whole, drGroup('g', ['a.example'], 'sh-a', 'sh-c')));
  t.match(problems, [
    { severity: 'error', path: 'spec.idcs[1].name', message: /no Idc is named 'sh-c'.*Did you mean 'sh-a'/ },
  ]);
  t.strictSame(check(...whole, workload('x', { locality: 'sh-x/z' })), ['warning 4 spec.locality']);
  t.strictSame(
    check(service('s', 'a.example'), workload('x', { locality: 'sh-x/z' })),
    [],
    'without any Idc names are free',
  );
});

t.test('what has no effect', async (t) => {
  t.strictSame(check(...whole, drGroup('g', ['b.example'], 'sh-a', 'sh-b')), ['warning 4 spec.hosts[0]']);
  t.strictSame(check(...whole, rule('b.example')), ['warning 4 spec.host']);
  t.strictSame(check(...whole, workload('x', { labels: { app: 'other' } })), ['warning 4 spec.labels']);
  const elsewhere = { ...workload('x'), metadata: { name: 'x', namespace: 'else' } };
  t.strictSame(check(...whole, elsewhere), ['warning 4 spec.labels'], 'selectors end at their namespace');
});

t.test('a rejected object does not reject others', async (t) => {
  // z-1 lacks its Idc, so its host is free for z-2.
  const groups = [
    drGroup('z-1', ['a.example'], 'sh-a', 'sh-c'),
    drGroup('z-2', ['a.example'], 'sh-a', 'sh-b'),
  ];
  t.strictSame(check(...whole, ...groups), ['error 4 spec.idcs[1].name']);
});

t.test('health: what matches no port, and ports that are not checked', async (t) => {
  const withPorts = (ports: object[], annotations = {}): RawObject => {
    const raw = service('s', 'a.example');
    return { ...raw, metadata: { ...raw.metadata, annotations }, spec: { ...raw.spec, ports } };
  };
  const http = { number: 80, name: 'http', protocol: 'HTTP' };
  const grpc = { number: 90, name: 'rpc', protocol: 'GRPC' };
  const tcp = { number: 70, name: 'db', protocol: 'TCP' };
  const found = (health: object, ...ports: object[]) =>
    crossCheck(
      parse(idc('sh-a'), idc('sh-b'), workload('w'), withPorts(ports), {
        ...drGroup('dr', ['a.example'], 'sh-a', 'sh-b'),
        spec: { ...drGroup('dr', ['a.example'], 'sh-a', 'sh-b').spec, traffic: { health } },
      }),
    ).map(({ path, message }) => `${path}: ${message}`);
  const at = 'spec.traffic.health';
  t.strictSame(found({ path: '/up' }, http), []);
  t.strictSame(found({ path: '/up', grpc: true }, http, grpc), []);
  t.strictSame(found({ path: '/up', ports: { rpc: { enabled: false } } }, http, grpc), []);
  const table: [object, object[], string, RegExp][] = [
    [{ path: '/up' }, [grpc], `${at}.path`, /none is HTTP or HTTP2/],
    [{ path: '/up' }, [http, grpc], `${at}.path`, /is not asked for at rpc \(90\), which is GRPC/],
    [{ grpc: true }, [http], `${at}.grpc`, /none is GRPC/],
    [
      { path: '/up', ports: { htp: { path: '/x' } } },
      [http],
      `${at}.ports.htp`,
      /no port has this name or number.*http/,
    ],
    [{ path: '/up', ports: { 81: { path: '/x' } } }, [http], `${at}.ports.81`, /no port has this/],
    [
      { path: '/up', ports: { db: { path: '/x' } } },
      [http, tcp],
      `${at}.ports.db`,
      /not HTTP, HTTP2 or GRPC/,
    ],
    [
      { grpc: true, ports: { rpc: { path: '/x' } } },
      [grpc],
      `${at}.ports.rpc.path`,
      /is GRPC, which is not asked by HTTP/,
    ],
    [{ path: '/up', ports: { 80: { grpc: true } } }, [http], `${at}.ports.80.grpc`, /gRPC needs HTTP\/2/],
  ];
  for (const [health, ports, path, words] of table) {
    const problems = found(health, ...ports);
    t.ok(
      problems.some((text) => text.startsWith(`${path}:`) && words.test(text)),
      problems.join('\n'),
    );
  }
  const annotated = (annotations: object) =>
    crossCheck(parse(idc('sh-a'), workload('w'), withPorts([http], annotations))).map(
      ({ path, message }) => `${path}: ${message}`,
    );
  t.strictSame(annotated({ 'isthmus.dev/health-path.http': '/up' }), []);
  t.match(annotated({ 'isthmus.dev/health-path.admin': '/up' }), [
    /health-path.admin.*: no port has this name/,
  ]);
  t.match(annotated({ 'isthmus.dev/health-grpc': 'true' }), [/health-grpc.*: matches no port/]);
});

t.test('an edge port that is also a port of a host', async (t) => {
  const ports = (...numbers: number[]) => named('p', ...numbers);
  const named = (name: string, ...numbers: number[]) =>
    service(name, 'p.example', {
      ports: numbers.map((number) => ({ number, name: `p${number}`, protocol: 'HTTP' })),
    });
  t.match(crossCheck(parse(...whole, ports(80, 8080))), [
    {
      severity: 'warning',
      path: 'spec.ports[1].number',
      message: /edge port of Idc sh-a.*the default one, 80/,
    },
  ]);
  t.strictSame(check(...whole, ports(8080, 80)), [], 'the default one is meant anyway');
  t.strictSame(check(...whole, ports(80, 8081)), []);
  t.strictSame(
    check(...whole, named('a', 80), named('b', 8080)),
    ['warning 5 spec.ports[0].number'],
    'the first one’s',
  );
});

t.test('an edge that trusts every client', async (t) => {
  const edge = (policy: object): RawObject => ({
    ...idc('sh-a'),
    spec: { ...idc('sh-a').spec, edge: policy },
  });
  const from = ['10.0.0.0/8'];
  for (const [policy, path] of [
    [{ trustedProxies: { hops: 1 } }, 'spec.edge.trustedProxies'],
    [{ proxyProtocol: 'optional' }, 'spec.edge.proxyProtocol'],
    [{ proxyProtocol: 'required', trustedProxies: { hops: 0 } }, 'spec.edge.proxyProtocol'],
  ] as const) {
    t.strictSame(check(edge(policy)), [`warning 0 ${path}`]);
  }
  t.strictSame(check(edge({ trustedProxies: { hops: 1, from }, proxyProtocol: 'required' })), []);
  t.strictSame(check(edge({})), []);
});
