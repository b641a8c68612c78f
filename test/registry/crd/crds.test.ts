import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { buildCrds } from '../../../src/registry/crd/crds.ts';
import { crdFolders, generateCrds } from '../../../src/registry/crd/write-crds.ts';
import { parseObject } from '../../../src/registry/parse/object.ts';
import { withoutKube } from '../../support/kube/kube-api.ts';
import { type ApiServer, type KubeAnswer, startApiServer } from '../../support/kube-deploy/api-server.ts';
import { drGroup, idc, type RawObject, service, workload } from '../objects.ts';

t.test('the CRDs in deploy are those of the code', async (t) => {
  const generated = generateCrds();
  for (const folder of crdFolders) {
    const found = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    t.strictSame(found.filter((file) => file.endsWith('.yaml')).sort(), Object.keys(generated).sort());
    for (const [file, text] of Object.entries(generated))
      t.equal(readFileSync(join(folder, file), 'utf8'), text, `${file}: run make schemas`);
  }
});

const group = drGroup('g', ['a.example'], 'sh-a', 'sh-b');
const evacuation: RawObject = {
  apiVersion: 'isthmus.dev/v1alpha1',
  kind: 'Evacuation',
  metadata: { name: 'e' },
  spec: { idc: 'sh-a', expires: '2026-03-01T18:00:00Z' },
};
const rule: RawObject = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'DestinationRule',
  metadata: { name: 'r', namespace: 'shop' },
  spec: { host: 'a.example' },
};
const of = (raw: RawObject, spec: object): RawObject => ({ ...raw, spec: { ...raw.spec, ...spec } });
const traffic = (fields: object) => of(group, { traffic: fields });
const starts = '2026-03-01T17:00:00+02:00';
const gateway = { address: '10.0.0.9', edgePort: 1, peerPort: 2 };
const ports = (...numbers: number[]) =>
  numbers.map((number) => ({ number, name: `p${number}`, protocol: 'http' }));

/** Objects that the parser takes: so must the API server. */
const good: readonly RawObject[] = [
  idc('sh-a'),
  of(idc('sh-a'), {
    ingress: [gateway, { ...gateway, edgePort: 3, peerPort: 4 }, { ...gateway, address: '2001:db8::1' }],
    egress: [{ address: '::ffff:10.0.0.1', sidecarPort: 1, ingressPort: 2 }],
    edge: { trustedProxies: { hops: 1, from: ['10.0.0.0/8', '2001:db8::/32', '10.0.0.1'] }, http10: true },
    controlPlanes: ['10.0.0.1:15014', '[2001:db8::1]:15014'],
    capacity: { concurrentPerInstance: 10 },
  }),
  group,
  of(group, { hosts: ['A.Example.', '*.shop'], class: 'critical', spill: { share: '50%' }, hopLimit: 0 }),
  of(group, { hosts: undefined, selector: { matchLabels: { 'isthmus.dev/team': 'shop', app: '' } } }),
  of(group, {
    idcs: [
      { name: 'sh-a', weight: 0 },
      { name: 'sh-b', weight: 1000 },
    ],
  }),
  of(group, { capacity: { idcs: { 'sh-b': { concurrentPerInstance: 5 } } } }),
  of(group, { failback: { ramp: '1h', hold: '0', warmup: 'mirror' } }),
  traffic({ timeout: '1h5m3.5s', perTryTimeout: '2s', retries: 3, idempotentMethods: ['GET', 'GET'] }),
  traffic({ timeout: '0', perTryTimeout: '10s', hedge: true, idleTimeout: '.5s', roundTrip: '2s' }),
  traffic({ retryBodyLimit: 0 }),
  traffic({ retryBodyLimit: '64Mi' }),
  traffic({ retryBudget: { requestsPerSecond: 10, share: '30%' } }),
  traffic({ health: { path: '/x', statuses: [204, '200-299'], interval: '100ms', port: 9000 } }),
  traffic({ health: { grpc: true } }),
  traffic({ health: { grpc: 'shop.Checkout' } }),
  traffic({ health: { enabled: false } }),
  traffic({ health: { ports: { grpc: { grpc: true }, http: { enabled: false } } } }),
  evacuation,
  of(evacuation, { starts, steps: [1, 10], percent: 50, stepSeconds: 5, groups: ['a.b', '*.shop'] }),
  of(evacuation, { selector: { matchLabels: { team: 'shop' } }, reason: 'power' }),
  service('s', 'a.example'),
  service('s', '*.Example', { ports: [{ number: 80, name: 'http', protocol: 'Http', targetPort: 8080 }] }),
  service('s', 'a.example', {
    ...{ workloadSelector: undefined, addresses: ['10.0.0.0/8', '10.0.0.1'], exportTo: ['.', 'shop'] },
    endpoints: [{ address: '10.0.0.1', ports: { p80: 8080 }, labels: { app: 'x' }, weight: 4 }],
    ports: ports(80),
  }),
  service('s', 'a.example', {
    workloadSelector: undefined,
    resolution: 'DNS',
    endpoints: [{ address: 'b.example' }],
  }),
  workload('w-1'),
  workload('w-1', { address: 'unix:///run/x.sock', network: 'n', weight: 0, serviceAccount: 'x' }),
  rule,
  of(rule, { host: '*' }),
  of(rule, {
    subsets: [{ name: 'v1', labels: { version: 'v1' } }],
    trafficPolicy: {
      loadBalancer: {
        consistentHash: { httpCookie: { name: 'c', ttl: '0s' } },
        localityLbSetting: { enabled: true },
      },
      connectionPool: {
        tcp: { connectTimeout: '1s', tcpKeepalive: { time: '7200s' } },
        http: { maxRetries: 3 },
      },
      outlierDetection: { consecutive5xxErrors: 5, interval: '1s', maxEjectionPercent: 100 },
      tls: { mode: 'MUTUAL', clientCertificate: '/a', privateKey: '/b' },
      portLevelSettings: [{ port: { number: 80 }, loadBalancer: { simple: 'ROUND_ROBIN' } }],
    },
  }),
];

