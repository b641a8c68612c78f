import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadAll } from 'js-yaml';
import t from 'tap';
import { parseNodeScope } from '../../../src/model/node.ts';
import type { MeshObject } from '../../../src/model/object.ts';
import { renderPath } from '../../../src/model/values/field-path.ts';
import { parseObject } from '../../../src/registry/parse/object.ts';
import { drGroup, service, workload } from '../objects.ts';

const folder = new URL('istio/', import.meta.url).pathname;

/** Reads one object; errors as `path: message`, warnings by path. */
function read(raw: unknown): { object: MeshObject | undefined; errors: string[]; warnings: string[] } {
  const { object, faults } = parseObject(raw, 'test.yaml:1');
  const of = (severity: string) => faults.filter((fault) => fault.severity === severity);
  return {
    object,
    errors: of('error').map(({ path, message }) => `${renderPath(path)}: ${message}`),
    warnings: of('warning').map(({ path }) => renderPath(path)),
  };
}

function spec(raw: unknown, kind: MeshObject['kind']): MeshObject['spec'] {
  const { object, errors } = read(raw);
  if (object?.kind !== kind) throw new Error(`no ${kind}: ${errors.join('; ')}`);
  return object.spec;
}

// Each file shows fields as Istio's users combine them; the comment on its first line lists the warnings.
for (const file of readdirSync(folder)) {
  t.test(`what Istio takes loads: ${file}`, async (t) => {
    const text = readFileSync(join(folder, file), 'utf8');
    const wanted = /^# warnings: (.*)$/m.exec(text)?.[1]?.split(' ') ?? [];
    const results = loadAll(text).map(read);
    t.strictSame(
      results.flatMap(({ errors }) => errors),
      [],
    );
    t.ok(results.length > 0 && results.every(({ object }) => object !== undefined));
    t.strictSame(results.flatMap(({ warnings }) => warnings).sort(), wanted.sort());
  });
}

t.test('all three versions of Istio’s API say the same', async (t) => {
  for (const version of ['v1', 'v1beta1', 'v1alpha3']) {
    const raw = { ...workload('w'), apiVersion: `networking.istio.io/${version}` };
    t.match(read(raw), { errors: [], object: { spec: { address: '10.1.0.1' } } });
  }
  t.match(read({ ...workload('w'), apiVersion: 'networking.istio.io/v2' }).errors, [
    /^apiVersion: 'networking.istio.io\/v2'/,
  ]);
});

t.test('a ServiceEntry as the mesh sees it', async (t) => {
  const raw = service('s', 'A.Example', {
    ports: [
      { number: 80, name: 'http', protocol: 'http', targetPort: 8080 },
      { number: 81, name: 'grpc', protocol: 'Grpc' },
      { number: 82, name: 'web', protocol: 'GRPC-Web' },
      { number: 83, name: 'db', protocol: 'mysql' },
      { number: 84, name: 'dns', protocol: 'UDP' },
    ],
    endpoints: [{ address: '2001:db8::1', weight: 3, network: 'n', ports: { http: 8081 } }],
    workloadSelector: undefined,
  });
  t.strictSame(spec(raw, 'ServiceEntry'), {
    hosts: ['a.example'],
    ports: [
      { number: 80, name: 'http', protocol: 'HTTP', targetPort: 8080 },
      { number: 81, name: 'grpc', protocol: 'GRPC' },
      { number: 82, name: 'web', protocol: 'HTTP' },
      { number: 83, name: 'db', protocol: 'TCP' },
    ],
    resolution: 'STATIC',
    location: 'MESH_INTERNAL',
    endpoints: [{ address: '2001:db8::1', ports: { http: 8081 }, labels: {}, network: 'n', weight: 3 }],
  });
  t.strictSame(read(raw).warnings, ['spec.ports[2].protocol', 'spec.ports[4].protocol']);
});

t.test('a name may end with the dot of the root, everywhere', (t) => {
  t.match(spec(service('s', 'A.Example.'), 'ServiceEntry'), { hosts: ['a.example'] });
  t.match(spec(service('s', '*.Example.'), 'ServiceEntry'), { hosts: ['*.example'] });
  const twice = service('s', 'a.example', { hosts: ['a.example', 'a.example.'] });
  t.match(read(twice).errors, [/^spec.hosts\[1\]: 'a.example.' stands here twice/]);
  for (const host of ['a.example..', '.', '*.'])
    t.match(read(service('s', host)).errors, [/is not a host/], host);
  const rule = { apiVersion: 'networking.istio.io/v1', kind: 'DestinationRule', metadata: { name: 'r' } };
  t.match(spec({ ...rule, spec: { host: 'A.Example.' } }, 'DestinationRule'), { host: 'a.example' });
  t.match(spec(drGroup('g', ['A.Example.'], 'sh-a', 'sh-b'), 'DrGroup'), { hosts: ['a.example'] });
  const at = (address: string) => workload('w', { address });
  t.match(spec(at('db.example.'), 'WorkloadEntry'), { address: 'db.example.' });
  t.match(read(at('10.1.0.1.')).errors, [/is not an IP address or a name/]);
  const scope = { role: 'sidecar', idc: 'sh-a', namespace: 'shop', dependsOn: ['A.Example.', 'a.example'] };
  t.match(parseNodeScope({ isthmus: scope }), { dependsOn: ['a.example'] });
  t.end();
});

