import { z } from 'zod';
import { component, described } from './components.ts';
import type { Json } from './json.ts';
import type { Operation } from './operation.ts';
import { durationQuery, positive } from './query.ts';

const strings = z.array(z.string());
const count = z.int();

/** Fields of every event. */
const common = {
  id: described('Grows with each event, also across restarts.', count),
  at: described('RFC 3339.', z.string()),
  notNoted: described('Events of this kind before it that were too many to be kept.', count).optional(),
};

const controlPlane = z.strictObject({
  ...common,
  kind: z.literal('controlplane'),
  phase: described(
    'ready: proxies are answered; stopping: it was told to.',
    z.enum(['started', 'ready', 'stopping']),
  ),
  version: z.string().optional(),
  before: described(
    'Whether the one before it stopped as it was told, or ended otherwise; absent: none is known.',
    z.enum(['stopped', 'died']),
  ).optional(),
  lastHeardAt: described('When the one before it was alive last, to within 10 s.', z.string()).optional(),
  groups: count.optional(),
  signal: z.string().optional(),
});

const fieldChange = z.strictObject({
  path: described('Of the field, such as spec.address.', z.string()),
  from: described('As JSON, cut; absent: it was not set.', z.string()).optional(),
  to: described('As JSON, cut; absent: it is not set.', z.string()).optional(),
});

const change = z.strictObject({
  ...common,
  kind: z.literal('change'),
  source: z.string(),
  change: z.enum(['added', 'changed', 'removed']).optional(),
  object: described('KIND NAMESPACE/NAME, or KIND NAME.', z.string()).optional(),
  fields: described('Of an object that was there before and still is.', z.array(fieldChange)).optional(),
  moreFields: count.optional(),
  where: described('Its file and line, or how it came.', z.string()).optional(),
  by: described('The address of the client of the admin API that asked for it.', z.string()).optional(),
  more: described('Further objects that were read together with the ones before.', count).optional(),
});

const push = z.strictObject({
  ...common,
  kind: z.literal('push'),
  phase: described(
    'late: some proxy had not ACKed it in time. Noted when its wait is over.',
    z.enum(['acked', 'late']),
  ),
  source: z.string(),
  what: described('The first of its changes.', z.string()),
  events: described('Changes in it.', count),
  revision: count,
  types: strings,
  subscriptions: described('That it concerned: one is a type of a proxy.', count),
  ms: described('From the change to the last ACK; absent: nobody had to answer.', z.number()).optional(),
  nacks: count.optional(),
  lastNode: z.string().optional(),
  late: strings.optional(),
});

const nack = z.strictObject({
  ...common,
  kind: z.literal('nack'),
  node: z.string(),
  type: z.string(),
  refused: described('Resources; empty: the proxy does not tell.', strings),
  message: described("The proxy's words, cut.", z.string()),
  more: described('Further refusals for the same reason within 10 s, this one included.', count).optional(),
});

const failover = z.strictObject({
  ...common,
  kind: z.literal('failover'),
  phase: described(
    'begin: no instance here can serve; returning: requests come back gradually; held: that failed; end: the IDC serves again.',
    z.enum(['begin', 'returning', 'held', 'end']),
  ),
  group: described('NAMESPACE/HOST:PORT.', z.string()),
  why: described(
    'registry: no instance is registered. drained: all that are have been drained. checks: the health checks of the control plane fail. unreached: instances do not accept connections of the control plane. proxies: the ingress gateways that were read consider none healthy.',
    z.enum(['registry', 'drained', 'checks', 'unreached', 'proxies']),
  ).optional(),
  instances: described('Registered in this IDC, without those that are drained.', count),
  drained: described('Those that are registered and drained; absent: none.', count).optional(),
  to: described(
    'The first IDC in order that may serve it and can, as far as is known when it begins; absent: none.',
    z.string(),
  ).optional(),
  unable: described(
    'IDCs that may serve it and cannot, as egress gateways say, or as none of these answers.',
    strings,
  ).optional(),
  lastedMs: z.number().optional(),
});