/** Objects that the parser refuses, and the field at which the API server does. */
const bad: readonly (readonly [field: string, raw: RawObject])[] = [
  ['Idc', { ...idc('sh-a'), metadata: { name: 'sh.a' } }],
  ['spec.egress', of(idc('sh-a'), { egress: [] })],
  ['spec.ingress', of(idc('sh-a'), { ingress: undefined })],
  ['spec.ingress[0].address', of(idc('sh-a'), { ingress: [{ ...gateway, address: 'gw.example' }] })],
  ['spec.ingress[0].address', of(idc('sh-a'), { ingress: [{ ...gateway, address: '::' }] })],
  ['spec.ingress[0].edgePort', of(idc('sh-a'), { ingress: [{ ...gateway, edgePort: 0 }] })],
  ['spec.ingress', of(idc('sh-a'), { ingress: [gateway, { ...gateway, edgePort: 2, peerPort: 3 }] })],
  ['spec.ingress', of(idc('sh-a'), { ingress: [{ ...gateway, peerPort: 1 }] })],
  [
    'spec.edge.trustedProxies.from[0]',
    of(idc('sh-a'), { edge: { trustedProxies: { hops: 1, from: ['10.0.0.0/99'] } } }),
  ],
  ['spec.edge.http10', of(idc('sh-a'), { edge: { http10: 'yes' } })],
  ['spec.controlPlanes[0]', of(idc('sh-a'), { controlPlanes: ['cp.example:15014'] })],
  ['spec.capacity.concurrentPerInstance', of(idc('sh-a'), { capacity: { concurrentPerInstance: 0 } })],
  ['spec', of(group, { hosts: undefined })],
  ['spec.hosts', of(group, { hosts: [] })],
  ['spec.hosts[0]', of(group, { hosts: ['a b'] })],
  ['spec.hosts[1]', of(group, { hosts: ['a', 'a'] })],
  ['spec.selector.matchLabels', of(group, { selector: { matchLabels: {} } })],
  ['spec.selector.matchLabels', of(group, { selector: { matchLabels: { '-x': 'a' } } })],
  ['spec.selector.matchLabels.app', of(group, { selector: { matchLabels: { app: 'a b' } } })],
  ['spec.idcs', of(group, { idcs: [{ name: 'sh-a' }] })],
  ['spec.idcs[1]', of(group, { idcs: [{ name: 'sh-a' }, { name: 'sh-a' }] })],
  ['spec.idcs', of(group, { idcs: [{ name: 'sh-a', weight: 1 }, { name: 'sh-b' }] })],
  [
    'spec.idcs[0].weight',
    of(group, {
      idcs: [
        { name: 'sh-a', weight: 1001 },
        { name: 'sh-b', weight: 1 },
      ],
    }),
  ],
  ['spec.hopLimit', of(group, { hopLimit: 5 })],
  ['spec.class', of(group, { class: 'gold' })],
  ['spec.spill.share', of(group, { spill: { share: '0%' } })],
  ['spec.capacity.idcs', of(group, { capacity: { idcs: { 'sh-c': { concurrentPerInstance: 5 } } } })],
  ['spec.failback.ramp', of(group, { failback: { ramp: '500ms' } })],
  ['spec.failback.hold', of(group, { failback: { hold: '2h' } })],
  ['spec.traffic.timeout', traffic({ timeout: '3' })],
  ['spec.traffic.timeout', traffic({ timeout: '90000h' })],
  ['spec.traffic.perTryTimeout', traffic({ timeout: '1s', perTryTimeout: '2s' })],
  ['spec.traffic.perTryTimeout', traffic({ hedge: true, perTryTimeout: '0s' })],
  ['spec.traffic.roundTrip', traffic({ roundTrip: '3s' })],
  ['spec.traffic.retries', traffic({ retries: 4 })],
  ['spec.traffic.retryBodyLimit', traffic({ retryBodyLimit: '65Mi' })],
  ['spec.traffic.retryBodyLimit', traffic({ retryBodyLimit: 67_108_865 })],
  ['spec.traffic.idempotentMethods[0]', traffic({ idempotentMethods: ['get'] })],
  ['spec.traffic.health.path', traffic({ health: { interval: '1s' } })],
  ['spec.traffic.health.path', traffic({ health: { path: 'x' } })],
  ['spec.traffic.health.interval', traffic({ health: { path: '/x', interval: '50ms' } })],
  [
    'spec.traffic.health.ports[http].interval',
    traffic({ health: { ports: { http: { path: '/', interval: '5ms' } } } }),
  ],
  ['spec.traffic.health.statuses[0]', traffic({ health: { path: '/x', statuses: [500] } })],
  ['spec.percent', of(evacuation, { percent: 0 })],
  ['spec.expires', of(evacuation, { expires: undefined })],
  ['spec.expires', of(evacuation, { expires: '2026-03-01T18:00:00' })],
  ['spec.expires', of(evacuation, { starts: '2026-03-01T18:00:00Z' })],
  ['spec.expires', of(evacuation, { starts: '2026-02-01T18:00:00Z' })],
  ['spec.steps', of(evacuation, { steps: [1] })],
  ['spec.steps', of(evacuation, { starts, steps: [10, 10] })],
  ['spec.steps', of(evacuation, { starts, steps: [10, 60], percent: 50 })],
  ['spec.steps', of(evacuation, { starts, steps: [] })],
  ['spec.stepSeconds', of(evacuation, { stepSeconds: 5 })],
  ['spec.groups', of(evacuation, { groups: [] })],
  ['spec.groups[0]', of(evacuation, { groups: ['*'] })],
  ['spec.hosts', service('s', 'a', { hosts: [] })],
  ['spec.hosts[0]', service('s', '*')],
  ['spec.ports[0].number', service('s', 'a', { ports: [{ number: 0, name: 'x', protocol: 'TCP' }] })],
  ['spec.ports[0].protocol', service('s', 'a', { ports: [{ number: 1, name: 'x', protocol: 'HTTPX' }] })],
  ['spec.ports', service('s', 'a', { ports: [...ports(80), { number: 80, name: 'y', protocol: 'TCP' }] })],
  [
    'spec.ports[1]',
    service('s', 'a', { ports: [...ports(80), { number: 81, name: 'p80', protocol: 'TCP' }] }),
  ],
  ['spec.resolution', service('s', 'a', { resolution: 'STATICAL' })],
  ['spec.workloadSelector', service('s', 'a', { endpoints: [{ address: '10.0.0.1' }] })],
  ['spec.workloadSelector.labels', service('s', 'a', { workloadSelector: { labels: {} } })],
  [
    'spec.endpoints',
    service('s', 'a', {
      workloadSelector: undefined,
      resolution: 'NONE',
      endpoints: [{ address: '1.2.3.4' }],
    }),
  ],
  ['spec.exportTo[0]', service('s', 'a', { exportTo: [''] })],
  ['spec', workload('w-1', { address: undefined })],
  ['spec.ports', workload('w-1', { address: 'unix:///x', ports: { http: 80 } })],
  ['spec.ports.http', workload('w-1', { ports: { http: 65_536 } })],
  ['spec.labels.app', workload('w-1', { labels: { app: 'a b' } })],
  ['spec.locality', workload('w-1', { locality: 'sh-a//z' })],
  ['spec.weight', workload('w-1', { weight: -1 })],
  ['spec.host', of(rule, { host: undefined })],
  ['spec.host', of(rule, { host: 'a b' })],
  [
    'spec.trafficPolicy.loadBalancer.simple',
    of(rule, {
      trafficPolicy: { loadBalancer: { simple: 'ROUND_ROBIN', consistentHash: { useSourceIp: true } } },
    }),
  ],
  [
    'spec.trafficPolicy.loadBalancer.consistentHash',
    of(rule, { trafficPolicy: { loadBalancer: { consistentHash: {} } } }),
  ],
  [
    'spec.trafficPolicy.connectionPool.tcp.connectTimeout',
    of(rule, { trafficPolicy: { connectionPool: { tcp: { connectTimeout: '0s' } } } }),
  ],
  [
    'spec.trafficPolicy.outlierDetection.maxEjectionPercent',
    of(rule, { trafficPolicy: { outlierDetection: { maxEjectionPercent: 101 } } }),
  ],
  ['spec.trafficPolicy.tls', of(rule, { trafficPolicy: { tls: { mode: 'MUTUAL' } } })],
  [
    'spec.trafficPolicy.portLevelSettings',
    of(rule, { trafficPolicy: { portLevelSettings: [{ port: { number: 1 } }, { port: { number: 1 } }] } }),
  ],
];

