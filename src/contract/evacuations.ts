import { z } from 'zod';
import { evacuationLimits } from '../model/evacuation.ts';
import { component, said, waited } from './components.ts';
import type { Operation } from './operation.ts';
import { durationQuery, flag, waitParameters } from './query.ts';

const time = (description: string) => z.iso.datetime({ offset: true }).meta({ description });

/** The input of an evacuation. */
export const evacuationAsked = component(
  'EvacuationSpec',
  z.strictObject({
    idc: said('The IDC that requests leave.', z.string()),
    groups: said(
      'Hosts, or patterns such as *.shop; without a selector either: all Groups.',
      z.array(z.string()),
    ).optional(),
    selector: z
      .strictObject({
        matchLabels: said("Labels of the Groups' ServiceEntries.", z.record(z.string(), z.string())),
      })
      .optional(),
    percent: z.int().min(1).max(100).meta({ default: evacuationLimits.percentDefault }).optional(),
    starts: time('Absent: at once.').optional(),
    expires: time(
      'When it ends by itself; at most 72 hours after its start. With `for` in the query it is left out.',
    ).optional(),
    steps: said('Shares on the way to percent, with starts.', z.array(z.int())).optional(),
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
    idc: said('The IDC that is left.', z.string()),
    percentNow: said('The share that leaves now.', z.number()),
    percent: said('The share that leaves in the end.', z.number()),
    groups: said('Empty, and no selector: all.', z.array(z.string())),
    selector: z.record(z.string(), z.string()).optional(),
    startsInMs: z.number().optional(),
    endsInMs: said('Not more than 0: it is over.', z.number()),
    reason: z.string().optional(),
    origin: said('The file that it stands in, or that it came by the API.', z.string()),
  }),
);

const evacuationList = component(
  'EvacuationList',
  z.strictObject({
    at: said('The clock by which they begin and end, RFC 3339.', z.string()),
    idc: said('What this control plane decides for.', z.string()),
    idcs: said('All IDCs that it knows.', z.array(z.string())),
    items: z.array(evacuation),
  }),
);

const named = { name: z.string(), own: said('The IDC that this control plane decides for.', z.string()) };

const room = z.strictObject({
  host: z.string(),
  instances: said('That are registered.', z.int()),
  well: said('Of these, who is not known to be dead or to fail its checks.', z.int()),
  slots: said(
    'Requests that all of them work on at once; absent: nobody has declared it.',
    z.number(),
  ).optional(),
  slotsBefore: said(
    'The same before it was evacuated, while it is and comes home; absent: it was not, or nobody noted it.',
    z.number(),
  ).optional(),
  bears: said('Requests that those who are well work on at once.', z.number()).optional(),
  takes: said('Of these, what others may take up.', z.number()).optional(),
});

/** The effect of an evacuation, as one control plane knows it. */
const evacuationEffectShown = component(
  'EvacuationEffect',
  z.strictObject({
    ...named,
    leave: z.array(
      z.strictObject({ host: z.string(), to: said('The IDC that is asked first.', z.string()) }),
    ),
    stay: z.array(
      z.strictObject({
        host: z.string(),
        why: said(
          'alone: no DR group names another IDC; no-hops: the hop limit of the DR group or of the mesh is 0; last: every other one is being evacuated.',
          z.enum(['alone', 'no-hops', 'last']),
        ),
      }),
    ),
    room: said('What the own IDC has, whichever is left.', z.array(room)),
    ...waited,
  }),
);

const evacuationEnd = component(
  'EvacuationEnd',
  z.strictObject({
    ...named,
    ended: said('false: there was none.', z.boolean()),
    comingHome: said(
      'Groups of the own IDC that come home little by little, as NAMESPACE/HOST:PORT.',
      z.array(z.string()),
    ),
    ...waited,
  }),
);

const evacuationRenewed = component('EvacuationRenewed', z.strictObject({ ...named, ...waited }));

const evacuationRecord = component(
  'EvacuationRecord',
  z.strictObject({
    name: z.string(),
    edit: said('Of two records of a name the higher counts.', z.int()),
    by: said('Who wrote it, as chance has it: of two equal edits the higher counts.', z.string()),
    spec: said('null: it was ended.', z.union([evacuationAsked, z.null()])),
    until: said('When it is over, in milliseconds since 1970.', z.number()),
    at: said('The clock by which `until` is told.', z.number()),
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
    summary: 'All evacuations, those of the folder of objects too',
    help: 'evacuations, those of the folder too (JSON)',
    query: z.strictObject({}),
    answers: { 200: { description: 'By name; ended ones are left out.', schema: evacuationList } },
  },
  evacuate: {
    ...{ tag, path, needsToken: true },
    summary: 'Let requests leave an IDC, or change how many do',
    description:
      "Takes the place of one of the same name, as a whole. On the disk before it is answered; other control planes of the IDC take it over within a second. With `wait=acked` it is answered when every connected proxy has confirmed. With `for` the body has no `expires`: it ends so long from now, by the control plane's own clock.",
    help: 'put or replace one; ?check=only says what it would do',
    query: z.strictObject({
      for: durationQuery(Number.MIN_VALUE, lastsMsMax, durationWords)
        .optional()
        .meta({ description: 'In place of `expires`: a duration of at most 72h.' }),
      check: flag('check', 'only', 'Says what it would do, and does nothing.'),
      only: flag('only', 'standing', 'Changes one that is in force; else 404.'),
      ...waitParameters,
    }),
    body: evacuationAsked,
    answers: {
      200: {
        description: 'What it does, as far as this control plane knows.',
        schema: evacuationEffectShown,
      },
      202: { description: unconfirmed, schema: evacuationEffectShown },
    },
    refusals: [400, 404, 409],
  },
  renewEvacuation: {
    ...{ tag, path, needsToken: true },
    summary: 'Let one that is in force last longer',
    description:
      "It ends so long from now, by the control plane's own clock. What has ended, by its time or by somebody, at another control plane of the IDC too, does not come back: 404. With `wait=acked` it is answered when every connected proxy has confirmed what it does.",
    help: 'let one that is in force last so long from now on: ?for=15s',
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
    summary: 'Let everybody come home',
    description:
      'Groups whose DR group has `failback` come home little by little. Of one that does not stand 200, and `ended` is false.',
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
    summary: 'What was asked for here, for another control plane of the same IDC',
    help: 'for other control planes of the IDC (JSON)',
    query: z.strictObject({}),
    answers: {
      200: {
        description: 'Records, ended ones too as long as an older one could count.',
        schema: component('EvacuationRecords', z.array(evacuationRecord)),
      },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