const ejection = z.strictObject({
  ...common,
  kind: z.literal('ejection'),
  phase: described(
    'An ingress gateway that was read has ejected an instance; end: it has not for a minute.',
    z.enum(['begin', 'end']),
  ),
  group: failover.shape.group,
  target: described('IP:PORT.', z.string()),
  node: described('The gateway.', z.string()),
});

const reach = z.strictObject({
  ...common,
  kind: z.literal('reach'),
  phase: described(
    'Instances and gateways that the control plane probes. hung: they accept connections and never answer, and are left out; back: or removed.',
    z.enum(['refuse', 'hung', 'back']),
  ),
  targets: described('Up to 10 addresses.', strings),
  gateways: described(
    'Of these, the gateways by their place in the Idc: `sh-a/egress-2`, by address.',
    z.record(z.string(), z.string()),
  ).optional(),
  more: count.optional(),
});

const evacuation = z.strictObject({
  ...common,
  kind: z.literal('evacuation'),
  phase: described(
    'scheduled: it begins later; changed: its percentage or Groups; renewed: only its end; ended: it was removed; expired: its time is over.',
    z.enum(['scheduled', 'begun', 'changed', 'renewed', 'ended', 'expired']),
  ),
  name: z.string(),
  idc: z.string(),
  percent: described('That leaves now.', z.number()),
  groups: described('Absent: all.', strings).optional(),
  until: z.string(),
  reason: z.string().optional(),
  by: change.shape.by,
  times: described('Renewals since the last one that was told.', count).optional(),
});

const drain = z.strictObject({
  ...common,
  kind: z.literal('drain'),
  phase: described(
    'begun: an operator has drained it; changed: its end or reason; ended: by an operator; expired: its time is over.',
    z.enum(['begun', 'changed', 'ended', 'expired']),
  ),
  instance: described('NAMESPACE/NAME.', z.string()),
  until: described('Absent: until somebody ends it.', z.string()).optional(),
  reason: z.string().optional(),
  operator: described('Who drained it, as the command said.', z.string()).optional(),
  by: change.shape.by,
});

const shed = z.strictObject({
  ...common,
  kind: z.literal('shed'),
  phase: described(
    'begin, end: new streams are refused, as memory is short; turned-away: by a limit of the xDS port.',
    z.enum(['begin', 'end', 'turned-away']),
  ),
  usedMiB: count.optional(),
  limitMiB: count.optional(),
  limit: z.string().optional(),
  peer: described('The first.', z.string()).optional(),
  count: count.optional(),
});

const gateway = z.strictObject({
  ...common,
  kind: z.literal('gateway'),
  phase: described(
    'The last stream of an ingress or egress gateway ended; the first began. back: of one that was lost within the last hour.',
    z.enum(['lost', 'back', 'connected']),
  ),
  node: z.string(),
  role: z.string(),
  peer: z.string(),
  goneForMs: z.number().optional(),
  times: described(
    'How often it came back, where that was too fast to be told one by one; the phase is its last state.',
    count,
  ).optional(),
  inMs: described('From the first of these losses to the last change.', z.number()).optional(),
});

const problem = z.strictObject({
  ...common,
  kind: z.literal('problem'),
  phase: described(
    'A finding of severity error (docs/findings.md) began, or is over.',
    z.enum(['begin', 'end']),
  ),
  source: described('The source of the registry, or the control plane itself.', z.string()),
  code: described('The kind of finding.', z.string()).optional(),
  where: described('File, line and column, or what else it is about.', z.string()).optional(),
  path: described('The field inside the object.', z.string()).optional(),
  object: change.shape.object,
  problem: described('What is wrong and what to do, cut.', z.string()).optional(),
  times: described(
    'How often it ended, where it came and went too fast to be told each time.',
    count,
  ).optional(),
  inMs: described('From the first of these beginnings to the last change.', z.number()).optional(),
  more: described('Further ones that were found together with those before.', count).optional(),
});

const trust = z.strictObject({
  ...common,
  kind: z.literal('trust'),
  phase: described(
    'refused: a client of the xDS port is not who it says; ended: streams whose certificate or root is over; updated: the own certificate or the roots were replaced; kept: what is on disk cannot be used.',
    z.enum(['refused', 'ended', 'updated', 'kept']),
  ),
  node: described('The first.', z.string()).optional(),
  peer: described('Its address.', z.string()).optional(),
  reason: z.string().optional(),
  until: described('How long the own certificate is valid.', z.string()).optional(),
  roots: described('That are trusted.', count).optional(),
  count: described('Clients, or streams.', count).optional(),
});

