import { Command, InvalidArgumentError, Option } from 'commander';
import { systemClock } from '../../../base/clock.ts';
import { formatIdentity, type Identity } from '../../../model/values/identity.ts';
import { type ListenAddress, showAddress } from '../../../model/values/listen-address.ts';
import type { CaStatus } from '../../../trust/ca/authority.ts';
import { helpEnd } from '../../help-end.ts';
import { parseAddress, parseIdcName } from '../../options/address.ts';
import { durationOption } from '../../options/duration.ts';
import { dataText, isData, type OutputFormat, outputOption } from '../../options/output.ts';
import { caFolderOption, identityOption, parseTrustDomain } from '../../options/trust.ts';
import { rotateCommand } from './rotate.ts';
import { withAuthority } from './with-authority.ts';

interface Folder {
  readonly dir: string;
}

const hourMs = 3_600_000;

/** `isthmus ca`: the certificate authority of an IDC. */
export function caCommand(): Command {
  return new Command('ca')
    .summary('the certificate authority of an IDC: who is who')
    .description(
      'Make and run the certificate authority of one IDC. It issues certificates of hours to proxies and control planes, each for one identity, and is needed only when one joins or renews. All commands but serve work on its folder, also while it serves.',
    )
    .addCommand(initCommand())
    .addCommand(serveCaCommand())
    .addCommand(tokenCommand())
    .addCommand(listCommand())
    .addCommand(revokeCommand())
    .addCommand(rotateCommand())
    .addHelpText(
      'after',
      helpEnd({
        exits: '0 done; 2 it could not be done.',
        examples: [
          'isthmus ca init --dir /var/lib/isthmus-ca --idc sh-a \\',
          '  --trust-domain sh-a.example',
          'isthmus ca serve --dir /var/lib/isthmus-ca --listen 10.1.0.9:15016',
        ],
      }),
    );
}

function initCommand(): Command {
  return new Command('init')
    .summary('make an authority, and its root')
    .description(
      'Make the authority of an IDC in a new folder. The key of its root is in a file of mode 0600; whoever has it can be everybody in this trust domain.',
    )
    .addOption(caFolderOption())
    .requiredOption('--idc <name>', 'its IDC', parseIdcName)
    .requiredOption('--trust-domain <name>', 'its trust domain, as in the Idc object', parseTrustDomain)
    .addOption(
      durationOption(
        '--leaf-ttl <duration>',
        'how long certificates of proxies and control planes are valid',
        '24h',
        {
          ...{ minMs: hourMs / 12, maxMs: 90 * 24 * hourMs },
        },
      ),
    )
    .addOption(
      new Option('--root-days <days>', 'how long its roots are valid').argParser(parseDays).default(1825),
    )
    .addHelpText(
      'after',
      helpEnd({
        exits: '0 made; 2 there is one already, or the folder cannot be written.',
        examples: [
          'isthmus ca init --dir /var/lib/isthmus-ca --idc sh-a \\',
          '  --trust-domain sh-a.example',
        ],
      }),
    )
    .action(
      async (flags: Folder & { idc: string; trustDomain: string; leafTtl: number; rootDays: number }) => {
        const { initAuthority } = await import('../../../trust/ca/authority.ts');
        const { dir, idc, trustDomain, leafTtl, rootDays } = flags;
        await initAuthority(dir, { idc, trustDomain, leafMs: leafTtl, rootDays }, systemClock.wall());
        const { pin } = await withAuthority(dir, (authority) => authority.status(systemClock.wall()));
        process.stdout.write(`authority of ${idc}, trust domain ${trustDomain}: ${dir}\nroot ${pin}\n`);
      },
    );
}

