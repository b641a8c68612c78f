import { Command } from 'commander';
import { systemClock } from '../../../base/clock.ts';
import { MeshError } from '../../../base/error.ts';
import { exitCode } from '../../../base/exit.ts';
import type { ListenAddress } from '../../../model/values/listen-address.ts';
import { askEach, textsByAdmin } from '../../ask-each.ts';
import type { FolderDiff } from '../../diff/compare-folder.ts';
import { helpEnd } from '../../help-end.ts';
import { adminOption } from '../../options/admin.ts';
import { dataText, isData, type OutputFormat, outputOption } from '../../options/output.ts';

interface Flags {
  readonly admin: readonly ListenAddress[];
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
    .action(show);
}

async function show(paths: readonly string[], { admin, output }: Flags): Promise<void> {
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
  const replies = await askEach(admin, askRegistry);
  const diffs = replies.flatMap((one) =>
    'reply' in one ? [{ admin: one.admin, ...compareFolder(one.reply, objects, systemClock.wall()) }] : [],
  );
  for (const one of replies) if ('error' in one) process.stderr.write(`isthmus: ${one.error.message}\n`);
  process.stdout.write(await textOf(diffs, output));
  process.exitCode =
    diffs.length < replies.length
      ? exitCode.unusable
      : diffs.every(({ same }) => same)
        ? exitCode.ok
        : exitCode.failed;
}

async function textOf(
  diffs: readonly ({ readonly admin: string } & FolderDiff)[],
  output: OutputFormat,
): Promise<string> {
  if (isData(output)) return dataText(diffs, output);
  const { diffText } = await import('../../diff/diff-text.ts');
  return textsByAdmin(diffs, (one) => diffText(one, output));
}
