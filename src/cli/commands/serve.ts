import { Command } from 'commander';
import { helpEnd } from '../help-end.ts';
import { addConfigFlags, configOf } from '../options/config.ts';

/** `isthmus serve`: the control plane of one IDC, until SIGTERM or SIGINT. */
export function serveCommand(): Command {
  const command = new Command('serve')
    .summary('run the control plane of one IDC')
    .description(
      'Run the control plane of one IDC: read registry objects, serve xDS to its Envoys. Their folder is watched; a saved file is pushed without a restart. Logs are JSON lines on stderr. Each option may be in a file, or in an environment variable; `isthmus config print` shows the configuration in force.',
    );
  return addConfigFlags(command)
    .addHelpText(
      'after',
      helpEnd({
        exits:
          '0 ended by SIGTERM or SIGINT; 1 an uncaught error; 2 it could not start; 130 ended at once by a second signal.',
        examples: [
          'isthmus serve --file /etc/isthmus/isthmus.yaml',
          'isthmus serve --idc sh-a --config config/ --state /var/lib/isthmus \\',
          '  --xds 10.1.0.9:15010 --admin 10.1.0.9:15014',
        ],
      }),
    )
    .action(async (_flags: unknown, command: Command) => {
      const { config, settings } = await configOf(command, process.env);
      // Loaded on demand: --help and other commands do not need it.
      const { serve } = await import('../serve.ts');
      await serve(config, settings);
    });
}
