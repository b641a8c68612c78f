import { z } from 'zod';
import { component, described, finding } from './components.ts';
import { evacuation } from './evacuations.ts';
import type { Json, Written } from './json.ts';
import { configQuery } from './lines/config-lines.ts';
import type { Operation } from './operation.ts';
import { drained } from './orders/drains.ts';

const role = z.enum(['sidecar', 'ingress', 'egress', 'grpc']);
const strings = z.array(z.string());

/** A finding as clients get it. */
export type ShownFinding = z.infer<typeof finding>;

const typeReport = component(
  'TypeReport',
  z.strictObject({
    state: described(
      'STALE: newer state waits for its turn, or for the ACK.',
      z.enum(['SYNCED', 'STALE', 'NACKED', 'NOT SENT']),
    ),
    version: described('The last version that it ACKed.', z.string()).optional(),
    answeredAgoMs: described('Since its last ACK or NACK.', z.number()).optional(),
    sent: described(
      'The response that awaits its ACK.',
      z.strictObject({ version: z.string(), agoMs: z.number() }),
    ).optional(),
    nack: described(
      'The refusal, in its own message.',
      z.strictObject({
        version: z.string(),
        message: z.string(),
        names: strings,
        lacking: described('Those of `names` of which it has no earlier version.', strings),
        againInMs: described('When the first is offered again.', z.number()).optional(),
      }),
    ).optional(),
    names: described('Number of subscribed names; absent: all.', z.int()).optional(),
  }),
);

const proxyFields = {
  id: z.string(),
  role,
  idc: z.string(),
  protocol: z.string(),
  client: described(
    'Its program and version, where it states them: `envoy` and `1.40.0`.',
    z.strictObject({ name: z.string(), version: z.string() }),
  ).optional(),
  peer: described('`address:port` of the peer.', z.string()),
  connectedForMs: z.number(),
  lastEvent: described(
    'The last event that it ACKed: event → ACK, and when.',
    z.strictObject({ tookMs: z.number(), agoMs: z.number() }),
  ).optional(),
  types: z.record(z.string(), typeReport),
};

const proxyStatus = component('ProxyStatus', z.strictObject(proxyFields));

const version = z.string().optional();
const nodeStatus = component(
  'NodeStatus',
  z.strictObject({
    ...proxyFields,
    differences: described(
      'Resources that it has not accepted in their current version.',
      z.array(
        z.strictObject({
          type: z.string(),
          name: z.string(),
          acked: version,
          sent: version,
          now: version,
          state: z.enum(['sent', 'waiting', 'refused', 'held']),
        }),
      ),
    ),
  }),
);

const sourceStatus = z.strictObject({
  name: z.string(),
  from: z.enum(['source', 'snapshot', 'both']).optional(),
  reason: z.string().optional(),
  objects: z.int().optional(),
  held: z.int().optional(),
  repaired: z.int().optional(),
  writtenAt: z.number().optional(),
  knownGoodAt: z.number().optional(),
});

const peerStatus = z.strictObject({
  name: z.string(),
  state: z.enum(['in step', 'away', 'self', 'stranger']),
  heardAgoMs: z.number().optional(),
  why: z.string().optional(),
  keptThereAlone: z.int(),
});

const levels = z.strictObject({
  connections: z.int(),
  connectionsMax: z.int(),
  waiting: z.int(),
  streamless: z.int(),
  streams: z.int(),
  streamsMax: z.int(),
  turnedAway: z.record(z.string(), z.int()),
  unfinishedBytes: z.int(),
  silentTotal: z.int(),
  paced: z.int(),
  pacedTotal: z.int(),
});

const refusedStreams = z.strictObject({
  from: described('IP address of the clients.', z.string()),
  node: z.string().optional(),
  reason: z.string(),
  count: z.int(),
  firstAgoMs: z.number(),
  lastAgoMs: z.number(),
});

const slowPush = z.strictObject({
  queueMs: z.number(),
  planMs: z.number(),
  encodeMs: z.number(),
  sendMs: z.number(),
  ackMs: z.number(),
  wallMs: z.number(),
  source: z.string(),
  events: z.int(),
  what: z.string(),
  types: strings,
  totalMs: z.number(),
  subscriptions: z.int(),
  lastNode: z.string(),
  nacks: z.int(),
  late: strings,
});

