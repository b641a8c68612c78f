import { z } from 'zod';
import { component, fault, finding, said, waited } from './components.ts';
import type { Operation } from './operation.ts';
import { generationParameter, positive, waitParameters } from './query.ts';

const labels = z.record(z.string(), z.string());
const ports = z.record(z.string(), z.int());

/** The input of a registration. */
export const registrationInput = component(
  'RegistrationInput',
  z.strictObject({
    address: said('Its IP address, or unix:///path.', z.string()),
    ports: said(
      "Port by the name of the Group's port; without one, the Group's own number.",
      z.record(z.string(), z.int().min(1).max(65_535)),
    ).optional(),
    labels: said("What the Group's ServiceEntry selects it by.", labels).optional(),
    locality: said('IDC/zone/subzone; absent: the IDC of the control plane.', z.string()).optional(),
    weight: z.int().min(1).max(1_000_000).optional(),
    network: z.string().optional(),
    ttl: z
      .string()
      .meta({ description: 'The lease: 1s to 1h without a sign of life.', default: '15s' })
      .optional(),
    generation: said(
      'Its life; absent: a new one, numbered by the control plane.',
      z.int().min(1),
    ).optional(),
  }),
);

const away = component(
  'Away',
  said(
    'With wait=acked: other control planes of the IDC that do not answer. Those of their proxies that came here were waited for.',
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
    state: said('leaving: taken out, and some proxy may still have it.', z.enum([...states, 'gone'])),
    address: z.string(),
    ports,
    labels,
    locality: z.string().optional(),
    weight: z.int().optional(),
    network: z.string().optional(),
    ttl: z.string(),
    leaseEndsIn: z.string().optional(),
    keptBy: said(
      'The control plane that keeps its lease, where this one hears no sign of life.',
      z.string(),
    ).optional(),
    controlPlanes: said(
      'When it registers: admin addresses of the other control planes of the IDC. Register there, too.',
      z.array(z.string()),
    ).optional(),
    status: said(
      'What became of it, as was found last; absent: it is in force, and nothing is wrong.',
      z.strictObject({
        inForce: said('False: another source has an object of its name, which counts.', z.boolean()),
        findings: z.array(finding),
      }),
    ).optional(),
    away,
    ...waited,
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
    was: said(
      'What it was before this request; absent: no instance of that name was registered here.',
      z.enum([...states, 'gone', 'absent']),
    ),
    state: z.enum(['gone', 'leaving']),
    away,
    ...waited,
  }),
);

const replicaItem = component(
  'ReplicaItem',
  z.strictObject({
    namespace: z.string(),
    name: z.string(),
    generation: z.int(),
    state: z.enum([...states, 'gone']),
    expired: said('Leaves because its lease ran out.', z.boolean()),
    ttlMs: z.int(),
    spec: z.strictObject({
      address: z.string(),
      ports,
      labels,
      locality: z.string().optional(),
      weight: z.int().optional(),
      network: z.string().optional(),
    }),
    edit: said('Counts what was changed within its life.', z.int()),
    knownTo: said('Ids of the control planes that have or had this life.', z.array(z.string())),
    lease: said(
      'running: a sign of life came there within its time; unsure: none did, as the process has just started or stood still.',
      z.enum(['running', 'unsure', 'none']),
    ),
    isFree: said('Drained, and no proxy there has it.', z.boolean()),
  }),
);

const replica = component(
  'Replica',
  z.strictObject({
    id: said('Names the file of registrations.', z.string()),
    epoch: said('Names the life of the process.', z.string()),
    idc: z.string(),
    isComplete: said('Whether it has once had all that there was to know.', z.boolean()),
    isAll: said('Whether these are all, or those that changed.', z.boolean()),
    items: z.array(replicaItem),
    absent: said(
      'Names that it does not have any more.',
      z.array(z.strictObject({ namespace: z.string(), name: z.string() })),
    ),
    proxies: said(
      'Node ids of proxies that have endpoints from it; absent: as before.',
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
const standing =
  'The instance as it stands; 201 when something changed, 202 when some proxy has not confirmed in time.';
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
    summary: 'Register an instance, or say what it is anew',
    description:
      "The same life again renews the lease and takes over what changed; an operator's drain holds on. A newer life takes the place of an older one. On the disk before it is answered. With `wait=acked` it is answered when every connected proxy has it.",
    help: 'register an instance, or say what it is anew',
    query: z.strictObject(waitParameters),
    body: registrationInput,
    answers: { 200: stands, 201: stands, 202: stands },
    refusals: [400, 409],
  },
  renew: {
    ...{ tag, path, needsToken: true },
    summary: 'A sign of life: the lease begins anew',
    description:
      'Cheap, not written to disk. 404 means that it must register again, with the same generation.',
    help: 'a sign of life: the lease begins anew',
    query: z.strictObject(generationParameter),
    answers: { 200: stands },
    refusals: [404, 409],
  },
  drain: {
    ...{ tag, path, needsToken: true },
    summary: 'No new requests; it stays registered',
    help: 'no new requests; stays registered',
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
    summary: 'Take an instance out',
    description:
      'It gets no new requests from here on. With `wait=acked` it is answered when every proxy that had it has ACKed its removal (200), or at the timeout (202, and who has not). Of something that is not registered: 200, and `was` says so.',
    help: 'take an instance out; ?wait=acked answers when no proxy has it any more',
    query: z.strictObject({ ...generationParameter, ...waitParameters }),
    answers: {
      200: { description: 'It is gone, or on its way where nobody waits for it.', schema: deregistered },
      202: { description: 'Some proxy may still have it.', schema: deregistered },
    },
  },
  replicate: {
    ...{ tag, needsToken: true },
    summary: 'What registered here, for another control plane of the same IDC',
    description:
      '`isthmus serve --peer-admin` asks for it, over and over. The first answer has everything, the next ones what changed since their cursor; while nothing changes they are held. docs/registration.md says what is made of it.',
    help: 'for other control planes of the IDC: registrations, or what changed since (JSON)',
    query: z.strictObject({
      from: z.string().optional().meta({ description: 'The id of who asks.' }),
      since: z.string().optional().meta({
        description:
          'The cursor of the last answer; absent, or of an earlier life of this process: everything.',
      }),
      hold: positive.optional().meta({
        description: 'How long to hold an answer that has nothing, in milliseconds, up to 60000.',
      }),
    }),
    answers: { 200: { description: 'What there is, or what changed.', schema: replica } },
  },
} as const satisfies Readonly<Record<string, Operation>>;
