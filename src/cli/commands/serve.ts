import { Command, InvalidArgumentError, Option } from 'commander';
import { hopLimitMax, loopPreventions } from '../../model/trail.ts';
import { helpEnd } from '../help-end.ts';
import { addAddress, parseAddress, parseIdcName } from '../options/address.ts';
import { duration } from '../options/duration.ts';
import { logLevels } from '../options/log-level.ts';
import type { ServeFlags } from '../serve.ts';

/** `isthmus serve`: the control plane of one IDC, until SIGTERM or SIGINT. */
export function serveCommand(): Command {
  return new Command('serve')
    .summary('run the control plane of one IDC')
    .description(
      'Run the control plane of one IDC: read registry objects, serve xDS to its Envoys. DIR is watched; a saved file is pushed without a restart. Logs are JSON lines on stderr.',
    )
    .requiredOption('--idc <name>', 'the IDC that this control plane decides for', parseIdcName)
    .requiredOption('--config <dir>', 'folder of YAML objects')
    .option(
      '--registrations <file>',
      'let instances register themselves over HTTP on the admin address; they are kept in this SQLite file, which is created. Needs --admin-token-file',
    )
    .option(
      '--state <dir>',
      'keep the last good registry state here, and start from it while DIR is missing, unreadable or empty',
    )
    .option(
      '--filters <dir>',
      'keep compiled filters here, and start faster; control planes may share it (default: filters in the folder of --state)',
    )
    .addOption(
      new Option('--xds <host:port>', 'where Envoys ask')
        .argParser((text: string) => parseAddress(text))
        .default({ address: '127.0.0.1', port: 15010 }, '127.0.0.1:15010'),
    )
    .addOption(
      new Option(
        '--xds-tools <on|off>',
        'off: no client status (CSDS) and no reflection on --xds, which tell whoever reaches it what each proxy has',
      )
        .choices(['on', 'off'])
        .default('on'),
    )
    .addOption(
      new Option('--admin <host:port>', 'readiness, status, metrics')
        .argParser((text: string) => parseAddress(text))
        .default({ address: '127.0.0.1', port: 15014 }, '127.0.0.1:15014'),
    )
    .option(
      '--admin-token-file <file>',
      'file with the token that admin writes need; without it they are off',
    )
    .option(
      '--peer-admin <host:port>',
      'admin address of another control plane of this IDC; repeat for more (its own is passed over). Each takes over what registers at the others, so that proxies may go from one to another. Needs --registrations; all have the same token',
      addAddress,
    )
    .addOption(
      limit(
        '--peer-start-limit <duration>',
        'a start waits for the registrations of control planes that do not answer for at most so long',
        '15s',
      ),
    )
    .addOption(
      limit(
        '--peer-keep-limit <duration>',
        'instances that only another control plane hears of stay for so long while that one does not answer',
        '1h',
      ),
    )
    .option('--hop-limit <n>', `most crossings of any request, 0 to ${hopLimitMax}`, parseHopLimit, 1)
    .addOption(
      new Option(
        '--loop-prevention <on|off>',
        'off lets requests run in circles between IDCs: the negative control of drills, never for traffic',
      )
        .choices(loopPreventions)
        .default('on'),
    )
    .addOption(
      limit(
        '--deletion-ack-limit <duration>',
        'an instance that goes is held for a connected proxy that does not confirm it for at most so long; give isthmus run a --drain-timeout that is no shorter',
        '30s',
      ),
    )
    .addOption(limit('--deletion-reconnect-limit <duration>', 'the same, for a proxy that is away', '15s'))
    .addOption(
      duration(
        '--shutdown-grace <duration>',
        'on SIGTERM proxies are handed over to other control planes one after another, 5 ms apart, or closer to be done within so long; 0: all at once',
        '15s',
        { minMs: 0, maxMs: 600_000 },
      ),
    )
    .addOption(new Option('--log-level <level>', 'what to log').choices(logLevels).default('info'))
    .addHelpText(
      'after',
      helpEnd({
        exits:
          '0 ended by SIGTERM or SIGINT; 1 a fault that nothing caught; 2 it could not start; 130 ended by a second signal, at once.',
        examples: [
          'isthmus serve --idc sh-a --config config/ --state /var/lib/isthmus \\',
          '  --xds 10.1.0.9:15010 --admin 10.1.0.9:15014',
        ],
      }),
    )
    .action(async (flags: ServeFlags) => {
      // Loaded only now: --help and the other commands need none of it.
      const { serve } = await import('../serve.ts');
      await serve(flags);
    });
}

/** An option for a limit of the deletion guard. */
function limit(flags: string, words: string, byDefault: string): Option {
  return duration(flags, words, byDefault, { minMs: 1_000, maxMs: 3_600_000 });
}

function parseHopLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 0 || limit > hopLimitMax) {
    throw new InvalidArgumentError(`'${text}' is no hop limit: 0 to ${hopLimitMax}.`);
  }
  return limit;
}
