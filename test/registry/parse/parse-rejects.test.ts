import t from 'tap';
import { renderPath } from '../../../src/model/values/field-path.ts';
import { parseObject } from '../../../src/registry/parse/object.ts';
import { drGroup, service, workload } from '../objects.ts';

/** Reads one object; errors as `path: message`. */
function read(raw: unknown) {
  const { object, faults } = parseObject(raw, 'test.yaml:1');
  const errors = faults.filter(({ severity }) => severity === 'error');
  return { object, errors: errors.map(({ path, message }) => `${renderPath(path)}: ${message}`) };
}

const group = drGroup('g', ['a.example'], 'sh-a', 'sh-b');
const methods = (count: number) => Array.from({ length: count }, (_, n) => `M${'-'.repeat(n)}`);

const wrong: readonly [string, unknown, RegExp][] = [
  ['no mapping', 'text', /^: must be a mapping/],
  ['no kind', { apiVersion: 'networking.istio.io/v1' }, /^kind: is required/],
  ['an unknown kind', { ...workload('w'), kind: 'WorkloadEntri' }, /^kind: .*Did you mean 'WorkloadEntry'/],
  [
    "a kind that Istio's group does not have",
    { ...workload('w'), kind: 'ConfigMap' },
    /^kind: .*Isthmus reads ServiceEntry/,
  ],
  ['no name', { ...workload('w'), metadata: {} }, /^metadata.name: is required/],
  ['a wrong name', { ...workload('w'), metadata: { name: 'A_b' } }, /^metadata.name: 'A_b' is not a name/],
  [
    'a wrong namespace',
    { ...workload('w'), metadata: { name: 'a', namespace: 'B.c' } },
    /^metadata.namespace: /,
  ],
  ['no spec', { ...workload('w'), spec: undefined }, /^spec: is required/],
  [
    'a number as label',
    workload('w', { labels: { version: 1.1 } }),
    /^spec.labels.version: must be text, not 1.1: put it in quotes/,
  ],
  [
    'a wrong label',
    workload('w', { labels: { app: 'a b' } }),
    /^spec.labels.app: 'a b' is not a label value/,
  ],
  ['no address', workload('w', { address: undefined }), /^spec.address: is required/],
  [
    'an address with port',
    workload('w', { address: '10.0.0.1:80' }),
    /^spec.address: .*port belongs in `ports`/,
  ],
  ['a relative socket', workload('w', { address: 'unix://x/y' }), /^spec.address: must be absolute/],
  ['a folder as socket', workload('w', { address: 'unix:///x/' }), /^spec.address: names a folder/],
  [
    'an IP out of range',
    workload('w', { address: '10.0.0.256' }),
    /^spec.address: '10.0.0.256' is not an IP/,
  ],
  ['an IP with zeros', workload('w', { address: '010.0.0.1' }), /^spec.address: .*without leading zeros/],
  ['an IP that is short', workload('w', { address: '10.1' }), /^spec.address: .*four numbers/],
  ['a long socket', workload('w', { address: `unix:///${'x'.repeat(107)}` }), /^spec.address: .*107 bytes/],
  ['a socket with a bell', workload('w', { address: 'unix:///x\u0007' }), /^spec.address: .*not printable/],
  ['half a character', workload('w', { locality: 'sh-a/\ud800' }), /^spec.locality: .*not printable/],
  ['a locality in lines', workload('w', { locality: 'sh-a/z\n1' }), /^spec.locality: .*not printable/],
  ['a long locality', workload('w', { locality: 'a'.repeat(254) }), /^spec.locality: .*up to 253/],
  ['too many methods', annotated('idempotent-methods', methods(17).join()), /too many methods: .*up to 16/],
  [
    'too many methods of a DrGroup',
    { ...group, spec: { ...group.spec, traffic: { idempotentMethods: methods(17) } } },
    /^spec.traffic.idempotentMethods: .*up to 16/,
  ],
  ['a socket with ports', workload('w', { address: 'unix:///x', ports: { http: 1 } }), /^spec.ports: a unix/],
  [
    'a port of 0',
    workload('w', { ports: { http: 0 } }),
    /^spec.ports.http: must be a whole number from 1 to 65535, not 0/,
  ],
  ['a port in quotes', workload('w', { ports: { http: '80' } }), /^spec.ports.http: .*without quotes/],
  ['a negative weight', workload('w', { weight: -1 }), /^spec.weight: /],
  ['a locality with a hole', workload('w', { locality: 'a//b' }), /^spec.locality: /],
  ['no hosts', service('s', 'a', { hosts: [] }), /^spec.hosts: is required/],
  ['a host that is all', service('s', '*'), /^spec.hosts\[0\]: '\*' alone/],
  ['a wildcard inside', service('s', 'a.*.b'), /^spec.hosts\[0\]: /],
  ['a host twice', service('s', 'a', { hosts: ['a.b', 'A.b'] }), /^spec.hosts\[1\]: 'A.b' stands here twice/],
  [
    'an unknown protocol',
    service('s', 'a', { ports: [{ number: 1, name: 'x', protocol: 'HTTP3' }] }),
    /^spec.ports\[0\].protocol: 'HTTP3' is not a protocol/,
  ],
  [
    'a port without number',
    service('s', 'a', { ports: [{ name: 'x', protocol: 'HTTP' }] }),
    /^spec.ports\[0\].number: is required/,
  ],
  [
    'a port without name',
    service('s', 'a', { ports: [{ number: 1, protocol: 'HTTP' }] }),
    /^spec.ports\[0\].name: is required/,
  ],
  [
    'a number twice',
    service('s', 'a', {
      ports: [
        { number: 1, name: 'x', protocol: 'HTTP' },
        { number: 1, name: 'y', protocol: 'HTTP' },
      ],
    }),
    /^spec.ports\[1\].number: 1 is the number/,
  ],
  [
    'a name twice',
    service('s', 'a', {
      ports: [
        { number: 1, name: 'x', protocol: 'HTTP' },
        { number: 2, name: 'x', protocol: 'HTTP' },
      ],
    }),
    /^spec.ports\[1\].name: 'x' is the name/,
  ],
  [
    'an unknown resolution',
    service('s', 'a', { resolution: 'static' }),
    /^spec.resolution: .*Did you mean 'STATIC'/,
  ],
  [
    'selector and endpoints',
    service('s', 'a', { endpoints: [{ address: '1.1.1.1' }] }),
    /^spec.workloadSelector: excludes/,
  ],
  [
    'an empty selector',
    service('s', 'a', { workloadSelector: {} }),
    /^spec.workloadSelector.labels: selects nothing/,
  ],
  [
    'endpoints without resolution',
    service('s', 'a', {
      workloadSelector: undefined,
      resolution: 'NONE',
      endpoints: [{ address: '1.1.1.1' }],
    }),
    /^spec.endpoints: need a resolution/,
  ],
  [
    'names with STATIC',
    service('s', 'a', { workloadSelector: undefined, endpoints: [{ address: 'a.b' }] }),
    /^spec.endpoints\[0\].address: must be an IP/,
  ],
  [
    'sockets with DNS',
    service('s', 'a', {
      workloadSelector: undefined,
      resolution: 'DNS',
      endpoints: [{ address: 'unix:///x' }],
    }),
    /^spec.endpoints\[0\].address: .*cannot be looked up/,
  ],
  [
    'a wildcard that is to be looked up',
    service('s', '*.example', { workloadSelector: undefined, resolution: 'DNS' }),
    /^spec.hosts\[0\]: a host with '\*' cannot be looked up/,
  ],
  [
    'a prefix with DNS',
    service('s', 'a', { resolution: 'DNS', addresses: ['10.0.0.0/8'] }),
    /^spec.addresses\[0\]: a prefix needs/,
  ],
  [
    'a wrong prefix',
    service('s', 'a', { addresses: ['10.0.0.0/33'] }),
    /^spec.addresses\[0\]: '10.0.0.0\/33' is not an IP/,
  ],
  [
    'a list as mapping',
    service('s', 'a', { workloadSelector: [] }),
    /^spec.workloadSelector: must be a mapping, not a list/,
  ],
  ['a text as list', service('s', 'a', { hosts: 'a.b' }), /^spec.hosts: must be a list/],
  [
    'an unknown annotation',
    annotated('timeut', '3s'),
    /^metadata.annotations\["isthmus.dev\/timeut"\]: .*Did you mean 'isthmus.dev\/timeout'/,
  ],
  ['an annotation that is near none', annotated('foo', '3s'), /: correct or remove it\.$/],
  [
    'a wrong timeout',
    annotated('timeout', '3 s'),
    /^metadata.annotations\["isthmus.dev\/timeout"\]: '3 s' is not a duration/,
  ],
  ['too many retries', annotated('retries', '4'), /^metadata.annotations\["isthmus.dev\/retries"\]: /],
  ['a method in small letters', annotated('idempotent-methods', 'GET,put'), /'put' is not an HTTP method/],
  ['a relative health path', annotated('health-path', 'healthz'), /is not a path/],
  ['a hasty interval', annotated('health-interval', '10ms'), /too short: give at least 100ms/],
  [
    'an annotation elsewhere',
    { ...workload('w'), metadata: { name: 'w', annotations: { 'isthmus.dev/retries': '1' } } },
    /belong on a ServiceEntry/,
  ],
  ['no host of a rule', rule({}), /^spec.host: is required/],
  [
    'a rule’s time of 0',
    rule({ host: 'a', trafficPolicy: { outlierDetection: { interval: '0s' } } }),
    /^spec.trafficPolicy.outlierDetection.interval: 0s is too short/,
  ],
  [
    'a percentage of 101',
    rule({ host: 'a', trafficPolicy: { outlierDetection: { maxEjectionPercent: 101 } } }),
    /maxEjectionPercent: must be a whole number from 0 to 100/,
  ],
  [
    'an unknown balancer',
    rule({ host: 'a', trafficPolicy: { loadBalancer: { simple: 'ROUNDROBIN' } } }),
    /simple: .*Did you mean 'ROUND_ROBIN'/,
  ],
  [
    'settings without port',
    rule({ host: 'a', trafficPolicy: { portLevelSettings: [{}] } }),
    /portLevelSettings\[0\].port: is required/,
  ],
  [
    'settings twice',
    rule({
      host: 'a',
      trafficPolicy: { portLevelSettings: [{ port: { number: 1 } }, { port: { number: 1 } }] },
    }),
    /portLevelSettings\[1\].port.number: 1 has settings already/,
  ],
  [
    'a text as truth',
    rule({ host: 'a', trafficPolicy: { outlierDetection: { splitExternalLocalOriginErrors: 'yes' } } }),
    /must be true or false/,
  ],
];

function annotated(name: string, value: string): unknown {
  const raw = service('s', 'a.example');
  return { ...raw, metadata: { ...raw.metadata, annotations: { [`isthmus.dev/${name}`]: value } } };
}

function rule(spec: Record<string, unknown>): unknown {
  return { apiVersion: 'networking.istio.io/v1', kind: 'DestinationRule', metadata: { name: 'r' }, spec };
}

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