/** The status of a control plane. Times in milliseconds. */
const controlPlaneStatus = component(
  'ControlPlaneStatus',
  z.strictObject({
    version: described('The version of Isthmus that it runs.', z.string()),
    revision: described(
      'The newest revision of what it pushes, counted from its start; the log names it with each push.',
      z.int(),
    ),
    ready: described('New proxies are welcome, and answered.', z.boolean()),
    waitingFor: strings,
    reasons: described('Why it still waits, for how long, and what to do.', strings),
    sources: z.array(sourceStatus),
    peers: described('The other control planes of this IDC.', z.array(peerStatus)),
    idc: z.string(),
    proxies: z.array(proxyStatus),
    gone: described(
      'Nodes that were connected: their current configuration is unknown.',
      z.array(z.strictObject({ id: z.string(), role, idc: z.string(), goneForMs: z.number() })),
    ),
    gateways: described(
      'Those that the Idc declares: their addresses, and the node ids of the connected gateways that listen there.',
      z.array(z.strictObject({ role: z.enum(['ingress', 'egress']), addresses: strings, nodes: strings })),
    ),
    port: described('Levels of the xDS port, and refusals since the start.', levels).optional(),
    refusedStreams: z.array(refusedStreams),
    eventToAck: z.strictObject({
      count: z.int(),
      p50Ms: z.number(),
      p90Ms: z.number(),
      p95Ms: z.number(),
      p99Ms: z.number(),
      maxMs: z.number(),
    }),
    evacuations: z.array(evacuation),
    drained: described('Instances that an operator has drained.', z.array(drained)),
    comingHome: described(
      'Groups in gradual failback, with their local percentage.',
      z.array(z.strictObject({ group: z.string(), percent: z.number() })),
    ),
    slowPushes: described('The last slow or late pushes, newest first.', z.array(slowPush)),
    loopPrevention: z.enum(['on', 'off']),
    others: described(
      "Other IDCs, with their control planes' admin addresses as their Idcs declare them.",
      z.array(z.strictObject({ idc: z.string(), controlPlanes: strings })),
    ),
    problems: described('Problems besides those of registry objects.', z.array(finding)),
  }),
);

/** The status of a control plane, as it writes it. */
export type ControlPlaneStatus = Written<z.output<typeof controlPlaneStatus>>;

/** The part of it that is cheap: whether proxies are answered, and from which state. */
export type ReadinessStatus = Pick<
  Json<z.output<typeof controlPlaneStatus>>,
  'ready' | 'waitingFor' | 'reasons' | 'sources' | 'peers'
>;

/** A connected proxy in it. */
export type ProxyStatus = ControlPlaneStatus['proxies'][number];

/** A stream of a node in full. */
export type NodeStatus = Written<z.output<typeof nodeStatus>>;

const text = (description: string) => ({ description, text: true }) as const;
const anyQuery = { query: z.strictObject({}), takesAnyQuery: true } as const;
const tag = 'status';

/** Input and output of the pages of the admin address. */
export const statusContract = {
  listPages: {
    ...{ tag, summary: 'All operations, one per line', help: 'this list', ...anyQuery },
    answers: { 200: text('Method, path, and what it is for.') },
  },
  getLive: {
    ...{ tag, summary: 'Whether the process answers', help: 'the process answers', ...anyQuery },
    answers: { 200: text('It lives.') },
  },
  getReady: {
    ...{ tag, summary: 'Whether xDS is answered', ...anyQuery },
    help: 'xDS is answered; else 503 and the unmet conditions',
    answers: { 200: text('It is ready.'), 503: text('It is not ready, and the unmet conditions.') },
  },
  getStatus: {
    ...{ tag, isDear: true, takesAnyQuery: true },
    summary: 'Proxies, their configuration, and how long events take to their ACKs',
    help: 'proxies, their configuration, event → ACK; ?node=ID: one of them in full (JSON)',
    query: z.strictObject({
      node: z
        .string()
        .optional()
        .meta({ description: 'A node id: only this proxy, each of its streams in full.' }),
    }),
    answers: {
      200: {
        description: 'Of the control plane, or of each stream of a node.',
        schema: component('Status', z.union([controlPlaneStatus, z.array(nodeStatus)])),
      },
    },
    refusals: [404, 429],
  },
  getProblems: {
    ...{ tag, isDear: true, ...anyQuery },
    summary: 'Problems of registry objects',
    help: 'problems of registry objects (JSON)',
    answers: {
      200: { description: 'Errors and warnings.', schema: component('Problems', z.array(finding)) },
    },
    refusals: [429],
  },
  getConfig: {
    ...{ tag, isDear: true },
    summary: 'The configuration of a proxy: what it was sent, and what it has acknowledged',
    description:
      'Lines of JSON: first the node and the number of its resources, then each resource with its state and its versions, in the order of pushes. At most 20,000 resources and 32 MiB.',
    help: 'what a proxy was sent and has acknowledged (lines of JSON)',
    path: { node: 'The node id.' },
    query: configQuery,
    answers: { 200: text('Lines of JSON.') },
    refusals: [404, 429],
  },
  getRegistry: {
    ...{ tag, isDear: true },
    summary: 'All objects in force, and the classes of proxies',
    description:
      'Lines of JSON: first the settings of the control plane, its sources in order of precedence and the classes of its proxies, then lists of objects of one source each. For `isthmus validate --live` and `isthmus diff` of the same version; the form of objects may change with it.',
    help: 'all objects in force, and the classes of proxies (lines of JSON)',
    query: z.strictObject({}),
    answers: { 200: text('Lines of JSON.') },
    refusals: [429],
  },
  getMetrics: {
    ...{ tag, isDear: true, ...anyQuery },
    summary: 'Metrics for Prometheus',
    help: 'Prometheus metrics',
    answers: { 200: text("Prometheus' text format.") },
    refusals: [429],
  },
  confirmDeletes: {
    ...{ tag, needsToken: true, ...anyQuery },
    summary: 'Confirm the deletions that are held (`docs/files-source.md`)',
    help: 'confirm the deletions that are held (needs the token)',
    answers: {
      200: {
        description: 'Number of confirmed deletions.',
        schema: component('ConfirmedDeletes', z.strictObject({ released: z.int() })),
      },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
