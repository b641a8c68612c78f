import t from 'tap';
import type { GroupView } from '../../src/index/view.ts';
import type { DrGroup, GroupTraffic, Idc } from '../../src/model/idc.ts';
import type { Meta } from '../../src/model/meta.ts';
import type { ServiceEntry, TrafficPolicy } from '../../src/model/service.ts';
import { planGroup } from '../../src/plan/group.ts';
import { instanceTriesMax } from '../../src/plan/retries/retry.ts';
import { planTrailPolicies } from '../../src/plan/trail.ts';
import type { GroupPlan, ListenerRole } from '../../src/plan/types.ts';
import { canonicalPolicy } from '../../src/trail/canonical.ts';

const meta = (name: string, namespace = ''): Meta => ({
  name,
  namespace,
  labels: {},
  annotations: {},
  origin: 'test',
});

const idcs = (...names: string[]): ReadonlyMap<string, Idc> =>
  new Map(
    names.map((name) => [
      name,
      {
        kind: 'Idc',
        meta: meta(name),
        spec: {
          ingress: [{ address: '10.0.0.1', edgePort: 80, peerPort: 81 }],
          egress: [{ address: '10.0.0.2', sidecarPort: 90, ingressPort: 91 }],
        },
      },
    ]),
  );

interface Case {
  readonly dr?: readonly string[];
  readonly hopLimit?: number;
  readonly traffic?: GroupTraffic;
  readonly annotations?: Record<string, string>;
  readonly policy?: TrafficPolicy;
  readonly portPolicy?: TrafficPolicy;
  readonly protocol?: ServiceEntry['spec']['ports'][0]['protocol'];
  readonly resolution?: ServiceEntry['spec']['resolution'];
  readonly known?: readonly string[];
  readonly meshHopLimit?: number;
}

function plan(options: Case): GroupPlan | undefined {
  const instance = (idc: string, address: string, weight = 1) => ({
    address,
    ports: { http: 9000 },
    labels: {},
    idc,
    locality: `${idc}/z1`,
    weight,
  });
  const drGroup: DrGroup | undefined = options.dr && {
    kind: 'DrGroup',
    meta: meta('shop'),
    spec: {
      hosts: ['checkout.shop'],
      idcs: options.dr.map((name) => ({ name })),
      hopLimit: options.hopLimit ?? 1,
      traffic: options.traffic ?? {},
    },
  };
  const view: GroupView = {
    host: 'checkout.shop',
    entry: {
      kind: 'ServiceEntry',
      meta: { ...meta('checkout', 'shop'), annotations: options.annotations ?? {} },
      spec: {
        hosts: ['checkout.shop'],
        ports: [{ number: 8080, name: 'http', protocol: options.protocol ?? 'HTTP' }],
        resolution: options.resolution ?? 'STATIC',
        location: 'MESH_INTERNAL',
        endpoints: [],
      },
    },
    instances: [
      instance('a', 'db.example.com'),
      instance('a', '10.1.0.1', 2),
      instance('a', '10.1.0.2'),
      instance('b', '10.2.0.1'),
    ],
    ...(options.policy && {
      rule: {
        kind: 'DestinationRule',
        meta: meta('checkout', 'shop'),
        spec: {
          host: 'checkout.shop',
          policy: options.policy,
          portPolicies: options.portPolicy ? { 8080: options.portPolicy } : {},
        },
      },
    }),
    ...(drGroup && { drGroup }),
  };
  return planGroup(view, {
    localIdc: 'a',
    idcs: idcs(...(options.known ?? ['a', 'b', 'c'])),
    hopLimit: options.meshHopLimit ?? 1,
    loopPrevention: 'on',
    checkIntervalMsMin: 0,
  })[0];
}

/** A path in short: `instances > egress`, `idc b > idc c`, or `nobody`. */
function shape(of: GroupPlan | undefined, listener: ListenerRole): string {
  const targets = of?.paths[listener].priorities ?? [];
  return targets.map((to) => (to.kind === 'idc' ? `idc ${to.idc}` : to.kind)).join(' > ') || 'nobody';
}