const kinds = [
  ...([controlPlane, change, push, nack, failover] as const),
  ...([ejection, reach, evacuation, drain, shed, gateway, problem, trust] as const),
] as const;

/** The kinds of events. */
export const eventKinds = kinds.map(({ shape }) => shape.kind.value);

const event = component('Event', z.discriminatedUnion('kind', kinds));

/** One event of a control plane. */
export type PlaneEvent = Json<z.output<typeof event>>;

const eventList = component(
  'Events',
  z.strictObject({
    idc: z.string(),
    kept: described(
      'Events in memory only are lost when the control plane ends.',
      z.enum(['disk', 'memory']),
    ),
    keptWhy: described('Why they are in memory only.', z.string()).optional(),
    since: described(
      'The time of the oldest one that is kept; absent: there is none.',
      z.string(),
    ).optional(),
    last: described('The id of the newest one; 0: there is none.', count),
    isCut: described('There are more than were asked for: ask again, after the last of these.', z.boolean()),
    dropped: described(
      'Events lost since the start, by reason: too many, or the disk did not take them.',
      count,
    ),
    events: described('The oldest first.', z.array(event)),
    others: described(
      "Other IDCs, with their control planes' admin addresses as their Idcs declare them.",
      z.array(z.strictObject({ idc: z.string(), controlPlanes: strings })),
    ),
  }),
);

/** What a control plane answers when it is asked for events. */
export type EventList = Json<z.output<typeof eventList>>;

const newest = component('NewestEvent', z.strictObject({ last: described('Of the newest event.', count) }));

const id = z
  .string()
  .regex(/^[0-9]{1,16}$/, 'give the id of an event')
  .transform(Number)
  .meta({ type: 'integer', minimum: 0 });

/** Bounds of a question, in milliseconds and events. */
export const eventQuery = { sinceMsMax: 7 * 86_400_000, waitMsMax: 60_000, limitMax: 1_000 } as const;

/** Input and output of the questions what happened. */
export const eventContract = {
  listEvents: {
    tag: 'status',
    summary: 'What happened',
    description:
      'Changes of objects, pushes, refusals, failovers, evacuations, shed load, gateways lost, problems, restarts; as far as this control plane can see. docs/events.md says from where each comes.',
    help: 'what happened: changes, pushes, NACKs, failovers, evacuations, restarts (JSON)',
    isDear: true,
    query: z.strictObject({
      since: durationQuery(0, eventQuery.sinceMsMax, 'give a duration of at most 168h, such as 1h')
        .optional()
        .meta({ description: 'Only events of so long until now; absent: all that are kept.' }),
      after: id.optional().meta({ description: 'Only events after the one of this id.' }),
      kinds: z
        .string()
        .regex(/^[a-z]+(,[a-z]+)*$/, `give kinds by comma: ${eventKinds.join(', ')}`)
        .optional()
        .meta({ description: `Only these, by comma: ${eventKinds.join(', ')}.` }),
      limit: positive.optional().meta({ description: `How many at most, up to ${eventQuery.limitMax}.` }),
    }),
    answers: { 200: { description: 'The oldest first.', schema: eventList } },
    refusals: [400, 429],
  },
  awaitEvents: {
    tag: 'status',
    summary: 'Waits for the next event',
    help: 'waits until there is a newer event than after=ID (JSON)',
    query: z.strictObject({
      after: id.meta({ description: 'The id of the last known event; 0: any.' }),
      wait: durationQuery(0, eventQuery.waitMsMax, 'give a duration of at most 60s, such as 30s')
        .prefault('30s')
        .meta({ description: 'Answers after so long, up to 60s, if there is none.' }),
    }),
    answers: { 200: { description: 'Once there is one, or the time is over.', schema: newest } },
    refusals: [400, 429],
  },
} as const satisfies Readonly<Record<string, Operation>>;
