import { Command, Option } from 'commander';
import { exitCode } from '../../base/exit.ts';
import { packageVersion } from '../../base/package/version.ts';
import { textTable } from '../../base/text/text-table.ts';
import type { ListenAddress } from '../../model/values/listen-address.ts';
import { askEach } from '../ask-each.ts';
import { helpEnd } from '../help-end.ts';
import { optionalAdminOption } from '../options/admin.ts';
import { type Versions, versionsOf } from '../version-skew.ts';

interface Flags {
  readonly admin?: readonly ListenAddress[];
  readonly output: 'text' | 'json';
}

/** `isthmus version`: which version runs where. */
export function versionCommand(): Command {
  return new Command('version')
    .summary('show versions: of this command, control planes and proxies')
    .description(
      'Show the version of this command and of Node.js. With --admin or ISTHMUS_ADMIN also the versions of these control planes and of the proxies connected to them, and where versions do not fit together.',
    )
    .addOption(optionalAdminOption())
    .addOption(new Option('-o, --output <format>', 'output format').choices(['text', 'json']).default('text'))
    .addHelpText(
      'after',
      helpEnd({
        exits:
          '0 shown, and all versions fit; 1 they do not, or one of several control planes does not answer; 2 none answers.',
        examples: ['isthmus version', 'isthmus version --admin 10.1.0.9:15014,10.2.0.9:15014'],
      }),
    )
    .action(show);
}

async function show({ admin = [], output }: Flags): Promise<void> {
  const replies = admin.length === 0 ? [] : await askAll(admin);
  const versions = versionsOf(packageVersion, replies);
  const errors = replies.flatMap(({ admin: at, ...rest }) =>
    'error' in rest ? [{ admin: at, message: rest.error.message }] : [],
  );
  const own = { isthmus: packageVersion, node: process.versions.node };
  process.stdout.write(
    output === 'json'
      ? `${JSON.stringify({ ...own, ...versions, errors }, null, 2)}\n`
      : `isthmus ${own.isthmus}, Node.js ${own.node}\n${versionsText(versions)}`,
  );
  for (const { message } of errors) process.stderr.write(`isthmus: ${message}\n`);
  if (errors.length > 0 || versions.skew.length > 0) process.exitCode = exitCode.failed;
}

async function askAll(admin: readonly ListenAddress[]) {
  // Loaded only now: without an address nobody is asked.
  const { askStatus } = await import('../../client/status-client.ts');
  return askEach(admin, askStatus);
}

function versionsText({ planes, clients, skew }: Versions): string {
  const blocks = [
    planes.length === 0
      ? []
      : textTable([
          ['CONTROL PLANE', 'IDC', 'ISTHMUS'],
          ...planes.map(({ admin, idc, version }) => [admin, idc, version ?? 'unknown']),
        ]),
    clients.length === 0
      ? []
      : textTable([
          ['PROXY', 'VERSION', 'IDC', 'CONNECTED'],
          ...clients.map(({ name, version, idc, nodes }) => [name, version, idc, String(nodes.length)]),
        ]),
    skew.map((words) => `! ${words}`),
  ];
  return blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => `\n${lines.join('\n')}\n`)
    .join('');
}