const paths: readonly [string, Case, Record<ListenerRole, string>][] = [
  [
    'a Group in no DR group never leaves its IDC',
    {},
    { outbound: 'instances', edge: 'instances', peer: 'instances', sidecar: 'nobody', ingress: 'nobody' },
  ],
  [
    'two IDCs: local first, then the egress, then the other',
    { dr: ['a', 'b'] },
    {
      outbound: 'instances > egress',
      edge: 'instances > egress',
      peer: 'instances',
      sidecar: 'idc b',
      ingress: 'idc b',
    },
  ],
  [
    'three IDCs: the DR group says in which order',
    { dr: ['c', 'a', 'b'] },
    {
      outbound: 'instances > egress',
      edge: 'instances > egress',
      peer: 'instances',
      sidecar: 'idc c > idc b',
      ingress: 'idc c > idc b',
    },
  ],
  [
    'hop limit 0 keeps it at home',
    { dr: ['a', 'b'], hopLimit: 0 },
    { outbound: 'instances', edge: 'instances', peer: 'instances', sidecar: 'nobody', ingress: 'nobody' },
  ],
  [
    'an IDC that nobody describes is not tried',
    { dr: ['a', 'gone', 'b'] },
    {
      outbound: 'instances > egress',
      edge: 'instances > egress',
      peer: 'instances',
      sidecar: 'idc b',
      ingress: 'idc b',
    },
  ],
  [
    'no gateways of our own, no way out',
    { dr: ['a', 'b'], known: ['b'] },
    { outbound: 'instances', edge: 'instances', peer: 'instances', sidecar: 'nobody', ingress: 'nobody' },
  ],
  [
    'a caller outside the DR group reaches its IDCs',
    { dr: ['b', 'c'] },
    {
      outbound: 'instances > egress',
      edge: 'instances > egress',
      peer: 'instances',
      sidecar: 'idc b > idc c',
      ingress: 'idc b > idc c',
    },
  ],
];

for (const [name, given, expected] of paths) {
  t.test(name, async (t) => {
    const planned = plan(given);
    for (const [listener, path] of Object.entries(expected)) {
      t.equal(shape(planned, listener as ListenerRole), path, listener);
    }
  });
}

t.test('only instances of the own IDC that have an address, by locality and with weights', async (t) => {
  t.strictSame(plan({ dr: ['a', 'b'] })?.instances, [
    {
      name: 'a/z1',
      endpoints: [
        { address: '10.1.0.1', port: 9000, weight: 2 },
        { address: '10.1.0.2', port: 9000, weight: 1 },
      ],
    },
  ]);
});

t.test('gRPC is HTTP/2', async (t) => {
  t.equal(plan({ protocol: 'GRPC' })?.protocol, 'http2');
});

t.test('one layer has the full retry policy', async (t) => {
  const planned = plan({ dr: ['a', 'b'] });
  if (planned === undefined) throw new Error('no plan');
  const { outbound, sidecar, peer } = planned.paths;
  t.match(outbound.retry.idempotent, { retries: 3, on: ['unsent', 'reset', 'gateway-error'] });
  t.strictSame(sidecar.retry.idempotent.on, ['unsent'], 'the egress repeats only what did not leave it');
  t.equal(peer.retry.idempotent.retries, 1);
  t.strictSame(outbound.retry.idempotentMethods, ['GET', 'HEAD', 'OPTIONS', 'TRACE']);
  for (const path of [outbound, sidecar, peer]) {
    for (const condition of path.retry.other.on) {
      t.match(
        condition,
        /^(told-)?unsent$/,
        'a POST, PUT or DELETE that may have been executed is not sent again',
      );
    }
    t.equal(path.retry.other.perTryMs, 0, 'nor is it started twice');
    t.equal(path.retry.idempotent.perTryMs, 0, 'a slow try is not a dead one');
  }
  const tries = (path: typeof outbound) => 1 + path.retry.idempotent.retries;
  t.equal(tries(outbound) * tries(peer), instanceTriesMax);
});

t.test('a Group sets its own times: annotation over DR group over default', async (t) => {
  const traffic = { timeoutMs: 4000, perTryTimeoutMs: 1000, retries: 1, health: { path: '/up' } };
  const byGroup = plan({ dr: ['a', 'b'], traffic });
  t.match(byGroup?.paths.outbound.retry, { timeoutMs: 4000, idempotent: { perTryMs: 1000, retries: 1 } });
  t.match(byGroup?.health, { question: { kind: 'http', path: '/up' }, intervalMs: 500 });
  const annotations = { 'isthmus.dev/timeout': '9s', 'isthmus.dev/idempotent-methods': 'GET' };
  const byEntry = plan({ dr: ['a', 'b'], traffic, annotations });
  t.match(byEntry?.paths.outbound.retry, { timeoutMs: 9000, idempotentMethods: ['GET'] });
  t.equal(plan({ dr: ['a', 'b'] })?.health, undefined, 'no path, no active checks');
});

t.test('a time for a try: given up at the first proxy alone, or hedged at the peer’s too', async (t) => {
  const times = (traffic: GroupTraffic) => {
    const paths = plan({ dr: ['a', 'b'], traffic })?.paths;
    const of = (listener: ListenerRole) => {
      const { perTryMs, hedged } = paths?.[listener].retry.idempotent ?? { perTryMs: -1, hedged: false };
      return [perTryMs, hedged];
    };
    return { outbound: of('outbound'), edge: of('edge'), peer: of('peer'), sidecar: of('sidecar') };
  };
  const [none, hedged] = [
    [0, false],
    [400, true],
  ];
  t.strictSame(times({}), { outbound: none, edge: none, peer: none, sidecar: none });
  t.strictSame(times({ hedge: true }), {
    outbound: hedged,
    edge: hedged,
    peer: [160, true],
    sidecar: none,
  });
  t.match(times({ hedge: true, perTryTimeoutMs: 1000 }), { outbound: [1000, true], peer: [400, true] });
  t.match(times({ perTryTimeoutMs: 1000 }), { outbound: [1000, false], edge: [1000, false], peer: none });
  t.match(times({ hedge: true, retries: 0 }), { outbound: none, peer: none }, 'without retries none');
});

