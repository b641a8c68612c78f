import { Command, Option } from 'commander';
import { exitCode } from '../../base/exit.ts';
import { helpEnd } from '../help-end.ts';
import { addConfigFlags, configOf } from '../options/config.ts';
import { configShowCommand } from './look/config-show.ts';

/** `isthmus config`: shows the configuration of a proxy; shows or checks that of a control plane. */
export function configCommand(): Command {
  return new Command('config')
    .summary('show the configuration of a proxy, or of a control plane')
    .description(
      'Show what a proxy was sent and has acknowledged (`isthmus config NODE`); show the configuration of `isthmus serve`, and the origin of each value (`print`); or check a file for it (`check`).',
    )
    .addCommand(configShowCommand(), { isDefault: true })
    .addCommand(printCommand())
    .addCommand(checkCommand())
    .addHelpText(
      'after',
      helpEnd({
        exits:
          '0 shown, or valid; 1 the file is invalid (`check`), or the proxy has not acknowledged all; 2 it could not be read or used.',
        examples: ['isthmus config egress-1', 'isthmus config print --file /etc/isthmus/isthmus.yaml'],
      }),
    );
}

function printCommand(): Command {
  const command = new Command('print')
    .summary('show the configuration in force, and the origin of each value')
    .description(
      'Show the configuration that `isthmus serve` would have with these options, this environment and this file: as an equivalent file, with the origin of each value.',
    );
  return addConfigFlags(command)
    .addOption(new Option('-o, --output <format>', 'output format').choices(['yaml', 'json']).default('yaml'))
    .addHelpText(
      'after',
      helpEnd({
        exits: '0 shown; 2 the options, the environment or the file are wrong.',
        examples: ['isthmus config print --file isthmus.yaml --xds 10.1.0.9:15010'],
      }),
    )
    .action(async ({ output }: { output: 'yaml' | 'json' }, command: Command) => {
      const { settings } = await configOf(command, process.env);
      const { settingsJson, settingsYaml } = await import('../../config/print.ts');
      process.stdout.write(output === 'json' ? settingsJson(settings) : settingsYaml(settings));
    });
}

function checkCommand(): Command {
  return new Command('check')
    .summary('check a file for `isthmus serve --file`')
    .description(
      'Check a file for `isthmus serve --file`: all errors at once, with line, place and what to do. Required options that it leaves to flags are noted, and files that this machine lacks.',
    )
    .argument('<file>', 'the file')
    .addHelpText(
      'after',
      helpEnd({
        exits: '0 valid (there may be notes); 1 invalid; 2 it cannot be read.',
        examples: ['isthmus config check isthmus.yaml'],
      }),
    )
    .action(async (file: string) => {
      const { readConfigFile } = await import('../../config/config-file.ts');
      const { neededBeside } = await import('../../config/resolve.ts');
      const { notesOnMissing } = await import('../../config/notes-on-missing.ts');
      const read = readConfigFile(file);
      const { faults } = read;
      const beside = neededBeside(read).map((words) => `${file}: note: ${words}`);
      const notes = faults.length > 0 ? [] : [...beside, ...notesOnMissing(read)];
      const sum = `${file}: ${faults.length === 0 ? 'valid' : 'invalid'}`;
      process.stdout.write([...faults, ...notes, sum].map((line) => `${line}\n`).join(''));
      process.exitCode = faults.length === 0 ? exitCode.ok : exitCode.failed;
    });
}
