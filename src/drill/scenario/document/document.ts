import { z } from 'zod';
import { actionTable } from '../actions.ts';
import { boundTable } from '../bounds.ts';
import { count, durationField, groupNameField, idcNameField, percentage, phaseName } from './fields.ts';
import { load } from './load.ts';

/** The API version of scenario files: that of Isthmus's own kinds. */
export const scenarioVersion = 'isthmus.dev/v1alpha1';

const text = (description: string) =>
  z.string().min(1, 'is empty.').max(500, 'is too long.').meta({ description });
const anyObject = z.record(z.string(), z.unknown());

const group = z
  .strictObject({
    name: groupNameField,
    instances: z
      .union([count(0, 9), z.record(idcNameField, count(0, 9))], {
        error: 'must be a number from 0 to 9, or one for each IDC such as {sh-a: 2, sh-b: 1}.',
      })
      .meta({ description: 'Instances in each IDC.' }),
    protocol: z.enum(['HTTP', 'GRPC', 'TCP']).optional().meta({ default: 'HTTP' }),
    checked: z.boolean().optional().meta({ description: 'Whether its health is checked.', default: true }),
    hedge: z.boolean().optional().meta({ description: 'Whether it has hedging.', default: false }),
    registers: z.boolean().optional().meta({
      description:
        'Whether its instances register themselves by `isthmus run`. If not, they are files of the registry folder.',
      default: false,
    }),
    slots: z.record(idcNameField, count(1, 1000)).optional().meta({
      description: 'Concurrent calls of an instance, by IDC; others wait. Default: no limit.',
    }),
    drGroup: anyObject.optional().meta({
      description:
        'Gives it a DrGroup of its own, and adds this to its spec, such as {failback: {ramp: 10s}}.',
    }),
    named: z.boolean().optional().meta({
      description:
        'Whether its instances are registered by names (`resolution: DNS`), which each IDC’s own name server resolves.',
      default: false,
    }),
    annotations: z
      .record(z.string(), z.string())
      .optional()
      .meta({ description: 'More annotations of its ServiceEntry (docs/objects.md).' }),
  })
  .meta({ description: 'A host, NAME.shop, with its instances.' });

const world = z
  .strictObject({
    idcs: z.array(idcNameField).min(1).max(6),
    groups: z.array(group).min(1).max(6),
    gateways: count(1, 9).optional().meta({ description: 'Gateways of each kind in each IDC.', default: 2 }),
    hopLimit: count(0, 4).optional().meta({ default: 1 }),
    order: z.record(idcNameField, z.array(idcNameField).min(1)).optional().meta({
      description: 'The order of preference as an IDC’s own registry has it; default: that of `idcs`.',
    }),
    crossing: z
      .boolean()
      .optional()
      .meta({ description: 'Whether there is a DrGroup at all.', default: true }),
    traffic: anyObject
      .optional()
      .meta({ description: 'DrGroup.spec.traffic, added to the drill’s own health checks.' }),
    drGroup: anyObject.optional().meta({
      description:
        'Added to the spec of the DrGroup that Groups share, such as {capacity: {concurrentPerInstance: 50}}.',
    }),
    diskKib: count(1024, 1_048_576).optional().meta({
      description:
        'Size in KiB of a disk in memory, one for each control plane, with its state and registrations (needs root).',
    }),
    exposeOutcome: z.boolean().optional().meta({ default: false }),
    serve: z
      .array(z.string())
      .optional()
      .meta({ description: 'Additional arguments of each `isthmus serve`.' }),
    objects: z
      .array(anyObject)
      .optional()
      .meta({ description: 'More objects in each IDC’s registry, such as a DestinationRule.' }),
  })
  .meta({ description: 'The processes and objects of the drill.' });

const shape = <V extends Readonly<Record<string, { readonly schema: z.ZodType }>>>(table: V) =>
  Object.fromEntries(Object.entries(table).map(([name, { schema }]) => [name, schema.optional()])) as {
    [K in keyof V]: z.ZodOptional<V[K]['schema']>;
  };