t.test('a Group that cannot leave its IDC keeps its last instance', async (t) => {
  t.strictSame(plan({ dr: ['a', 'b'] })?.outlier.maxEjectionPercent, { sidecar: 100, ingress: 99 });
  t.strictSame(plan({})?.outlier.maxEjectionPercent, { sidecar: 99, ingress: 99 });
  const strict = plan({ dr: ['a', 'b'], policy: { outlier: { maxEjectionPercent: 30 } } });
  t.strictSame(strict?.outlier.maxEjectionPercent, { sidecar: 30, ingress: 30 });
});

t.test('without active checks an ejection is short, or failback is late', async (t) => {
  const health = { path: '/up' };
  const checked = plan({ dr: ['a', 'b'], traffic: { health } });
  t.match(checked?.outlier, { checksEndEjections: false, failureShare: { ofConnections: false } });
  for (const time of [{ timeoutMs: 3_000 }, { perTryTimeoutMs: 400 }, { hedge: true }])
    t.match(plan({ dr: ['a', 'b'], traffic: { health, ...time } })?.outlier, {
      failureShare: { ofConnections: true },
    });
  t.match(plan({ dr: ['a', 'b'] })?.outlier, { baseEjectionMs: 3_000, maxEjectionMs: 4_000 });
});

t.test('a DestinationRule sets connections, outlier detection and balancing', async (t) => {
  const planned = plan({
    policy: {
      connectTimeoutMs: 100,
      maxRetries: 7,
      loadBalancer: 'RANDOM',
      outlier: { consecutive5xxErrors: 9, baseEjectionTimeMs: 600_000 },
    },
  });
  t.match(planned?.connection, { connectTimeoutMs: 100, maxRetries: 7, maxConnections: 16_384 });
  t.match(planned?.outlier, { consecutive5xx: 9, baseEjectionMs: 600_000, maxEjectionMs: 600_000 });
  t.equal(planned?.loadBalancer, 'RANDOM');
});

t.test('outlierDetection has Istio’s defaults, field by field, where it is given', async (t) => {
  const of = (outlier: NonNullable<TrafficPolicy['outlier']>) =>
    plan({ dr: ['a', 'b'], policy: { outlier } })?.outlier;
  const istio = {
    consecutive5xx: 5,
    intervalMs: 10_000,
    baseEjectionMs: 30_000,
    maxEjectionMs: 300_000,
    maxEjectionPercent: { sidecar: 10, ingress: 10 },
  };
  t.strictSame(of({}), istio, 'gateway errors off, nothing split off');
  t.strictSame(of({ consecutiveGatewayErrors: 0 }), istio);
  t.strictSame(of({ consecutive5xxErrors: 10 }), { ...istio, consecutive5xx: 10 });
  const { consecutive5xx: _, ...off } = istio;
  t.strictSame(of({ consecutive5xxErrors: 0 }), off, '0 switches it off');
  t.strictSame(of({ consecutiveGatewayErrors: 2 }), { ...istio, consecutiveGatewayErrors: 2 });
  const split = { ...istio, consecutiveLocalOriginFailures: 5 };
  t.strictSame(of({ splitExternalLocalOriginErrors: true }), split);
  t.strictSame(of({ splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 0 }), split);
  t.strictSame(of({ consecutiveLocalOriginFailures: 2 }), istio, 'of no effect without the split');
  t.strictSame(of({ maxEjectionPercent: 0 }), istio, '0 is what an absent field is');
  t.match(of({ maxEjectionPercent: 100 }), { maxEjectionPercent: { sidecar: 100, ingress: 99 } });
  t.match(plan({ dr: ['a', 'b'] })?.outlier, { consecutiveGatewayErrors: 3, intervalMs: 500 }, 'else ours');
});

t.test('a policy for the port replaces the host’s, and inherits nothing', async (t) => {
  const planned = plan({ policy: { connectTimeoutMs: 100 }, portPolicy: { maxRetries: 7 } });
  t.match(planned?.connection, { connectTimeoutMs: 250, maxRetries: 7 });
});

t.test(
  'beyond what a filter can tell apart, the last IDCs are unknown to it, and it is still there',
  async (t) => {
    const names = Array.from({ length: 80 }, (_, i) => `idc-${String(i).padStart(2, '0')}`);
    for (const policy of planTrailPolicies('idc-07', idcs(...names), 1)) {
      t.equal(policy.peers.length, 63);
      t.doesNotThrow(() => canonicalPolicy(policy));
    }
  },
);
