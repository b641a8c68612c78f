import { Command, Option } from 'commander';
import { helpEnd } from '../help-end.ts';
import type { ValidateOutput } from '../validate.ts';

/** `isthmus validate DIR`: check objects without serving them. */
export function validateCommand(): Command {
  return new Command('validate')
    .summary('check a folder of objects')
    .description(
      'Check every object in DIR as `isthmus serve` would: all errors at once, with file, line, field and what to do.',
    )
    .argument('<dir>', 'folder of YAML or JSON objects')
    .addOption(new Option('-o, --output <format>', 'output format').choices(['text', 'json']).default('text'))
    .addHelpText(
      'after',
      helpEnd({
        exits: '0 valid (there may be warnings and notes); 1 an object is invalid; 2 DIR cannot be read.',
        examples: ['isthmus validate config/'],
      }),
    )
    .action(async (dir: string, flags: { output: ValidateOutput }) => {
      const { runValidate } = await import('../validate.ts');
      process.exitCode = await runValidate(dir, flags.output);
    });
}
