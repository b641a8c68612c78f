import t from 'tap';
import { renderPath } from '../../../src/model/values/field-path.ts';
import { parseObject } from '../../../src/registry/parse/object.ts';
import { drGroup, idc, type RawObject } from '../objects.ts';

function read(raw: unknown) {
  const { object, faults } = parseObject(raw, 'test.yaml:1');
  t.notOk(
    faults.some(({ severity }) => severity === 'warning'),
    'our own kinds are strict: no warnings',
  );
  return { object, errors: faults.map(({ path, message }) => `${renderPath(path)}: ${message}`) };
}

function withSpec(raw: RawObject, spec: Record<string, unknown>): unknown {
  return { ...raw, spec: { ...raw.spec, ...spec } };
}

const group = drGroup('g', ['a.example'], 'sh-a', 'sh-b');
const gateway = { address: '10.0.0.1', edgePort: 8080, peerPort: 15443 };

t.test('an Idc', async (t) => {
  const raw = withSpec(idc('sh-a'), {
    network: 'dc-1',
    exposeOutcome: true,
    exposeReady: true,
    controlPlanes: ['10.0.0.9:15014', '[2001:db8::9]:15014'],
    ingress: [gateway, { ...gateway, address: '2001:db8::1' }],
  });
  t.strictSame(read(raw).object, {
    kind: 'Idc',
    meta: { namespace: '', name: 'sh-a', labels: {}, annotations: {}, origin: 'test.yaml:1' },
    spec: {
      network: 'dc-1',
      exposeOutcome: true,
      exposeReady: true,
      controlPlanes: ['10.0.0.9:15014', '[2001:db8::9]:15014'],
      ingress: [gateway, { ...gateway, address: '2001:db8::1' }],
      egress: [{ address: '127.70.0.2', sidecarPort: 15444, ingressPort: 15445 }],
    },
  });
});

t.test('the edge of an Idc', async (t) => {
  const edge = {
    trustedProxies: { hops: 2, from: ['10.0.0.0/8', '192.0.2.1', 'fd00::/8'] },
    proxyProtocol: 'optional',
    escapedSlashes: 'redirect',
    mergeSlashes: true,
    normalizePath: true,
    underscores: 'drop',
    http10: false,
    maxHeadersKiB: 256,
    maxHeaders: 1,
  };
  t.match(read(withSpec(idc('sh-a'), { edge })).object, { spec: { edge } });
  t.match(read(withSpec(idc('sh-a'), { edge: { trustedProxies: { hops: 0 } } })).object, {
    spec: { edge: { trustedProxies: { hops: 0 } } },
  });
  for (const [wrong, words] of [
    [{ trustedProxies: 1 }, /^spec.edge.trustedProxies: /],
    [{ trustedProxies: { hops: 11 } }, /^spec.edge.trustedProxies.hops: must be from 0 to 10/],
    [{ trustedProxies: { hops: 1, from: ['10.0.0.0/33'] } }, /^spec.edge.trustedProxies.from\[0\]: .*prefix/],
    [{ trustedProxies: { hops: 1, from: [] } }, /from: is empty/],
    [{ proxyProtocol: 'off' }, /^spec.edge.proxyProtocol: must be required or optional/],
    [{ escapedSlashes: 'decode' }, /^spec.edge.escapedSlashes: must be one of keep, reject/],
    [{ underscores: true }, /^spec.edge.underscores: must be one of/],
    [{ http10: 'no' }, /^spec.edge.http10: must be true or false/],
    [{ maxHeadersKiB: 257 }, /^spec.edge.maxHeadersKiB: must be from 1 to 256/],
    [{ maxHeaders: 0 }, /^spec.edge.maxHeaders: must be from 1 to 500/],
    [{ mergeSlash: true }, /^spec.edge.mergeSlash: unknown field.*'mergeSlashes'/],
  ] as const) {
    t.match(read(withSpec(idc('sh-a'), { edge: wrong })).errors, [words]);
  }
});

t.test('a DrGroup, with and without settings', async (t) => {
  t.match(read(group).object, {
    spec: { hosts: ['a.example'], idcs: [{ name: 'sh-a' }, { name: 'sh-b' }], hopLimit: 1, traffic: {} },
  });
  const raw = withSpec(group, {
    hosts: undefined,
    capacity: undefined,
    selector: { matchLabels: { tier: 'gold' } },
    hopLimit: 0,
    traffic: {
      timeout: '2s',
      idleTimeout: '90s',
      retryBodyLimit: '1Mi',
      perTryTimeout: '500ms',
      retries: 3,
      idempotentMethods: ['GET', 'PUT'],
      health: { path: '/healthz', interval: '1s' },
    },
  });
  t.strictSame((read(raw).object as { spec: unknown }).spec, {
    hosts: [],
    selector: { tier: 'gold' },
    idcs: [{ name: 'sh-a' }, { name: 'sh-b' }],
    hopLimit: 0,
    traffic: {
      timeoutMs: 2000,
      idleTimeoutMs: 90_000,
      retryBodyBytes: 1_048_576,
      perTryTimeoutMs: 500,
      retries: 3,
      idempotentMethods: ['GET', 'PUT'],
      health: { path: '/healthz', intervalMs: 1000 },
    },
  });
});