function serveCaCommand(): Command {
  return new Command('serve')
    .summary('issue and renew certificates')
    .description(
      'Serve an authority over TLS until SIGTERM or SIGINT: proxies and control planes join with a token, once, and renew by their certificate. Logs are JSON lines on stderr, one for each certificate. While it is away, all go on with what they have.',
    )
    .addOption(caFolderOption())
    .addOption(
      new Option('--listen <host:port>', 'where it is asked')
        .argParser((text: string) => parseAddress(text))
        .default({ address: '127.0.0.1', port: 15016 }, '127.0.0.1:15016'),
    )
    .addHelpText(
      'after',
      helpEnd({
        exits: '0 ended by a signal; 2 it could not start.',
        examples: ['isthmus ca serve --dir /var/lib/isthmus-ca --listen 10.1.0.9:15016'],
      }),
    )
    .action(async ({ dir, listen }: Folder & { listen: ListenAddress }) => {
      const { serveCa } = await import('../../../trust/ca/ca-server.ts');
      const { createLogger } = await import('../../process/log.ts');
      const { untilStopped } = await import('../../process/stop-signals.ts');
      const logger = createLogger('info');
      try {
        const server = await serveCa({ folder: dir, listen, clock: systemClock, logger });
        logger.info('serving', { ca: showAddress({ ...listen, port: server.port }) });
        await untilStopped();
        await server.close();
      } finally {
        await logger.close();
      }
    });
}

function tokenCommand(): Command {
  return new Command('token')
    .summary('make a token with which one identity joins, once')
    .description(
      'Print a join token for one identity: with it `isthmus identity` gets the first certificate. It can be used once; for the same key again, as an answer may be lost. Only a hash of it is stored. What pins the root, for --ca-hash, is on stderr.',
    )
    .addOption(caFolderOption())
    .addOption(identityOption('who joins'))
    .addOption(
      durationOption('--ttl <duration>', 'how long it can be used', '10m', {
        minMs: 60_000,
        maxMs: 24 * hourMs,
      }),
    )
    .addHelpText(
      'after',
      helpEnd({
        exits: '0 made; 2 the identity is none of this authority.',
        examples: [
          'isthmus ca token --dir /var/lib/isthmus-ca \\',
          '  --id spiffe://sh-a.example/idc/sh-a/sidecar/caller-1 > token',
        ],
      }),
    )
    .action(({ dir, id, ttl }: Folder & { id: Identity; ttl: number }) =>
      withAuthority(dir, (authority) => {
        const now = systemClock.wall();
        process.stdout.write(`${authority.makeToken(formatIdentity(id), ttl, now)}\n`);
        process.stderr.write(`--ca-hash ${authority.status(now).pin}\n`);
      }),
    );
}

function listCommand(): Command {
  return new Command('list')
    .summary('list roots, and who has a certificate')
    .description('List the roots of an authority, and the last certificate of each identity.')
    .addOption(caFolderOption())
    .addOption(outputOption('output format', ['table', 'json', 'yaml']))
    .addHelpText(
      'after',
      helpEnd({
        exits: '0 listed; 2 there is no authority.',
        examples: ['isthmus ca list --dir /var/lib/isthmus-ca'],
      }),
    )
    .action(async ({ dir, output }: Folder & { output: OutputFormat }) => {
      const now = systemClock.wall();
      const status = await withAuthority(dir, (authority) => authority.status(now));
      const { caListText } = await import('../../trust/ca-text.ts');
      process.stdout.write(
        isData(output) ? dataText(status satisfies CaStatus, output) : caListText(status, now),
      );
    });
}

function revokeCommand(): Command {
  return new Command('revoke')
    .summary('give an identity no further certificates')
    .description(
      'Give an identity no further certificate until it joins with a new token. The one that it has is valid to its end: hours, by --leaf-ttl.',
    )
    .addOption(caFolderOption())
    .addOption(identityOption('who'))
    .addHelpText(
      'after',
      helpEnd({
        exits: '0 done; 2 it has no certificate.',
        examples: [
          'isthmus ca revoke --dir /var/lib/isthmus-ca \\',
          '  --id spiffe://sh-a.example/idc/sh-a/sidecar/caller-1',
        ],
      }),
    )
    .action(({ dir, id }: Folder & { id: Identity }) =>
      withAuthority(dir, (authority) => authority.revoke(formatIdentity(id), systemClock.wall())),
    );
}

function parseDays(text: string): number {
  const days = Number(text);
  if (Number.isInteger(days) && days >= 1 && days <= 7_300) return days;
  throw new InvalidArgumentError(`'${text}' is no number of days: give 1 to 7300.`);
}
