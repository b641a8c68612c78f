import type { CrdKind } from './crd.ts';
import { hostText, labelText } from './rules.ts';
import type { CelRule, Structural } from './structural.ts';

/** Fields of Istio that are not read here are kept: an Istio that comes later finds them. */
const open = (properties: Structural, more: Structural = {}): Structural => ({
  type: 'object',
  'x-kubernetes-preserve-unknown-fields': true,
  properties,
  ...more,
});
const list = (items: Structural, more: Structural = {}): Structural => ({ type: 'array', items, ...more });
const oneOf = (...values: string[]): Structural => ({ type: 'string', enum: values });
const text: Structural = { type: 'string' };
const flag: Structural = { type: 'boolean' };
const whole = (minimum: number, maximum: number): Structural => ({
  ...{ type: 'integer', format: 'int64', minimum, maximum },
});
const port = whole(1, 65_535);
const int32 = whole(0, 2_147_483_647);
const uint32 = whole(0, 4_294_967_295);
const rules = (...all: CelRule[]): Structural => ({ 'x-kubernetes-validations': all });
const time = (least: string): Structural => ({
  ...{ type: 'string', maxLength: 64 },
  ...rules({
    rule: `duration(self) >= duration('${least}')`,
    message: `is too short: give at least ${least}.`,
  }),
});

const portName: Structural = {
  ...{ type: 'string', maxLength: 63, pattern: '^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$' },
};
const labels: Structural = { type: 'object', additionalProperties: { type: 'string', ...labelText } };
const exportTo = list({ type: 'string', minLength: 1, maxLength: 63 });
const protocols = [
  ...['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB', 'HTTPS', 'TLS', 'TCP', 'MONGO', 'MYSQL', 'REDIS'],
  ...['HTTP_PROXY', 'UDP', 'HBONE', 'DOUBLE-HBONE'],
];

const workload = open(
  {
    address: { type: 'string', maxLength: 256 },
    ports: { type: 'object', maxProperties: 128, additionalProperties: port },
    labels,
    network: text,
    locality: { type: 'string', maxLength: 253, pattern: '^(?:[^/*]+(?:/[^/*]+)*)?$' },
    weight: uint32,
    serviceAccount: text,
  },
  rules(
    {
      rule: 'has(self.address) || has(self.network)',
      message: 'has no address: give the IP address of the instance.',
    },
    {
      rule: "!has(self.address) || !self.address.startsWith('unix://') || !has(self.ports)",
      message: 'a unix:// address has no ports: remove them.',
      fieldPath: '.ports',
    },
  ),
);

const servicePort = open(
  {
    number: port,
    name: portName,
    // Istio takes any case.
    protocol: { type: 'string', maxLength: 32, pattern: `^(?i:${protocols.join('|')})?$` },
    targetPort: port,
  },
  { required: ['number', 'name'] },
);

const serviceEntry = open(
  {
    hosts: list({ type: 'string', ...hostText }, { minItems: 1, maxItems: 256 }),
    addresses: list({ type: 'string', minLength: 1, maxLength: 64 }, { maxItems: 256 }),
    ports: list(servicePort, {
      maxItems: 256,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      ...rules({
        rule: 'self.all(a, self.filter(b, b.number == a.number).size() == 1)',
        message: 'has two ports of one number: change one.',
      }),
    }),
    location: oneOf('MESH_EXTERNAL', 'MESH_INTERNAL'),
    resolution: oneOf('NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS'),
    endpoints: list(workload, { maxItems: 4096 }),
    workloadSelector: open({ labels: { ...labels, minProperties: 1 } }, { required: ['labels'] }),
    exportTo,
    subjectAltNames: list(text),
  },
  {
    required: ['hosts'],
    ...rules(
      {
        rule: '!has(self.workloadSelector) || !has(self.endpoints) || self.endpoints.size() == 0',
        message: 'excludes `endpoints`: keep one of the two.',
        fieldPath: '.workloadSelector',
      },
      {
        rule: "!has(self.endpoints) || self.endpoints.size() == 0 || (has(self.resolution) && self.resolution != 'NONE')",
        message: 'need a resolution: set `resolution: STATIC` for IP addresses.',
        fieldPath: '.endpoints',
      },
      {
        rule: "!has(self.endpoints) || self.endpoints.size() <= 1 || !has(self.resolution) || self.resolution != 'DNS_ROUND_ROBIN'",
        message: 'may have one item only with resolution DNS_ROUND_ROBIN: keep one, or choose STATIC.',
        fieldPath: '.endpoints',
      },
    ),
  },
);