t.test('what Kubernetes fills in is taken, what it does not know is not', async (t) => {
  const metadata = { ...idc('sh-a').metadata, uid: 'x', resourceVersion: '1', generation: 1 };
  t.strictSame(read({ ...idc('sh-a'), metadata, status: {} }).errors, []);
  t.match(read({ ...idc('sh-a'), metadata: { ...metadata, lables: {} } }).errors, [
    /metadata.lables: unknown field.*'labels'/,
  ]);
  t.match(read({ ...idc('sh-a'), sepc: {} }).errors, [/^sepc: unknown field.*'spec'/]);
});

t.test('a field under a wrong name is one mistake', async (t) => {
  const faultsOf = (object: unknown) =>
    parseObject(object, 'x').faults.map(({ path, message }) => `${path.join('.')} ${message}`);
  const cases: [unknown, RegExp][] = [
    [withSpec(group, { hosts: undefined, host: ['a.b'] }), /^spec\.host unknown field.*Did you mean 'hosts'/],
    [
      withSpec(group, { hosts: undefined, selectors: {} }),
      /^spec\.selectors unknown field.*Did you mean 'selector'/,
    ],
    [withSpec(group, { idcs: undefined, idc: [] }), /^spec\.idc unknown field.*Did you mean 'idcs'/],
    [withSpec(idc('a'), { ingress: undefined, ingres: [gateway] }), /^spec\.ingres unknown field.*'ingress'/],
  ];
  for (const [object, words] of cases) {
    const faults = faultsOf(object);
    t.equal(faults.length, 1, faults.join('; '));
    t.match(faults[0], words);
  }
  t.equal(faultsOf(withSpec(group, { idcs: undefined, other: [] })).length, 2, 'which is none of it');
});

