import { Command, Option } from 'commander';
import type { ListenAddress } from '../../model/values/listen-address.ts';
import { helpEnd } from '../help-end.ts';
import { parseAddress } from '../options/address.ts';
import { outputOption } from '../options/output.ts';
import type { ValidateOptions } from '../validate.ts';

/** `isthmus validate PATH…`: check objects without serving them. */
export function validateCommand(): Command {
  return new Command('validate')
    .summary('check files or folders of objects')
    .description(
      'Check objects as `isthmus serve` would: all errors at once, with file, line, field and what to do. All paths are checked together, as one folder would be.',
    )
    .argument('<path...>', 'files, folders with all below them, and - for standard input')
    .option('--strict', 'warnings fail, too')
    .addOption(
      new Option(
        '--live <host:port>',
        'check together with what the control plane at this admin address holds: as if these objects were added to its folder, in place of those of the same names',
      ).argParser((text: string): ListenAddress => parseAddress(text)),
    )
    .addOption(outputOption('output format; wide: with each object, and where it stands'))
    .addHelpText(
      'after',
      helpEnd({
        exits:
          '0 valid (there may be warnings and notes); 1 an object is invalid, or with --strict there is a warning; 2 a path cannot be read, or the control plane does not answer.',
        examples: [
          'isthmus validate config/',
          'helm template mesh | isthmus validate --strict -',
          'isthmus validate --live 10.1.0.9:15014 new.yaml',
        ],
      }),
    )
    .action(async (paths: string[], flags: ValidateOptions) => {
      const { runValidate } = await import('../validate.ts');
      process.exitCode = await runValidate(paths, flags);
    });
}
