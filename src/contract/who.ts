import { z } from 'zod';
import { component, described } from './components.ts';
import type { Json } from './json.ts';
import type { Operation } from './operation.ts';
import { drained } from './orders/drains.ts';
import { durationQuery } from './query.ts';

const share = (words: string) =>
  described(`${words}, 0 to 1; absent: no request was sent.`, z.number()).optional();
const node = z.string();
const role = z.enum(['sidecar', 'ingress', 'egress', 'grpc']);

/** Why a proxy does not send requests to a host of a cluster, or only as a last resort. */
export const hostReason = described(
  'check-failed, check-timeout, not-checked: its active health check. told-unhealthy: it answered with x-envoy-immediate-health-check-fail. ejected: by outlier detection. declared-unhealthy: by its endpoint. drained: by an operator. last-resort: its IDC is evacuated. degraded: by its health check. being-removed: removed from the registry.',
  z.enum([
    ...(['check-failed', 'check-timeout', 'not-checked', 'told-unhealthy', 'ejected'] as const),
    ...(['declared-unhealthy', 'drained', 'last-resort', 'degraded', 'being-removed'] as const),
  ]),
);

const hostReport = component(
  'HostReport',
  z.strictObject({
    address: described('IP:PORT, or unix://PATH.', z.string()),
    name: described('NAMESPACE/NAME of its WorkloadEntry.', z.string()).optional(),
    zone: z.string().optional(),
    priority: described('0 first; within its IDC.', z.int()),
    weight: z.number(),
    health: described(
      'mixed: healthy at some proxies; unknown: no proxy that was read has it.',
      z.enum(['healthy', 'degraded', 'unhealthy', 'mixed', 'unknown']),
    ),
    why: z.array(
      z.strictObject({
        reason: hostReason,
        at: described('Node ids of the proxies that say so.', z.array(node)),
      }),
    ),
    knownTo: described('Proxies that have it.', z.int()),
    usableAt: described('Proxies that may send it requests.', z.int()),
    requests: described('Sent to it in the interval.', z.int()),
    share: share('Its part of all that this IDC sent'),
    active: described('Requests in flight.', z.int()),
    lost: described(
      'Of an egress gateway: why it takes no request, whatever proxies say of it; absent: it answers.',
      z.string(),
    ).optional(),
  }),
);

/** An egress gateway that takes no request. */
const lostExit = z.strictObject({
  name: described('IDC/egress-NUMBER, by its place in the Idc.', z.string()),
  addresses: described('IP:PORT of its listeners.', z.array(z.string())),
  why: described('Since when it is not connected, and what a probe of it finds.', z.string()),
});

const nextIdc = z.strictObject({
  idc: z.string(),
  priority: described('1 first: after the instances of this IDC.', z.int()),
  weight: described('Of IDCs of one priority.', z.number()).optional(),
  usable: described(
    'Whether egress gateways may send requests there; unknown: none of them was read.',
    z.enum(['yes', 'no', 'unknown']),
  ),
  requests: described(
    'Sent there; absent: not known, as it is one of several that Groups with shared counts were sent to.',
    z.int(),
  ).optional(),
  share: share('Its part of all that this IDC sent'),
  isShared: described(
    'Egress gateways have one cluster for this Group and others that leave the IDC alike: requests of `gateways` are those of all of them.',
    z.literal(true),
  ).optional(),
  gateways: z.array(hostReport),
});

const groupReport = component(
  'GroupReport',
  z.strictObject({
    namespace: z.string(),
    port: z.int(),
    protocol: z.enum(['http1', 'http2', 'tcp']),
    served: described(
      'By instances of this IDC; by another IDC; by nobody; unknown: the proxies that were read do not tell.',
      z.enum(['here', 'away', 'nobody', 'unknown']),
    ),
    by: described('The IDC that requests go to first.', z.string()).optional(),
    takesOver: described(
      'The IDC that takes over when it fails; absent: none that is known to be able to.',
      z.string(),
    ).optional(),
    requests: described('Sent by the proxies that were read, in the interval.', z.int()),
    awayShare: share('The part of them that left the IDC'),
    instances: z.array(hostReport),
    exits: described('Egress gateways of this IDC; empty: the Group does not leave it.', z.array(hostReport)),
    next: described('Other IDCs, the first to take over first.', z.array(nextIdc)),
    keepsPercent: described(
      'Of its requests; absent: all while half of its instances can serve.',
      z.number(),
    ).optional(),
    evacuations: described('Names of those that make it leave.', z.array(z.string())),
    drained: described('Instances that an operator has drained.', z.array(drained)),
    returningPercent: described('Taken back in a gradual failback.', z.number()).optional(),
    spillLimit: described(
      'Concurrent requests that each ingress gateway takes from other IDCs; absent: no limit.',
      z.number(),
    ).optional(),
    readAt: described('Node ids of the proxies that were read and have the Group.', z.array(node)),
  }),
);

