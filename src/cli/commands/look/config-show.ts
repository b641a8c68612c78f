import { Command, InvalidArgumentError, Option } from 'commander';
import type { MeshError } from '../../../base/error.ts';
import { exitCode } from '../../../base/exit.ts';
import { didYouMean } from '../../../base/text/suggest.ts';
import { askConfig, type ConfigAnswer } from '../../../client/config-client.ts';
import type { ListenAddress } from '../../../model/values/listen-address.ts';
import { pushOrder } from '../../../xds/resource-types.ts';
import { type AdminReply, errorText, textsByAdmin } from '../../ask-each.ts';
import { askEveryIdc, notAskedText } from '../../ask-idcs.ts';
import { configText } from '../../config-text.ts';
import { helpEnd } from '../../help-end.ts';
import { adminOption } from '../../options/admin.ts';
import { allIdcsOption } from '../../options/all-idcs.ts';
import { isData, type OutputFormat, outputOption } from '../../options/output.ts';
import { type Look, showLook, watchOption } from '../../show/show.ts';

interface Flags {
  readonly admin: readonly ListenAddress[];
  readonly type?: string;
  readonly name?: string;
  readonly allIdcs?: boolean;
  readonly watch?: boolean;
  readonly output: OutputFormat;
}

const types = pushOrder.map(({ short }) => short.toLowerCase());

/** A type in any case. */
function parseType(text: string): string {
  const type = text.toLowerCase();
  if (types.includes(type)) return type;
  throw new InvalidArgumentError(
    `no type is named '${text}': there are ${types.join(', ')}.${didYouMean(type, types)}`,
  );
}

/** `isthmus config show NODE`, or without `show`: what a proxy was sent and has acknowledged. */
export function configShowCommand(): Command {
  return new Command('show')
    .summary('show what a proxy was sent and has acknowledged (the default)')
    .description(
      'Show the resources of a proxy as its control plane has them: what it was sent, which version it has acknowledged, what it refused, and what it has asked for and nobody has. `show` may be left out.',
    )
    .argument('<node>', 'node id of the proxy')
    .addOption(adminOption())
    .addOption(allIdcsOption('wherever the proxy is connected'))
    .addOption(watchOption())
    .addOption(new Option('--type <type>', 'only of this type').choices(types).argParser(parseType))
    .option('--name <name>', 'only the resource of this name')
    .addOption(
      outputOption(
        'output format; wide: with whole versions; json and yaml: with the resources themselves, a list with one entry for each control plane that has the proxy',
      ),
    )
    .addHelpText(
      'after',
      `
States:
  SYNCED    the proxy has acknowledged the newest
  STALE     a newer version is on its way, or the removal
  NACKED    the proxy refused it
  NOT SENT  it is due, and not sent yet
  ABSENT    the proxy has asked for it, and there is none
${helpEnd({
  exits:
    '0 the proxy has acknowledged all that is shown; 1 it has not, or one of several control planes does not answer; 2 none answers, or the proxy is connected to none, or it has no such resource.',
  examples: ['isthmus config egress-1 --admin 10.1.0.9:15014', 'isthmus config egress-1 --type cds -o json'],
})}`,
    )
    .action(showConfig);
}

function showConfig(node: string, flags: Flags): Promise<void> {
  return showLook(flags, () => look(node, flags));
}

async function look(node: string, flags: Flags): Promise<Look> {
  const { admin, type, name, output, allIdcs } = flags;
  const contents = isData(output);
  const ask = (where: ListenAddress) => askConfig(where, node, { type, name, contents });
  const { told, unknown } = await askEveryIdc(admin, allIdcs === true, ask);
  const found = told.flatMap((one) => ('reply' in one ? [{ admin: one.admin, ...one.reply }] : []));
  const silent = told.filter(isSilent);
  const isWhole = found.every(({ resources }) => resources.every(({ state }) => state === 'SYNCED'));
  return {
    data: found,
    text: (width) => textsByAdmin(found, (one) => configText(one, width)),
    notes: [
      ...silent.map((one) => `isthmus: ${errorText(one)}`),
      ...unknown.map((idc) => `! ${notAskedText(idc)}`),
    ],
    code: isWhole && silent.length + unknown.length === 0 ? exitCode.ok : exitCode.failed,
  };
}

/** Whether a control plane has not answered; that the proxy is not connected to it is an answer. */
function isSilent(
  one: AdminReply<ConfigAnswer>,
): one is { readonly admin: string; readonly error: MeshError } {
  return 'error' in one && one.error.code !== 'not-found';
}
