import { z } from 'zod';
import { evacuationLimits } from '../model/evacuation.ts';
import { component, described, waitResult } from './components.ts';
import type { Operation } from './operation.ts';
import { durationQuery, flag, waitParameters } from './query.ts';

const time = (description: string) => z.iso.datetime({ offset: true }).meta({ description });

/** The input of an evacuation. */
export const evacuationInput = component(
  'EvacuationSpec',
  z.strictObject({
    idc: described('The IDC that requests leave.', z.string()),
    groups: described(
      'Hosts, or patterns such as *.shop; without a selector either: all Groups.',
      z.array(z.string()),
    ).optional(),
    selector: z
      .strictObject({
        matchLabels: described("Labels of the Groups' ServiceEntries.", z.record(z.string(), z.string())),
      })
      .optional(),
    percent: z.int().min(1).max(100).meta({ default: evacuationLimits.percentDefault }).optional(),
    starts: time('Absent: at once.').optional(),
    expires: time(
      'When it ends by itself; at most 72 hours after its start. With `for` in the query it is left out.',
    ).optional(),
    steps: described('Shares on the way to percent, with starts.', z.array(z.int())).optional(),
    stepSeconds: z
      .int()
      .meta({ description: 'How long each of them lasts.', default: evacuationLimits.stepSecondsDefault })
      .optional(),
    reason: z.string().optional(),
  }),
);

/** An evacuation with its state. */
export const evacuation = component(
  'Evacuation',
  z.strictObject({
    name: z.string(),
    idc: described('The evacuated IDC.', z.string()),
    percentNow: described('The percentage that leaves now.', z.number()),
    percent: described('The percentage that leaves finally.', z.number()),
    groups: described('Empty, and no selector: all.', z.array(z.string())),
    selector: z.record(z.string(), z.string()).optional(),
    startsInMs: z.number().optional(),
    endsInMs: described('Zero or less: it is over.', z.number()),
    reason: z.string().optional(),
    origin: described('Its file, or that it came by the API.', z.string()),
  }),
);

const evacuationList = component(
  'EvacuationList',
  z.strictObject({
    at: described('The clock by which they begin and end, RFC 3339.', z.string()),
    idc: described('The IDC that this control plane decides for.', z.string()),
    idcs: described('All IDCs that it knows.', z.array(z.string())),
    items: z.array(evacuation),
  }),
);

const named = {
  name: z.string(),
  own: described('The IDC that this control plane decides for.', z.string()),
};

const room = z.strictObject({
  host: z.string(),
  instances: described('Registered instances.', z.int()),
  well: described('Those not known to be dead or to fail their checks.', z.int()),
  slots: described(
    'Concurrent requests that all of them serve; absent: not declared.',
    z.number(),
  ).optional(),
  slotsBefore: described(
    'The same before it was evacuated, until failback is complete; absent: it was not, or it is not recorded.',
    z.number(),
  ).optional(),
  bears: described('Concurrent requests that the healthy ones serve.', z.number()).optional(),
  takes: described('The part of that which other IDCs may use.', z.number()).optional(),
});

/** The effect of an evacuation, as one control plane knows it. */
const evacuationEffectShown = component(
  'EvacuationEffect',
  z.strictObject({
    ...named,
    leave: z.array(z.strictObject({ host: z.string(), to: described('The first target IDC.', z.string()) })),
    stay: z.array(
      z.strictObject({
        host: z.string(),
        why: described(
          'alone: no DR group names another IDC; no-hops: the hop limit of the DR group or of the mesh is 0; last: every other one is being evacuated.',
          z.enum(['alone', 'no-hops', 'last']),
        ),
      }),
    ),
    room: described('The capacity of the local IDC, whichever is evacuated.', z.array(room)),
    ...waitResult,
  }),
);

const evacuationEnd = component(
  'EvacuationEnd',
  z.strictObject({
    ...named,
    ended: described('false: there was none.', z.boolean()),
    comingHome: described(
      'Groups of the local IDC in gradual failback, as NAMESPACE/HOST:PORT.',
      z.array(z.string()),
    ),
    ...waitResult,
  }),
);