const who = component(
  'Who',
  z.strictObject({
    host: described('As declared: of a host that a pattern covers, the pattern.', z.string()),
    idc: described('The IDC that this control plane decides for.', z.string()),
    at: described('When the second readings began, RFC 3339.', z.string()),
    intervalMs: z.number(),
    groups: described('By port, and by namespace where several declare the host.', z.array(groupReport)),
    exits: described(
      'Whether requests can leave the IDC: isCutOff: no egress gateway of its Idc answers; lost: those that do not.',
      z.strictObject({ isCutOff: z.boolean(), lost: z.array(lostExit) }),
    ),
    proxies: z.strictObject({
      connected: described('Connected Envoys that have the host.', z.int()),
      asked: described('Of each role at most 32.', z.int()),
      read: z.int(),
      silent: described(
        'Those that could not be read.',
        z.array(z.strictObject({ node, role, why: z.string() })),
      ),
    }),
    others: described(
      "Other IDCs, with their control planes' admin addresses as their Idcs declare them.",
      z.array(z.strictObject({ idc: z.string(), controlPlanes: z.array(z.string()) })),
    ),
  }),
);

const served = component(
  'Served',
  z.strictObject({
    idc: z.string(),
    at: described('When the reading began, RFC 3339.', z.string()),
    groups: described('Ports of hosts that were looked at.', z.int()),
    notLookedAt: described('Hosts beyond the first 1,000 by name.', z.int()),
    unknown: described('Of `groups`: no proxy that could tell was read.', z.int()),
    notHere: described(
      'Those that instances of this IDC do not serve.',
      z.array(
        z.strictObject({
          host: z.string(),
          namespace: z.string(),
          port: z.int(),
          served: z.enum(['away', 'nobody']),
          by: described('The IDC that requests go to.', z.string()).optional(),
          instances: described('Of this IDC.', z.int()),
          usable: described('Of these, those that some proxy may send requests to.', z.int()),
          why: described(
            'Why no other IDC serves it, where no egress gateway answers.',
            z.string(),
          ).optional(),
        }),
      ),
    ),
    alone: described(
      'Those that instances of this IDC serve and that may leave it, where no other IDC could take over.',
      z.array(
        z.strictObject({
          host: z.string(),
          namespace: z.string(),
          port: z.int(),
          why: described('Where no egress gateway answers.', z.string()).optional(),
        }),
      ),
    ),
    readAt: described('Node ids of the proxies that were read.', z.array(node)),
    silent: z.array(z.strictObject({ node, role, why: z.string() })),
  }),
);

/** An egress gateway of the own IDC that takes no request. */
export type LostExit = Json<z.output<typeof lostExit>>;

/** Which Groups are not served by their own IDC. */
export type ServedReport = Json<z.output<typeof served>>;

/** Who serves a host, as one control plane's proxies see it. */
export type WhoReport = Json<z.output<typeof who>>;

/** One port of a Group in it, as an IDC sees it. */
export type GroupReport = WhoReport['groups'][number];

/** Another IDC that may serve the Group. */
export type NextIdc = GroupReport['next'][number];

/** A host of a cluster as all proxies that were read have it. */
export type HostReport = GroupReport['instances'][number];

/** Why a proxy does not send requests to a host of a cluster, or only as a last resort. */
export type HostReason = HostReport['why'][number]['reason'];

/** The longest interval between two readings, and the default. */
const interval = { mostMs: 30_000, default: '2s' } as const;

/** Input and output of the question who serves a host. */
export const whoContract = {
  getWho: {
    tag: 'status',
    summary: 'Who serves a host now, as proxies say',
    description:
      'Reads the clusters of the connected proxies that have the host twice, and adds up: health and its reasons, priorities, and what was sent where in the interval. Answers after the interval.',
    help: 'who serves a host now: instances and IDCs, health, share of requests (JSON)',
    path: { host: 'HOST, or HOST:PORT.' },
    query: z.strictObject({
      for: durationQuery(0, interval.mostMs, 'give a duration of at most 30s, such as 2s')
        .prefault(interval.default)
        .meta({ description: 'The interval in which requests are counted, up to 30s.' }),
    }),
    answers: { 200: { description: 'By port and namespace.', schema: who } },
    refusals: [404, 429],
  },
  getServed: {
    ...{ tag: 'status', takesAnyQuery: true, query: z.strictObject({}) },
    summary: 'Which Groups are not served by their own IDC',
    description:
      'Reads the clusters of a few connected proxies once: at most two gateways of each kind and four sidecars. The answer may be 5 s old.',
    help: 'hosts that another IDC serves, or nobody (JSON)',
    answers: { 200: { description: 'By host and port.', schema: served } },
    refusals: [429],
  },
} as const satisfies Readonly<Record<string, Operation>>;
