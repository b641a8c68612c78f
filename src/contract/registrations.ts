import { z } from 'zod';
import { component, described, fault, finding, waitResult } from './components.ts';
import type { Operation } from './operation.ts';
import { generationParameter, positive, waitParameters } from './query.ts';

const labels = z.record(z.string(), z.string());
const ports = z.record(z.string(), z.int());

/** The input of a registration. */
export const registrationInput = component(
  'RegistrationInput',
  z.strictObject({
    address: described('Its IP address, or unix:///path.', z.string()),
    ports: described(
      "Ports by the Group's port names; absent: the Group's own number.",
      z.record(z.string(), z.int().min(1).max(65_535)),
    ).optional(),
    labels: described("Labels for the selector of the Group's ServiceEntry.", labels).optional(),
    locality: described('IDC/zone/subzone; absent: the IDC of the control plane.', z.string()).optional(),
    weight: z.int().min(1).max(1_000_000).optional(),
    network: z.string().optional(),
    ttl: z.string().meta({ description: 'The lease: 1s to 1h without renewal.', default: '15s' }).optional(),
    generation: described(
      'Its generation; absent: a new one, numbered by the control plane.',
      z.int().min(1),
    ).optional(),
  }),
);

const away = component(
  'Away',
  described(
    'With wait=acked: other control planes of the IDC that do not answer. Their proxies were waited for if they connected here.',
    z.array(z.string()),
  ),
).optional();

const states = ['ready', 'draining', 'leaving'] as const;

/** An instance, as the control plane has it. */
const registration = component(
  'Registration',
  z.strictObject({
    namespace: z.string(),
    name: z.string(),
    generation: z.int(),
    state: described('leaving: deregistered, and some proxy may still have it.', z.enum([...states, 'gone'])),
    address: z.string(),
    ports,
    labels,
    locality: z.string().optional(),
    weight: z.int().optional(),
    network: z.string().optional(),
    ttl: z.string(),
    leaseEndsIn: z.string().optional(),
    keptBy: described('The control plane that holds its lease, if not this one.', z.string()).optional(),
    controlPlanes: described(
      'On registration: admin addresses of the other control planes of the IDC. Register there, too.',
      z.array(z.string()),
    ).optional(),
    status: described(
      'What became of it, as was found last; absent: it is in force, and nothing is wrong.',
      z.strictObject({
        inForce: described('False: another source has an object of its name, which counts.', z.boolean()),
        findings: z.array(finding),
      }),
    ).optional(),
    away,
    ...waitResult,
    warnings: z.array(fault).optional(),
  }),
);

const registrationList = component('RegistrationList', z.strictObject({ items: z.array(registration) }));

/** The result of a deregistration. */
const deregistered = component(
  'Gone',
  z.strictObject({
    namespace: z.string(),
    name: z.string(),
    was: described(
      'Its state before this request; absent: it was not registered here.',
      z.enum([...states, 'gone', 'absent']),
    ),
    state: z.enum(['gone', 'leaving']),
    away,
    ...waitResult,
  }),
);

const replicaItem = component(
  'ReplicaItem',
  z.strictObject({
    namespace: z.string(),
    name: z.string(),
    generation: z.int(),
    state: z.enum([...states, 'gone']),
    expired: described('Leaves because its lease expired.', z.boolean()),
    ttlMs: z.int(),
    spec: z.strictObject({
      address: z.string(),
      ports,
      labels,
      locality: z.string().optional(),
      weight: z.int().optional(),
      network: z.string().optional(),
    }),
    edit: described('Counts changes within its generation.', z.int()),
    knownTo: described('Ids of the control planes that have or had this generation.', z.array(z.string())),
    lease: described(
      'running: renewed there in time; unsure: not renewed since the process started or was stalled.',
      z.enum(['running', 'unsure', 'none']),
    ),
    isFree: described('Drained, and no proxy there has it.', z.boolean()),
  }),
);

