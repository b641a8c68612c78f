import { Command, InvalidArgumentError } from 'commander';
import { buildCaptureRules, captureTable } from '../../../inject/capture-rules.ts';
import { injected } from '../../../inject/settings.ts';
import { helpEnd } from '../../help-end.ts';
import { parseCount } from '../../options/argument.ts';

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
    .option('--port <port>', "port of the sidecar's capture listener", parsePort, injected.capturePort)
    .option('--uid <n>', 'user of the sidecar', parseCount, injected.uid)
    .option('--exclude-ports <ports>', 'destination ports to leave alone, by comma', (text: string) =>
      listOf(text).map(parsePort),
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

function parsePort(text: string): number {
  const port = parseCount(text);
  if (port > 65_535) throw new InvalidArgumentError(`'${text}' is not a port: 1 to 65535.`);
  return port;
}