const step = z
  .strictObject({
    at: phaseName.meta({ description: 'The phase of the step.' }),
    after: z
      .union([durationField, percentage])
      .optional()
      .meta({ description: 'Time since the start of the phase, or a share of its length.', default: '0s' }),
    claim: text('Description for the report, in place of the generated one.').optional(),
    ...shape(actionTable),
  })
  .refine((value) => Object.keys(actionTable).some((name) => Reflect.get(value, name) !== undefined), {
    error: `does nothing: give it one of ${Object.keys(actionTable).join(', ')}.`,
  })
  .meta({ description: 'Actions at one moment; several actions of one step are done together.' });

const control = z
  .strictObject({
    off: text('The protection that is off.'),
    proves: text('What the failure of the control shows.'),
    world: anyObject.optional().meta({ description: 'Fields of `world` that differ.' }),
    rates: z.record(z.string(), count(1, 100_000)).optional(),
    load: z.array(load).min(1).optional().meta({ description: 'Instead of the scenario’s.' }),
    phases: z.record(phaseName, durationField).optional(),
    steps: z.array(step).optional().meta({ description: 'Instead of the scenario’s.' }),
    misses: z
      .array(z.union([z.string(), z.array(z.string()).min(1)]))
      .min(1)
      .meta({ description: 'Ids of rows that must be missed; of a nested list at least one.' }),
    holds: z.array(z.string()).optional().meta({ description: 'Ids of rows that must still hold.' }),
    unserved: percentage.optional().meta({
      description:
        'Least share of the requests due between the fault and healing that must not be served before healing.',
    }),
    alone: z
      .boolean()
      .optional()
      .meta({ description: 'Whether no request may cross, and no other IDC may serve any.' }),
    unbroken: z.boolean().optional().meta({ description: 'Whether the control may run without a fault.' }),
    fromTheStart: z.boolean().optional().meta({
      description:
        'Whether requests may fail before the first fault, because the protection is needed then too.',
    }),
  })
  .meta({ description: 'The negative control: `--unprotected`.' });

const phases = z.record(phaseName, durationField);

/** A scenario file, as it is written. */
export const scenarioSchema = z
  .strictObject({
    apiVersion: z.literal(scenarioVersion, { error: `must be ${scenarioVersion}.` }),
    kind: z.literal('Scenario', { error: 'must be Scenario.' }),
    metadata: z.strictObject({ name: groupNameField }),
    spec: z.strictObject({
      title: text('What the scenario does, for the report.'),
      seed: count(0, 2 ** 31 - 1)
        .optional()
        .meta({ description: 'Seed of the arrival times.', default: 1 }),
      world,
      realtime: z.boolean().optional().meta({
        description:
          'Requests real-time priority (root and chrt), for small loads whose queues are measured.',
        default: false,
      }),
      rates: z.record(z.string().regex(/^[a-z][a-z0-9-]*$/), count(1, 100_000)).meta({
        description: 'Requests a second by name; `--rate NAME=N` changes one.',
      }),
      load: z.array(load).min(1),
      phases: phases.meta({
        description:
          'Phases in order, with their lengths. `steady…` marks phases without a fault, `recovery…` healing.',
      }),
      quick: phases.optional().meta({ description: 'Lengths with `--quick`.' }),
      steps: z.array(step),
      watch: durationField.optional().meta({
        description:
          'Interval at which invariants are checked during the run. Violations are reported at once.',
      }),
      bounds: z.strictObject(shape(boundTable)).meta({ description: 'Bounds that must hold.' }),
      control: control.optional(),
    }),
  })
  .meta({
    title: 'Scenario',
    description: 'A drill as a file: a world, a load, steps and bounds (docs/drills.md).',
  });

export type Scenario = z.infer<typeof scenarioSchema>;
export type ScenarioSpec = Scenario['spec'];
export type Step = ScenarioSpec['steps'][number];
export type Control = NonNullable<ScenarioSpec['control']>;
