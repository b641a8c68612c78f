import { Command } from 'commander';
import { buildCaptureRules, captureTable } from '../../../inject/capture-rules.ts';
import { injected } from '../../../inject/settings.ts';
import { helpEnd } from '../../help-end.ts';
import { parseCount, parsePortNumber } from '../../options/argument.ts';

interface Flags {
  readonly apply?: boolean;
  readonly port: number;
  readonly uid: number;
  readonly excludePorts?: readonly number[];
  readonly excludeCidrs?: readonly string[];
}

/** `isthmus capture`: rules that redirect connections of a network namespace to its sidecar. */
export function captureCommand(): Command {
  return new Command('capture')
    .summary('redirect connections of a Pod to its sidecar')
    .description(
      `Print rules for nft that redirect outgoing TCP connections of this network namespace, IPv4 and IPv6, to the sidecar; --apply puts them in force (needs nft and NET_ADMIN). Left alone: port 53, connections within the namespace, and those of the sidecar's user. Rules of an earlier run are replaced; nft delete table ${captureTable} removes them.`,
    )
    .option('--apply', 'put the rules in force in place of printing them')
    .option('--port <port>', "port of the sidecar's capture listener", parsePortNumber, injected.capturePort)
    .option('--uid <n>', 'user of the sidecar', parseCount, injected.uid)
    .option('--exclude-ports <ports>', 'destination ports to leave alone, by comma', (text: string) =>
      listOf(text).map(parsePortNumber),
    )
    .option('--exclude-cidrs <prefixes>', 'addresses and prefixes to leave alone, by comma', listOf)
    .addHelpText(
      'after',
      helpEnd({
        exits: '0 done; 2 nft is missing, or refuses the rules.',
        examples: ['isthmus capture --exclude-ports 22,9090 | nft -f -'],
      }),
    )
    .action(async ({ apply, port, uid, excludePorts = [], excludeCidrs = [] }: Flags) => {
      const rules = buildCaptureRules({ port, uid, excludePorts, excludePrefixes: excludeCidrs });
      if (apply !== true) {
        process.stdout.write(rules);
        return;
      }
      const { applyRules } = await import('../../inject/apply-rules.ts');
      await applyRules(rules);
    });
}

const listOf = (text: string) =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
