import { Command } from 'commander';
import { MeshError } from '../../base/error.ts';
import { exitCode } from '../../base/exit.ts';
import { packageVersion } from '../../base/package/version.ts';
import { textTable } from '../../base/text/text-table.ts';
import type { ListenAddress } from '../../model/values/listen-address.ts';
import { helpEnd } from '../help-end.ts';
import { optionalAdminOption } from '../options/admin.ts';
import { allIdcsOption } from '../options/all-idcs.ts';
import { type OutputFormat, outputOption } from '../options/output.ts';
import { type Look, showLook, watchOption } from '../show/show.ts';
import { type Versions, versionsOf } from '../version-skew.ts';

interface Flags {
  readonly admin?: readonly ListenAddress[];
  readonly allIdcs?: boolean;
  readonly watch?: boolean;
  readonly output: OutputFormat;
}

/** `isthmus version`: which version runs where. */
export function versionCommand(): Command {
  return new Command('version')
    .summary('show versions: of this command, control planes and proxies')
    .description(
      'Show the version of this command and of Node.js. With --admin or ISTHMUS_ADMIN also the versions of these control planes and of the proxies connected to them, and where versions do not fit together.',
    )
    .addOption(optionalAdminOption())
    .addOption(allIdcsOption('in the other IDCs, too'))
    .addOption(watchOption())
    .addOption(outputOption('output format; wide: with the node ids of the proxies'))
    .addHelpText(
      'after',
      helpEnd({
        exits:
          '0 shown, and all versions fit; 1 they do not, or one of several control planes does not answer; 2 none answers.',
        examples: ['isthmus version', 'isthmus version --admin 10.1.0.9:15014,10.2.0.9:15014'],
      }),
    )
    .action(version);
}

function version(flags: Flags): Promise<void> {
  if (flags.admin === undefined && (flags.allIdcs === true || flags.watch === true))
    throw new MeshError('invalid', 'without --admin or ISTHMUS_ADMIN there is no control plane to ask');
  return showLook(flags, () => look(flags));
}

async function look({ admin = [], allIdcs = false }: Flags): Promise<Look> {
  const { told, missing } = admin.length === 0 ? { told: [], missing: [] } : await askAll(admin, allIdcs);
  const versions = versionsOf(packageVersion, told);
  const errors = told.flatMap(({ admin: at, ...rest }) =>
    'error' in rest ? [{ admin: at, message: rest.error.message }] : [],
  );
  const own = { isthmus: packageVersion, node: process.versions.node };
  const isWhole = errors.length + missing.length + versions.skew.length === 0;
  return {
    data: { ...own, ...versions, errors },
    text: (width) => `isthmus ${own.isthmus}, Node.js ${own.node}\n${versionsText(versions, width)}`,
    notes: [...errors.map(({ message }) => `isthmus: ${message}`), ...missing],
    code: isWhole ? exitCode.ok : exitCode.failed,
  };
}

async function askAll(admin: readonly ListenAddress[], allIdcs: boolean) {
  // Loaded only now: without an address nobody is asked.
  const { askStatus } = await import('../../client/status-client.ts');
  const { askIdcs, notAskedText } = await import('../ask-idcs.ts');
  const { told, unknown } = await askIdcs(admin, allIdcs, askStatus);
  return { told, missing: unknown.map((idc) => `! ${notAskedText(idc)}`) };
}

function versionsText({ planes, clients, skew }: Versions, width: 'table' | 'wide'): string {
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
          ['PROXY', 'VERSION', 'IDC', 'CONNECTED', ...(width === 'wide' ? ['NODES'] : [])],
          ...clients.map(({ name, version, idc, nodes }) => [
            ...[name, version, idc, String(nodes.length)],
            ...(width === 'wide' ? [nodes.join(', ')] : []),
          ]),
        ]),
    skew.map((words) => `! ${words}`),
  ];
  return blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => `\n${lines.join('\n')}\n`)
    .join('');
}