const title = (raw: RawObject) => `${raw.kind} ${JSON.stringify(raw.spec)}`;

t.test('the tables agree with the parser', async (t) => {
  for (const raw of good) t.ok(parseObject(raw, '').object, title(raw));
  for (const [, raw] of bad) t.equal(parseObject(raw, '').object, undefined, title(raw));
});

const plurals = Object.fromEntries(
  Object.values(buildCrds()).map((crd) => {
    const { names } = crd.spec as { names: { kind: string; plural: string } };
    return [names.kind, names.plural];
  }),
);

const folderOf = ({ apiVersion, kind, metadata }: RawObject) =>
  `/apis/${apiVersion}${metadata.namespace === undefined ? '' : '/namespaces/default'}/${plurals[kind]}`;
const homed = (raw: RawObject): RawObject => {
  const { name, namespace } = raw.metadata;
  return { ...raw, metadata: namespace === undefined ? { name } : { name, namespace: 'default' } };
};

/** Server-side apply, dry unless `query` says otherwise, as strict as kubectl's. */
function apply(server: ApiServer, raw: RawObject, query = '&dryRun=All'): Promise<KubeAnswer> {
  const path = `${folderOf(raw)}/${raw.metadata.name}?fieldManager=test&fieldValidation=Strict${query}`;
  return server.call('PATCH', path, homed(raw), { contentType: 'application/apply-patch+yaml' });
}

