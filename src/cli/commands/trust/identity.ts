import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { systemClock } from '../../../base/clock.ts';
import { type LogLevel, logLevels } from '../../../base/log.ts';
import { seededRandom } from '../../../base/random.ts';
import { readToken } from '../../../client/token.ts';
import type { Identity } from '../../../model/values/identity.ts';
import type { ListenAddress } from '../../../model/values/listen-address.ts';
import type { IdentityKeeperOptions } from '../../../trust/keep/identity-keeper.ts';
import { helpEnd } from '../../help-end.ts';
import { parseBindAddress } from '../../options/address.ts';
import { durationOption } from '../../options/duration.ts';
import { identityOption, parsePin } from '../../options/trust.ts';

interface Flags {
  readonly dir: string;
  readonly id: Identity;
  readonly ca: ListenAddress;
  readonly caHash?: string;
  readonly tokenFile?: string;
  readonly poll: number;
  readonly once?: boolean;
  readonly logLevel: LogLevel;
}

/** `isthmus identity`: keeps the certificate of a proxy or a control plane. */
export function identityCommand(): Command {
  return new Command('identity')
    .summary('keep the certificate of a proxy or a control plane')
    .description(
      'Keep the certificate of one identity in a folder, beside the Envoy or control plane that uses it, until SIGTERM or SIGINT. The key is made here and does not leave. The first certificate needs a token; each further one is asked for with the one before, at half of its life. While the authority is away, what is in the folder stays.',
    )
    .requiredOption('--dir <dir>', 'folder for the certificate, its key and the roots')
    .addOption(identityOption('who it is'))
    .addOption(
      new Option('--ca <host:port>', 'the authority').argParser(parseBindAddress).makeOptionMandatory(),
    )
    .option('--ca-hash <sha256:...>', 'what pins its root, for the first certificate', parsePin)
    .option('--token-file <file>', 'file with the join token, for the first certificate')
    .addOption(
      durationOption('--poll <duration>', 'how often the authority is asked for its roots', '5m', {
        ...{ minMs: 1_000, maxMs: 3_600_000 },
      }),
    )
    .option('--once', 'end as soon as there is a valid certificate')
    .addOption(new Option('--log-level <level>', 'lowest level to log').choices(logLevels).default('info'))
    .addHelpText(
      'after',
      helpEnd({
        exits: '0 ended by a signal, or --once and there is a certificate; 2 it could not start.',
        examples: [
          'isthmus identity --dir /run/isthmus/caller-1 --ca 10.1.0.9:15016 \\',
          '  --id spiffe://sh-a.example/idc/sh-a/sidecar/caller-1 \\',
          '  --token-file token --ca-hash sha256:...',
        ],
      }),
    )
    .action(run);
}

async function run(flags: Flags): Promise<void> {
  const { IdentityKeeper } = await import('../../../trust/keep/identity-keeper.ts');
  const { createLogger } = await import('../../process/log.ts');
  const { untilStopped } = await import('../../process/stop-signals.ts');
  const logger = createLogger(flags.logLevel);
  try {
    const keeper = new IdentityKeeper({ ...keeperOptions(flags), logger });
    if (flags.once) {
      await keeper.obtain();
      return;
    }
    const stop = new AbortController();
    void untilStopped().then(() => stop.abort());
    await keeper.run(stop.signal);
  } finally {
    await logger.close();
  }
}

function keeperOptions({
  dir,
  id,
  ca,
  caHash,
  tokenFile,
  poll,
}: Flags): Omit<IdentityKeeperOptions, 'logger'> {
  return {
    ...{ folder: dir, identity: id, pin: caHash, pollMs: poll, clock: systemClock },
    access: { ca, trustDomain: id.trustDomain, idc: id.idc, clock: systemClock },
    random: seededRandom(randomInt(2 ** 32)),
    token: () =>
      tokenFile === undefined || !exists(tokenFile) ? undefined : readToken(tokenFile, '--token-file'),
  };
}

/** A token may come later, and may be removed once it is used. */
function exists(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch (reason) {
    return (reason as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}