const tls = open(
  {
    mode: oneOf('DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL'),
    clientCertificate: text,
    privateKey: text,
    caCertificates: text,
    sni: text,
    subjectAltNames: list(text),
    insecureSkipVerify: flag,
  },
  rules({
    rule: "!has(self.mode) || self.mode != 'MUTUAL' || has(self.credentialName) || (has(self.clientCertificate) && has(self.privateKey))",
    message: 'MUTUAL needs `clientCertificate` and `privateKey`: files of the machine where the proxy runs.',
  }),
);
Object.assign(tls.properties as Structural, { credentialName: text });

const hashKeys = ['httpHeaderName', 'httpCookie', 'useSourceIp', 'httpQueryParameterName'];
const consistentHash = open(
  {
    httpHeaderName: text,
    httpCookie: open(
      { name: text, path: text, ttl: { type: 'string', maxLength: 64 } },
      { required: ['name'] },
    ),
    useSourceIp: flag,
    httpQueryParameterName: text,
    ringHash: open({ minimumRingSize: whole(0, 8_388_608) }),
    maglev: open({ tableSize: whole(0, 5_000_011) }),
    minimumRingSize: uint32,
  },
  rules({
    rule: `[${hashKeys.map((key) => `has(self.${key})`).join(', ')}].filter(given, given).size() == 1 || (has(self.useSourceIp) && !self.useSourceIp)`,
    message: `must name one property for session affinity: one of ${hashKeys.join(', ')}.`,
  }),
);

const loadBalancer = open(
  {
    simple: oneOf('UNSPECIFIED', 'LEAST_CONN', 'RANDOM', 'PASSTHROUGH', 'ROUND_ROBIN', 'LEAST_REQUEST'),
    consistentHash,
    localityLbSetting: open({ enabled: flag, failoverPriority: list({ type: 'string', minLength: 1 }) }),
    warmupDurationSecs: { type: 'string', maxLength: 64 },
  },
  rules({
    rule: '!has(self.simple) || !has(self.consistentHash)',
    message: 'excludes `consistentHash`: keep one of the two.',
    fieldPath: '.simple',
  }),
);

const policy: Structural = {
  loadBalancer,
  connectionPool: open({
    tcp: open({
      maxConnections: int32,
      connectTimeout: time('1ms'),
      tcpKeepalive: open({ probes: uint32, time: time('1s'), interval: time('1s') }),
    }),
    http: open({
      http1MaxPendingRequests: int32,
      http2MaxRequests: int32,
      maxRequestsPerConnection: int32,
      maxRetries: int32,
      idleTimeout: time('0s'),
    }),
  }),
  outlierDetection: open({
    splitExternalLocalOriginErrors: flag,
    consecutiveLocalOriginFailures: uint32,
    consecutiveGatewayErrors: uint32,
    consecutive5xxErrors: uint32,
    interval: time('1ms'),
    baseEjectionTime: time('1ms'),
    maxEjectionPercent: whole(0, 100),
  }),
  tls,
};

const destinationRule = open(
  {
    host: { type: 'string', minLength: 1, maxLength: 254, pattern: `^\\*$|${hostText.pattern}` },
    trafficPolicy: open({
      ...policy,
      portLevelSettings: list(
        open({ ...policy, port: open({ number: port }, { required: ['number'] }) }, { required: ['port'] }),
        {
          maxItems: 256,
          ...rules({
            rule: 'self.all(a, self.filter(b, b.port.number == a.port.number).size() == 1)',
            message: 'has two settings for one port: put them together.',
          }),
        },
      ),
    }),
    exportTo,
  },
  { required: ['host'] },
);

const istio = {
  group: 'networking.istio.io',
  version: 'v1',
  categories: ['istio-io', 'networking-istio-io'],
  scope: 'Namespaced',
} as const;

/** Istio's kinds, as far as they are read: for clusters that have no Istio. */
export const istioKinds: readonly CrdKind[] = [
  {
    ...istio,
    ...{ kind: 'ServiceEntry', plural: 'serviceentries', shortNames: ['se'], spec: serviceEntry },
    description: 'Hosts, their ports and their instances: a Group for each host.',
    columns: [
      { name: 'Hosts', type: 'string', jsonPath: '.spec.hosts' },
      { name: 'Location', type: 'string', jsonPath: '.spec.location' },
      { name: 'Resolution', type: 'string', jsonPath: '.spec.resolution' },
    ],
  },
  {
    ...istio,
    ...{ kind: 'WorkloadEntry', plural: 'workloadentries', shortNames: ['we'], spec: workload },
    description: 'An instance, which ServiceEntries select by its labels.',
    columns: [
      { name: 'Address', type: 'string', jsonPath: '.spec.address' },
      { name: 'Locality', type: 'string', jsonPath: '.spec.locality' },
    ],
  },
  {
    ...istio,
    ...{ kind: 'DestinationRule', plural: 'destinationrules', shortNames: ['dr'], spec: destinationRule },
    description: 'How callers connect to a host, balance and eject.',
    columns: [{ name: 'Host', type: 'string', jsonPath: '.spec.host' }],
  },
];