t.test('addresses of a ServiceEntry are for its TCP ports', async (t) => {
  const entry = (protocol: string, ...addresses: string[]) => ({
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name: 'db' },
    spec: {
      hosts: ['db.example'],
      addresses,
      location: 'MESH_INTERNAL',
      resolution: 'STATIC',
      ports: [{ number: 3306, name: 'main', protocol }],
      endpoints: [{ address: '10.1.0.1' }],
    },
  });
  const tcp = entry('TCP', '127.1.0.1', '10.0.0.0/8', '127.1.0.1', '::1', '0.0.0.0');
  t.match(spec(tcp, 'ServiceEntry'), { addresses: ['127.1.0.1', '::1'] });
  t.strictSame(read(tcp).warnings, ['spec.addresses[1]', 'spec.addresses[4]']);
  t.strictSame(read(entry('HTTP', '127.1.0.1')).warnings, ['spec.addresses']);
});

t.test('a DestinationRule as the mesh sees it', async (t) => {
  const raw = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name: 'r' },
    spec: {
      host: 'a.example',
      trafficPolicy: {
        loadBalancer: { simple: 'LEAST_CONN' },
        connectionPool: {
          tcp: {
            maxConnections: 7,
            connectTimeout: '30ms',
            tcpKeepalive: { probes: 3, time: '2h', interval: '1m15s' },
          },
          http: {
            http1MaxPendingRequests: 8,
            http2MaxRequests: 9,
            maxRequestsPerConnection: 0,
            maxRetries: 4,
            idleTimeout: '1h5m3.5s',
          },
        },
        outlierDetection: {
          consecutive5xxErrors: 0,
          consecutiveGatewayErrors: 3,
          interval: '1s',
          baseEjectionTime: '2m',
          maxEjectionPercent: 50,
          minHealthPercent: 0,
          splitExternalLocalOriginErrors: true,
          consecutiveLocalOriginFailures: 2,
        },
        portLevelSettings: [{ port: { number: 81 }, loadBalancer: { simple: 'RANDOM' } }],
        tls: { mode: 'DISABLE' },
      },
    },
  };
  t.strictSame(spec(raw, 'DestinationRule'), {
    host: 'a.example',
    policy: {
      maxConnections: 7,
      connectTimeoutMs: 30,
      tcpKeepalive: { probes: 3, timeMs: 7_200_000, intervalMs: 75_000 },
      maxPendingRequests: 8,
      maxRequests: 9,
      maxRetries: 4,
      idleTimeoutMs: 3_903_500,
      loadBalancer: 'LEAST_REQUEST',
      outlier: {
        consecutive5xxErrors: 0,
        consecutiveGatewayErrors: 3,
        consecutiveLocalOriginFailures: 2,
        splitExternalLocalOriginErrors: true,
        intervalMs: 1000,
        baseEjectionTimeMs: 120_000,
        maxEjectionPercent: 50,
      },
    },
    portPolicies: { 81: { loadBalancer: 'RANDOM' } },
  });
  t.strictSame(read(raw).warnings, []);
});

t.test('what Kubernetes fills in is taken silently', async (t) => {
  const raw = workload('w');
  const metadata = {
    ...raw.metadata,
    uid: 'b1',
    resourceVersion: '17',
    generation: 2,
    creationTimestamp: '2026-11-23T10:00:00Z',
    finalizers: ['isthmus.dev/drain'],
    ownerReferences: [{ kind: 'Pod' }],
    managedFields: [{}],
    labels: { app: 'x' },
    annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
  };
  t.match(read({ ...raw, metadata, status: { conditions: [] } }), { errors: [], warnings: [] });
});

t.test('namespaces: `default` where none is given', async (t) => {
  const { namespace: _, ...metadata } = workload('w').metadata;
  t.equal(read({ ...workload('w'), metadata }).object?.meta.namespace, 'default');
});

t.test('unknown fields of Istio’s kinds are warned of, with what was probably meant', async (t) => {
  const { faults, object } = parseObject(workload('w', { wieght: 3 }), '');
  t.ok(object);
  t.match(faults, [
    { severity: 'warning', path: ['spec', 'wieght'], message: /unknown field.*Did you mean 'weight'/ },
  ]);
});

t.test('kinds of Istio’s that have no use here are ignored with a warning', async (t) => {
  const parsed = parseObject(
    { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: {}, spec: {} },
    '',
  );
  t.match(parsed, { ignored: true, faults: [{ severity: 'warning', path: ['kind'] }] });
  t.equal(parsed.object, undefined);
});

t.test('all faults are told at once', async (t) => {
  const { errors } = read(
    service('s', '*', { ports: [{ number: 0, protocol: 'X' }], resolution: 'Y', workloadSelector: {} }),
  );
  t.equal(errors.length, 6, errors.join('\n'));
});

t.test('a label cannot access an object’s prototype', async (t) => {
  const labels = JSON.parse('{"__proto__": "x"}');
  t.match(read(workload('w', { labels })).errors, [/^spec.labels.__proto__: is not a label key/]);
});
