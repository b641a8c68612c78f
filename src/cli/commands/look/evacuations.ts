import { Command } from 'commander';
import { exitCode } from '../../../base/exit.ts';
import { createApiClient } from '../../../client/api-client.ts';
import { listAt } from '../../../client/evacuation-planes.ts';
import type { ListenAddress } from '../../../model/values/listen-address.ts';
import { errorText } from '../../ask-each.ts';
import { askEveryIdc, notAskedText } from '../../ask-idcs.ts';
import { evacuationsText, heldBy, missingAt } from '../../evacuate/evacuations-text.ts';
import { helpEnd } from '../../help-end.ts';
import { adminOption } from '../../options/admin.ts';
import { allIdcsOption } from '../../options/all-idcs.ts';
import { type OutputFormat, outputOption } from '../../options/output.ts';
import { type Look, showLook, watchOption } from '../../show/show.ts';

interface Flags {
  readonly admin: readonly ListenAddress[];
  readonly allIdcs?: boolean;
  readonly watch?: boolean;
  readonly output: OutputFormat;
}

/** `isthmus evacuations`: which IDCs are being evacuated. */
export function evacuationsCommand(): Command {
  return new Command('evacuations')
    .summary('list evacuations, and the control planes that have them')
    .description(
      'List the evacuations that are in force or planned: which IDC, how much leaves it now and in the end, for which Groups, and until when. An evacuation has to be at the control planes of every IDC: one that some of those asked lack is reported.',
    )
    .addOption(adminOption())
    .addOption(allIdcsOption('those at the control planes of the other IDCs, too'))
    .addOption(watchOption())
    .addOption(
      outputOption(
        'output format; wide: with origin, and the control planes that have it; json and yaml: a list, with these control planes',
      ),
    )
    .addHelpText(
      'after',
      helpEnd({
        exits:
          '0 listed, even if none; 1 listed, but a control plane lacks one that another has, or does not answer, or is not known; 2 none answers.',
        examples: ['isthmus evacuations --admin 10.1.0.9:15014 --all-idcs'],
      }),
    )
    .action((flags: Flags) => showLook(flags, () => look(flags)));
}

async function look({ admin, allIdcs }: Flags): Promise<Look> {
  const { told, unknown } = await askEveryIdc(admin, allIdcs === true, listFrom);
  const heard = told.flatMap((one) => ('reply' in one ? [{ admin: one.admin, ...one.reply }] : []));
  const held = heldBy(heard);
  const notes = [
    ...told.flatMap((one) => ('error' in one ? [`isthmus: ${errorText(one)}`] : [])),
    ...unknown.map((idc) => `! ${notAskedText(idc)}`),
    ...missingAt(held, heard),
  ];
  return {
    data: held,
    text: (width) => evacuationsText(held, width),
    notes,
    code: notes.length > 0 ? exitCode.failed : exitCode.ok,
  };
}

async function listFrom(admin: ListenAddress) {
  const client = createApiClient({ admin, token: undefined });
  try {
    return await listAt(client);
  } finally {
    await client.close();
  }
}
