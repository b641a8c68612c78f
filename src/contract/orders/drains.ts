import { z } from 'zod';
import { drainLimits } from '../../model/drain.ts';
import { component, described, waitResult } from '../components.ts';
import type { Json } from '../json.ts';
import type { Operation } from '../operation.ts';
import { durationQuery, flag, waitParameters } from '../query.ts';

const time = z.iso.datetime({ offset: true });
const reason = z.string().max(drainLimits.reasonMax).optional();
const by = described('The operator, as the command says.', z.string().max(drainLimits.byMax)).optional();

/** A drained instance. */
export const drained = component(
  'DrainedInstance',
  z.strictObject({
    namespace: z.string(),
    name: z.string(),
    since: time,
    until: described('When it ends by itself; absent: it does not.', time).optional(),
    reason,
    by,
    isDeclared: described('False: no WorkloadEntry has this name now.', z.boolean()),
  }),
);

const instance = component(
  'NamedInstance',
  z.strictObject({
    namespace: z.string(),
    name: z.string(),
    address: z.string(),
    idc: z.string(),
    hosts: described('Hosts that it serves; empty: no ServiceEntry selects it.', z.array(z.string())),
    isDrained: z.boolean(),
  }),
);

const others = described(
  "Other IDCs, with their control planes' admin addresses as their Idcs declare them.",
  z.array(z.strictObject({ idc: z.string(), controlPlanes: z.array(z.string()) })),
);

const drainList = component(
  'DrainList',
  z.strictObject({
    idc: described('The IDC that this control plane decides for.', z.string()),
    items: described('By namespace and name.', z.array(drained)),
    instances: described('With `instance`: the instances that it may mean.', z.array(instance)).optional(),
    nearest: described('With `instance`, if it means none: the name nearest to it.', z.string()).optional(),
    others,
  }),
);

const left = z.strictObject({
  host: z.string(),
  port: z.int(),
  idc: described('Of the instance.', z.string()),
  usable: described('Other instances of this IDC that can serve.', z.int()),
  instances: described('Other instances of this IDC that are not drained.', z.int()),
  isLast: described('It can serve, and no other one of its IDC can.', z.boolean()),
  elsewhere: described(
    'Other IDCs that the DR group names, and that can serve as far as is known.',
    z.array(z.string()),
  ),
  isKnownBy: described(
    'proxies: their health checks and ejections count; registry: no proxy could be read.',
    z.enum(['proxies', 'registry']),
  ),
});

const drainEffect = component(
  'DrainEffect',
  z.strictObject({
    namespace: z.string(),
    name: z.string(),
    idc: described('The IDC that this control plane decides for.', z.string()),
    hosts: described('What is left of each port of its hosts without it.', z.array(left)),
    wasDrained: described('It was drained already.', z.boolean()),
    ...waitResult,
    inFlight: described(
      'Requests and connections that proxies still have at it; absent: no proxy could be read.',
      z.strictObject({
        requests: z.int(),
        read: described('Proxies that were read.', z.int()),
        connected: described('Connected Envoys that have the instance.', z.int()),
      }),
    ).optional(),
  }),
);

const undrained = component(
  'Undrained',
  z.strictObject({
    namespace: z.string(),
    name: z.string(),
    idc: z.string(),
    wasDrained: described('False: it was not drained here.', z.boolean()),
    ...waitResult,
  }),
);

const drainRecord = z.strictObject({
  name: described('NAMESPACE/NAME.', z.string()),
  edit: described('Of two records of a name the higher one applies.', z.int()),
  by: described('Random id of the writer: of two equal edits the higher one applies.', z.string()),
  spec: described(
    'null: it was ended.',
    z.union([z.strictObject({ since: time, until: time.optional(), reason, by }), z.null()]),
  ),
  until: described('When it is over, in milliseconds since 1970.', z.number()),
  at: described('The clock of `until`.', z.number()),
});

const tag = 'drains';
const path = { namespace: 'Of the instance.', name: 'Of its WorkloadEntry, or as it has registered.' };
const unconfirmed = 'Some proxy has not confirmed in time.';

/** What an instance leaves behind, as a control plane knows it. */
export type DrainEffect = Json<z.output<typeof drainEffect>>;

/** An instance that a text names. */
export type NamedInstance = Json<z.output<typeof instance>>;

/** Input and output of the operations on drains. */
export const drainContract = {
  listDrains: {
    ...{ tag, isDear: true },
    summary: 'Drained instances, and the instances that a text names',
    help: 'drained instances; ?instance=TEXT: those that it names (JSON)',
    query: z.strictObject({
      instance: z.string().min(1, 'name an instance').max(600, 'at most 600 characters').optional().meta({
        description: 'NAMESPACE/NAME, NAME, an address, or an address with a port.',
      }),
    }),
    answers: { 200: { description: 'By namespace and name.', schema: drainList } },
    refusals: [429],
  },
  getDrain: {
    ...{ tag, path, isDear: true },
    summary: 'What is left at a drained instance',
    description:
      'Reads the proxies that have it. With `wait=acked` after every connected proxy has confirmed the drain.',
    help: 'what is still in flight at a drained instance; ?wait=acked: once every proxy has the drain (JSON)',
    query: z.strictObject(waitParameters),
    answers: {
      200: { description: 'It gets no new requests.', schema: drainEffect },
      202: { description: unconfirmed, schema: drainEffect },
    },
    refusals: [404, 429],
  },
  drainInstance: {
    ...{ tag, path, needsToken: true },
    summary: 'Drain an instance: no new requests, wherever it comes from',
    description:
      'Its endpoints become DRAINING at all proxies: what they have at it is finished, and nothing new is sent. Stored on disk before the answer; other control planes of the IDC get it within a second. It lasts until it is ended, or for the time of `for`, also when the instance registers again. Refused (409) if it is the last one of a host that can serve, in its IDC or anywhere, unless `force=true`. With `wait=acked` the answer comes when every connected proxy has confirmed, and says what is still in flight.',
    help: 'drain an instance; ?check=only reports what would be left, ?wait=acked answers when every proxy has it',
    query: z.strictObject({
      for: durationQuery(1, drainLimits.lastsMsMax, 'give a duration of at most 720h, such as 1h')
        .optional()
        .meta({ description: 'It ends by itself after this time.' }),
      check: flag('check', 'only', 'Reports what would be left, and changes nothing.'),
      force: flag('force', 'true', 'Also the last instance that can serve.'),
      ...waitParameters,
    }),
    body: component('DrainInput', z.strictObject({ reason, by })),
    answers: {
      200: { description: 'It gets no new requests.', schema: drainEffect },
      202: { description: unconfirmed, schema: drainEffect },
    },
    refusals: [400, 404, 409],
  },
  undrainInstance: {
    ...{ tag, path, needsToken: true },
    summary: 'Let a drained instance take requests again',
    description: 'If it is not drained: 200, and `wasDrained` is false.',
    help: 'end the drain of an instance',
    query: z.strictObject(waitParameters),
    answers: {
      200: { description: 'Whether it was drained.', schema: undrained },
      202: { description: unconfirmed, schema: undrained },
    },
  },
  replicateDrains: {
    ...{ tag, needsToken: true },
    summary: 'Drains put here, for another control plane of the same IDC',
    help: 'for other control planes of the IDC (JSON)',
    query: z.strictObject({}),
    answers: {
      200: {
        description: 'Records, including ended ones as long as an older one could apply.',
        schema: component('DrainRecords', z.array(drainRecord)),
      },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