/** A dry creation. Apply answers some faults of types with 500, before the schema is asked. */
function create(server: ApiServer, raw: RawObject): Promise<KubeAnswer> {
  return server.call('POST', `${folderOf(raw)}?fieldValidation=Strict&dryRun=All`, homed(raw));
}

t.test('a real API server with the CRDs', { skip: withoutKube }, async (t) => {
  const server = await startApiServer(t.testdir());
  t.teardown(() => server.stop());
  for (const [file, text] of Object.entries(generateCrds())) {
    const { metadata } = buildCrds()[file] as { metadata: { name: string } };
    const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${metadata.name}`;
    const at = `${path}?fieldManager=test&fieldValidation=Strict`;
    const { status, body } = await server.call('PATCH', at, text, {
      contentType: 'application/apply-patch+yaml',
    });
    t.equal(status, 201, `${file}: ${body.message}`);
    let found = body;
    const isServed = () => conditionOf(found, 'Established') === 'True';
    while (!isServed()) found = (await server.call('GET', path)).body;
    t.equal(conditionOf(found, 'NonStructuralSchema'), undefined, file);
  }

  await t.test('takes what the parser takes', async (t) => {
    for (const raw of good) {
      const { status, body } = await apply(server, raw);
      t.equal(status, 201, `${title(raw)}: ${body.message}`);
    }
  });

  await t.test('refuses, at the field, what the parser refuses', async (t) => {
    for (const [field, raw] of bad) {
      const { status, body } = await create(server, raw);
      t.equal(status, 422, `${title(raw)}: ${status} ${body.message}`);
      const fields = (body.details?.causes ?? []).map((cause: { field: string }) => cause.field);
      // Rules for the whole object have no field.
      t.ok(
        fields.includes(field) || (field === raw.kind && status === 422),
        `${title(raw)}: ${fields} ${body.message}`,
      );
    }
  });

  await t.test('a misspelt field is refused, and fields of Istio that we do not read are kept', async (t) => {
    const misspelt = await create(server, of(group, { hopLimits: 1 }));
    t.equal(misspelt.status, 400);
    t.match(misspelt.body.message, /spec\.hopLimits/);
    const kept = await apply(server, of(rule, { subsets: [{ name: 'v1' }] }));
    t.strictSame(kept.body.spec.subsets, [{ name: 'v1' }]);
  });

  await t.test('status is apart: two managers own a condition each', async (t) => {
    t.equal((await apply(server, group, '')).status, 201);
    const put = (manager: string, type: string) =>
      server.call(
        'PATCH',
        `/apis/isthmus.dev/v1alpha1/drgroups/g/status?fieldManager=${manager}`,
        {
          ...{ apiVersion: group.apiVersion, kind: group.kind, metadata: { name: 'g' } },
          status: {
            conditions: [
              {
                type,
                status: 'True',
                reason: 'Good',
                message: '',
                lastTransitionTime: '2026-01-01T00:00:00Z',
              },
            ],
          },
        },
        { contentType: 'application/apply-patch+yaml' },
      );
    t.equal((await put('one', 'Accepted')).status, 200);
    const { body } = await put('other', 'Programmed');
    t.equal(body.status.conditions.length, 2);
    t.equal(body.metadata.generation, 1, 'a status is no change of the object');
    const table = await server.call('GET', '/apis/isthmus.dev/v1alpha1/drgroups/g');
    t.equal(conditionOf(table.body, 'Programmed'), 'True');
  });

  await t.test('control: without the rules in CEL a time longer than all is taken', async (t) => {
    const faulty = traffic({ timeout: '1s', perTryTimeout: '2s' });
    t.equal((await create(server, { ...faulty, metadata: { name: 'f' } })).status, 422);
    const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/drgroups.isthmus.dev';
    const { body } = await server.call('GET', path);
    t.equal((await server.call('PUT', path, withoutRules(body))).status, 200);
    let status = 422;
    // The API server serves the new schema a moment later.
    while (status !== 201) ({ status } = await create(server, { ...faulty, metadata: { name: 'f' } }));
    t.equal(status, 201);
  });
});

/** A copy without any rule in CEL. */
function withoutRules(schema: unknown): unknown {
  return JSON.parse(
    JSON.stringify(schema, (key, value) => (key === 'x-kubernetes-validations' ? undefined : value)),
  );
}

function conditionOf(
  object: { status?: { conditions?: readonly { type: string; status: string }[] } },
  type: string,
): string | undefined {
  return object.status?.conditions?.find((one) => one.type === type)?.status;
}