const evacuationRenewed = component('EvacuationRenewed', z.strictObject({ ...named, ...waitResult }));

const evacuationRecord = component(
  'EvacuationRecord',
  z.strictObject({
    name: z.string(),
    edit: described('Of two records of a name the higher one applies.', z.int()),
    by: described('Random id of the writer: of two equal edits the higher one applies.', z.string()),
    spec: described('null: it was ended.', z.union([evacuationInput, z.null()])),
    until: described('When it is over, in milliseconds since 1970.', z.number()),
    at: described('The clock of `until`.', z.number()),
  }),
);

const lastsMsMax = evacuationLimits.lastsMsMax;
const durationWords = 'give a duration of at most 72h, such as 15s';
const tag = 'evacuations';
const path = { name: 'Of the evacuation, the same at all control planes.' };
const unconfirmed = 'Some proxy has not confirmed in time.';

/** Input and output of the operations on evacuations. */
export const evacuationContract = {
  listEvacuations: {
    tag,
    summary: 'All evacuations, including those of the folder of objects',
    help: 'evacuations, including those of the folder (JSON)',
    query: z.strictObject({}),
    answers: { 200: { description: 'By name; ended ones are left out.', schema: evacuationList } },
  },
  evacuate: {
    ...{ tag, path, needsToken: true },
    summary: 'Make requests leave an IDC, or change how many do',
    description:
      "Replaces one of the same name as a whole. Stored on disk before the answer; other control planes of the IDC get it within a second. With `wait=acked` the answer comes when every connected proxy has confirmed. With `for` the body has no `expires`: it ends after this time, by the control plane's own clock.",
    help: 'put or replace one; ?check=only reports its effect',
    query: z.strictObject({
      for: durationQuery(Number.MIN_VALUE, lastsMsMax, durationWords)
        .optional()
        .meta({ description: 'In place of `expires`: a duration of at most 72h.' }),
      check: flag('check', 'only', 'Reports its effect, and changes nothing.'),
      only: flag('only', 'standing', 'Changes one that is in force; else 404.'),
      ...waitParameters,
    }),
    body: evacuationInput,
    answers: {
      200: {
        description: 'Its effect, as far as this control plane knows.',
        schema: evacuationEffectShown,
      },
      202: { description: unconfirmed, schema: evacuationEffectShown },
    },
    refusals: [400, 404, 409],
  },
  renewEvacuation: {
    ...{ tag, path, needsToken: true },
    summary: 'Extend one that is in force',
    description:
      "It ends after this time, by the control plane's own clock. One that has ended, by its time or by a request, also at another control plane of the IDC, is not restored: 404. With `wait=acked` the answer comes when every connected proxy has confirmed its effect.",
    help: 'extend one in force to this time from now: ?for=15s',
    query: z.strictObject({
      for: durationQuery(Number.MIN_VALUE, lastsMsMax, durationWords).meta({
        description: 'A duration of at most 72h, such as 15s.',
      }),
      ...waitParameters,
    }),
    answers: {
      200: { description: 'It lasts.', schema: evacuationRenewed },
      202: { description: unconfirmed, schema: evacuationRenewed },
    },
    refusals: [404, 409],
  },
  endEvacuation: {
    ...{ tag, path, needsToken: true },
    summary: 'End an evacuation',
    description:
      'Groups whose DR group has `failback` return gradually. If there is none of this name: 200, and `ended` is false.',
    help: 'end one; ?wait=acked answers when every proxy has confirmed',
    query: z.strictObject(waitParameters),
    answers: {
      200: { description: 'Whether there was one.', schema: evacuationEnd },
      202: { description: unconfirmed, schema: evacuationEnd },
    },
    refusals: [409],
  },
  replicateEvacuations: {
    ...{ tag, needsToken: true },
    summary: 'Evacuations put here, for another control plane of the same IDC',
    help: 'for other control planes of the IDC (JSON)',
    query: z.strictObject({}),
    answers: {
      200: {
        description: 'Records, including ended ones as long as an older one could apply.',
        schema: component('EvacuationRecords', z.array(evacuationRecord)),
      },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