const wrong: readonly [string, unknown, RegExp][] = [
  [
    'a later version',
    { ...idc('a'), apiVersion: 'isthmus.dev/v1' },
    /^apiVersion: .*write isthmus.dev\/v1alpha1/,
  ],
  [
    'a namespace',
    { ...idc('a'), metadata: { name: 'a', namespace: 'b' } },
    /^metadata.namespace: Idc has no namespace/,
  ],
  ['a name too long', idc('a'.repeat(33)), /^metadata.name: .*1 to 32/],
  ['a name with a dash at the end', idc('a-'), /^metadata.name: /],
  [
    'a misspelt field',
    withSpec(idc('a'), { ingres: [] }),
    /^spec.ingres: unknown field.*Did you mean 'ingress'/,
  ],
  [
    'a field of nothing',
    withSpec(idc('a'), { capacities: 3 }),
    /^spec.capacities: unknown field.*Did you mean 'capacity'/,
  ],
  [
    'an exposure that is no boolean',
    withSpec(idc('a'), { exposeOutcome: 'yes' }),
    /^spec.exposeOutcome: must be true or false/,
  ],
  ['no ingress', withSpec(idc('a'), { ingress: undefined }), /^spec.ingress: is required/],
  ['an empty egress', withSpec(idc('a'), { egress: [] }), /^spec.egress: must have at least one gateway/],
  [
    'a name for a gateway',
    withSpec(idc('a'), { ingress: [{ ...gateway, address: 'gw.example' }] }),
    /^spec.ingress\[0\].address: must be an IP address.*It is 'gw.example'/,
  ],
  [
    'an address of everywhere',
    withSpec(idc('a'), { ingress: [{ ...gateway, address: '0.0.0.0' }] }),
    /give its own IP address/,
  ],
  [
    'a port too high',
    withSpec(idc('a'), { ingress: [{ ...gateway, edgePort: 65_536 }] }),
    /^spec.ingress\[0\].edgePort: .*1 to 65535/,
  ],
  [
    'a port in quotes',
    withSpec(idc('a'), { ingress: [{ ...gateway, edgePort: '80' }] }),
    /^spec.ingress\[0\].edgePort: must be a whole number/,
  ],
  [
    'one port for two',
    withSpec(idc('a'), { ingress: [{ ...gateway, peerPort: 8080 }] }),
    /peerPort: 10.0.0.1 port 8080 is used by spec.ingress\[0\].edgePort/,
  ],
  [
    'a gateway twice',
    withSpec(idc('a'), { ingress: [gateway, gateway] }),
    /^spec.ingress\[1\].edgePort: .*is used by spec.ingress\[0\]/,
  ],
  ['no Groups', withSpec(group, { hosts: undefined }), /^spec: names no Groups/],
  ['no hosts', withSpec(group, { hosts: [] }), /^spec.hosts: is empty/],
  ['a host twice', withSpec(group, { hosts: ['a.b', 'A.B'] }), /^spec.hosts\[1\]: 'A.B' is listed twice/],
  ['a host that is none', withSpec(group, { hosts: ['a b'] }), /^spec.hosts\[0\]: 'a b' is not a host/],
  [
    'an empty selector',
    withSpec(group, { selector: { matchLabels: {} } }),
    /^spec.selector.matchLabels: selects nothing/,
  ],
  [
    'a number as label',
    withSpec(group, { selector: { matchLabels: { a: 1 } } }),
    /^spec.selector.matchLabels.a: must be text/,
  ],
  ['one IDC', withSpec(group, { idcs: [{ name: 'a' }] }), /^spec.idcs: must name at least two/],
  [
    'an IDC twice',
    withSpec(group, { idcs: [{ name: 'a' }, { name: 'b' }, { name: 'a' }] }),
    /^spec.idcs\[2\].name: 'a' is in spec.idcs\[0\]/,
  ],
  [
    'names instead of choices',
    withSpec(group, { idcs: ['a', 'b'] }),
    /^spec.idcs\[0\]: must be a mapping, not 'a'/,
  ],
  [
    'a weight for one alone',
    withSpec(group, { idcs: [{ name: 'a', weight: 1 }, { name: 'b' }] }),
    /^spec.idcs\[1\]: has no weight, and others have: give all/,
  ],
  [
    'a negative weight',
    withSpec(group, {
      idcs: [
        { name: 'a', weight: -1 },
        { name: 'b', weight: 1 },
      ],
    }),
    /^spec.idcs\[0\].weight: must be from 0 to 1000/,
  ],
  ['a misspelt spill', withSpec(group, { spil: {} }), /^spec.spil: unknown field/],
  ['a hop limit of 5', withSpec(group, { hopLimit: 5 }), /^spec.hopLimit: must be from 0 to 4. It is 5/],
  ['a hop limit of 1.5', withSpec(group, { hopLimit: 1.5 }), /^spec.hopLimit: must be/],
  [
    'a body limit with a unit that is none',
    withSpec(group, { traffic: { retryBodyLimit: '4MB' } }),
    /^spec.traffic.retryBodyLimit: must be a number of bytes such as/,
  ],
  [
    'a body limit that no proxy could hold',
    withSpec(group, { traffic: { retryBodyLimit: '65Mi' } }),
    /^spec.traffic.retryBodyLimit: '65Mi' is too much/,
  ],
  [
    'a timeout without unit',
    withSpec(group, { traffic: { timeout: 3 } }),
    /^spec.traffic.timeout: must be a duration/,
  ],
  [
    'a try longer than all',
    withSpec(group, { traffic: { timeout: '1s', perTryTimeout: '2s' } }),
    /^spec.traffic.perTryTimeout: is longer/,
  ],
  [
    'a time beyond all',
    withSpec(group, { traffic: { timeout: '999999h' } }),
    /^spec.traffic.timeout: '999999h' is too long/,
  ],
  [
    'four retries',
    withSpec(group, { traffic: { retries: 4 } }),
    /^spec.traffic.retries: must be from 0 to 3/,
  ],
  [
    'a method in small letters',
    withSpec(group, { traffic: { idempotentMethods: ['get'] } }),
    /^spec.traffic.idempotentMethods\[0\]: must be an HTTP method/,
  ],
  [
    'health without path',
    withSpec(group, { traffic: { health: {} } }),
    /^spec.traffic.health: declares no check: give `path: .healthz`/,
  ],
  [
    'a hasty interval',
    withSpec(group, { traffic: { health: { path: '/', interval: '1ms' } } }),
    /^spec.traffic.health.interval: 1ms is too short/,
  ],
];

for (const [what, raw, words] of wrong) {
  t.test(`rejected: ${what}`, async (t) => {
    const { object, errors } = read(raw);
    t.equal(object, undefined);
    t.ok(
      errors.some((error) => words.test(error)),
      errors.join('\n'),
    );
  });
}

t.test('all faults are told at once', async (t) => {
  const spec = { hosts: ['*'], idcs: [{ name: 'A' }], hopLimit: 7, traffic: { retries: -1, timout: '1s' } };
  t.equal(read({ ...group, spec }).errors.length, 6);
});