const replica = component(
  'Replica',
  z.strictObject({
    id: described('Identifies the file of registrations.', z.string()),
    epoch: described('Identifies the run of the process.', z.string()),
    idc: z.string(),
    isComplete: described('Whether it has once had the complete state.', z.boolean()),
    isAll: described('Whether these are all, or only the changed ones.', z.boolean()),
    items: z.array(replicaItem),
    absent: described(
      'Names that it no longer has.',
      z.array(z.strictObject({ namespace: z.string(), name: z.string() })),
    ),
    proxies: described(
      'Node ids of proxies with endpoints from it; absent: unchanged.',
      z.array(z.string()),
    ).optional(),
    cursor: z.string(),
  }),
);

const tag = 'registrations';
const path = {
  namespace: "The Group's namespace.",
  name: 'The instance: one name for each place to run in.',
};
const standing = 'The instance as registered; 201 on a change, 202 if some proxy has not confirmed in time.';
const stands = { description: standing, schema: registration };

/** Input and output of the operations on registrations. */
export const registrationContract = {
  listRegistrations: {
    tag,
    summary: 'All instances that are registered or leaving',
    help: 'instances that registered themselves (JSON)',
    query: z.strictObject({
      namespace: z.string().optional().meta({ description: 'Only of this namespace.' }),
    }),
    answers: { 200: { description: 'By namespace and name.', schema: registrationList } },
  },
  getRegistration: {
    ...{ tag, path, summary: 'One instance', help: 'one of them', query: z.strictObject({}) },
    answers: { 200: stands },
    refusals: [404],
  },
  register: {
    ...{ tag, path, needsToken: true },
    summary: 'Register an instance, or update it',
    description:
      "The same generation again renews the lease and applies changes; an operator's drain stays. A newer generation replaces an older one. Stored on disk before the answer. With `wait=acked` the answer comes when every connected proxy has it.",
    help: 'register an instance, or update it',
    query: z.strictObject(waitParameters),
    body: registrationInput,
    answers: { 200: stands, 201: stands, 202: stands },
    refusals: [400, 409],
  },
  renew: {
    ...{ tag, path, needsToken: true },
    summary: 'Renew the lease',
    description:
      'Cheap, not written to disk. 404 means that it must register again, with the same generation.',
    help: 'renew the lease',
    query: z.strictObject(generationParameter),
    answers: { 200: stands },
    refusals: [404, 409],
  },
  drain: {
    ...{ tag, path, needsToken: true },
    summary: 'Drain: no new requests; it stays registered',
    help: 'drain: no new requests; stays registered',
    query: z.strictObject({ ...generationParameter, ...waitParameters }),
    answers: { 200: stands, 202: stands },
    refusals: [404, 409],
  },
  resume: {
    ...{ tag, path, needsToken: true },
    summary: 'Take requests again after a drain',
    help: 'take requests again after a drain',
    query: z.strictObject({ ...generationParameter, ...waitParameters }),
    answers: { 200: stands, 202: stands },
    refusals: [404, 409],
  },
  deregister: {
    ...{ tag, path, needsToken: true },
    summary: 'Deregister an instance',
    description:
      'It gets no new requests from now on. With `wait=acked` the answer comes when every proxy that had it has ACKed its removal (200), or at the timeout (202, with the proxies that have not). If it is not registered: 200, and `was` is absent.',
    help: 'deregister an instance; ?wait=acked answers when no proxy has it any more',
    query: z.strictObject({ ...generationParameter, ...waitParameters }),
    answers: {
      200: { description: 'It is removed, or being removed without a wait.', schema: deregistered },
      202: { description: 'Some proxy may still have it.', schema: deregistered },
    },
  },
  replicate: {
    ...{ tag, needsToken: true },
    summary: 'Registrations of this control plane, for another one of the same IDC',
    description:
      '`isthmus serve --peer-admin` requests it repeatedly. The first answer has everything, the next ones the changes since their cursor; without changes the answer is held. docs/registration.md describes how they are merged.',
    help: 'for other control planes of the IDC: registrations, or changes since a cursor (JSON)',
    query: z.strictObject({
      from: z.string().optional().meta({ description: 'The id of the requesting control plane.' }),
      since: z.string().optional().meta({
        description:
          'The cursor of the last answer; absent, or of an earlier run of this process: everything.',
      }),
      hold: positive.optional().meta({
        description: 'How long to hold an empty answer, in milliseconds, up to 60000.',
      }),
    }),
    answers: { 200: { description: 'All registrations, or the changed ones.', schema: replica } },
  },
} as const satisfies Readonly<Record<string, Operation>>;
