import { z } from 'zod';
import { evacuationLimits } from '../../../model/evacuation.ts';
import { idcNamePattern } from '../../../model/idc.ts';

const { stepsMax, stepSecondsMax, stepSecondsDefault, percentDefault, groupsMax, reasonMax } =
  evacuationLimits;

const percent = z
  .int({ error: 'must be a whole number from 1 to 100.' })
  .min(1, 'must be from 1 to 100; to end an evacuation delete the object.')
  .max(100, 'must be from 1 to 100.');

/** RFC 3339, 5.6, with the offset that it requires. */
const time = z.iso.datetime({
  offset: true,
  error: "must be a time with its offset, as RFC 3339 has it: '2026-03-01T14:00:00Z'.",
});

export const evacuationSpec = z
  .strictObject({
    idc: z
      .string()
      .regex(idcNamePattern, "must be an IDC's name: 1 to 32 of a-z, 0-9 and '-'.")
      .meta({ description: 'The IDC that requests leave.' }),
    groups: z
      .array(z.string().min(1, 'is empty: remove it, or fill it in.'))
      .min(1, 'is empty: name a host, or remove it: then all Groups leave.')
      .max(groupsMax, `has too many hosts: give up to ${groupsMax}, patterns or a selector.`)
      .optional()
      .meta({
        description:
          "Hosts of the Groups that leave, or patterns such as '*.shop'. Without a selector either: all.",
      }),
    selector: z
      .strictObject({
        matchLabels: z.record(z.string(), z.string({ error: 'must be text: put it in quotes.' })),
      })
      .optional()
      .meta({ description: 'Labels in the metadata of the ServiceEntries whose Groups leave.' }),
    percent: percent.optional().meta({
      description: "Share of the IDC's own requests that leave it.",
      default: percentDefault,
    }),
    starts: time
      .optional()
      .meta({ description: 'When it begins, RFC 3339: at most 30 days ahead. Without it: at once.' }),
    expires: time.meta({
      description:
        'When it ends by itself, RFC 3339: at most 72 hours after its start. Without `starts` it is in force in the last 73 hours before alone.',
    }),
    steps: z
      .array(percent)
      .min(1, 'is empty: give a share, or remove it.')
      .max(stepsMax, `has too many steps: give up to ${stepsMax}.`)
      .optional()
      .meta({ description: 'Shares on the way to `percent`, one after the other. Needs `starts`.' }),
    stepSeconds: z
      .int({ error: `must be a whole number from 1 to ${stepSecondsMax}.` })
      .min(1, `must be from 1 to ${stepSecondsMax}.`)
      .max(stepSecondsMax, `must be from 1 to ${stepSecondsMax}.`)
      .optional()
      .meta({ description: 'How long each of `steps` lasts.', default: stepSecondsDefault }),
    reason: z
      .string({ error: 'must be text: put it in quotes.' })
      .max(reasonMax, `is too long: give up to ${reasonMax} characters.`)
      .optional()
      .meta({ description: 'Why, for those who see it in `isthmus status`.' }),
  })
  .meta({ description: 'Which share of which Groups leaves which IDC, and until when.' });

/** A valid spec of an Evacuation, as in YAML. */
export type EvacuationFields = Readonly<z.output<typeof evacuationSpec>>;
