import { Command } from 'commander';
import { systemClock } from '../../../base/clock.ts';
import { MeshError } from '../../../base/error.ts';
import { exitCode } from '../../../base/exit.ts';
import type { ListenAddress } from '../../../model/values/listen-address.ts';
import { errorText, textsByAdmin } from '../../ask-each.ts';
import { askEveryIdc, notAskedText } from '../../ask-idcs.ts';
import { helpEnd } from '../../help-end.ts';
import { adminOption } from '../../options/admin.ts';
import { allIdcsOption } from '../../options/all-idcs.ts';
import { type OutputFormat, outputOption } from '../../options/output.ts';
import { showLook } from '../../show/show.ts';

interface Flags {
  readonly admin: readonly ListenAddress[];
  readonly allIdcs?: boolean;
  readonly output: OutputFormat;
}

/** `isthmus diff DIR`: what replacing the folder of a control plane would push. */
export function diffCommand(): Command {
  return new Command('diff')
    .summary('show what a change of objects would push, and to whom')
    .description(
      'Show what a control plane would push if its folder (--config) held these objects instead: which objects and hosts differ, and what each kind of connected proxies would be sent. It is computed here, by what the control plane itself plans and translates with, from the objects that it holds: nothing is changed.',
    )
    .argument('<path...>', 'folder, files, or - for standard input: all objects of the new folder')
    .addOption(adminOption())
    .addOption(allIdcsOption('what it would push in the other IDCs, too'))
    .addOption(
      outputOption(
        'output format; wide: with all names; json and yaml: a list with one entry for each control plane',
      ),
    )
    .addHelpText(
      'after',
      helpEnd({
        exits:
          '0 nothing would change; 1 something would; 2 a path cannot be read, an object in it is invalid, or a control plane does not answer.',
        examples: [
          'isthmus diff --admin 10.1.0.9:15014 config/',
          'helm template mesh | isthmus diff -o wide -',
        ],
      }),
    )
    .action(diff);
}

async function diff(paths: readonly string[], { admin, allIdcs, output }: Flags): Promise<void> {
  const [{ checkInputs }, { readInputs }, { readStandardInput }, { askRegistry }, { compareFolder }] =
    await Promise.all([
      import('../../../registry/check/check-inputs.ts'),
      import('../../../registry/check/read-inputs.ts'),
      import('../../process/standard-input.ts'),
      import('../../../client/registry-client.ts'),
      import('../../diff/compare-folder.ts'),
    ]);
  const { problems, objects } = checkInputs(await readInputs(paths, readStandardInput), systemClock.wall());
  const { renderProblem } = await import('../../validate.ts');
  const errors = problems.filter(({ severity }) => severity === 'error');
  for (const one of errors) process.stderr.write(`${renderProblem(one)}\n`);
  if (errors.length > 0)
    throw new MeshError('invalid', 'nothing is compared: correct these errors first (`isthmus validate`)');
  const { told, unknown } = await askEveryIdc(admin, allIdcs === true, askRegistry);
  const diffs = told.flatMap((one) =>
    'reply' in one ? [{ admin: one.admin, ...compareFolder(one.reply, objects, systemClock.wall()) }] : [],
  );
  const { diffText } = await import('../../diff/diff-text.ts');
  const notes = [
    ...told.flatMap((one) => ('error' in one ? [`isthmus: ${errorText(one)}`] : [])),
    ...unknown.map((idc) => `! ${notAskedText(idc)}`),
  ];
  const code = diffs.every(({ same }) => same) ? exitCode.ok : exitCode.failed;
  await showLook({ output }, async () => ({
    data: diffs,
    text: (width) => textsByAdmin(diffs, (one) => diffText(one, width)),
    notes,
    code: notes.length > 0 ? exitCode.unusable : code,
  }));
}
