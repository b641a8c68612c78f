import { Command } from 'commander';
import { systemClock } from '../../../base/clock.ts';
import { exitCode } from '../../../base/exit.ts';
import { askNode, askProblems, askStatus } from '../../../client/status-client.ts';
import { askServed } from '../../../client/who-client.ts';
import { type ListenAddress, showAddress } from '../../../model/values/listen-address.ts';
import { type AdminReply, listReplies } from '../../ask-each.ts';
import { askEveryIdc, askIdcs, notAskedText } from '../../ask-idcs.ts';
import { helpEnd } from '../../help-end.ts';
import { adminOption } from '../../options/admin.ts';
import { allIdcsOption } from '../../options/all-idcs.ts';
import { type OutputFormat, outputOption } from '../../options/output.ts';
import { type Look, showLook, watchOption } from '../../show/show.ts';
import { nodeText, overviewsText } from '../../status-text.ts';
import { isRefusing, isWell, type Overview } from '../../status-verdict.ts';

interface Flags {
  readonly admin: readonly ListenAddress[];
  readonly allIdcs?: boolean;
  readonly watch?: boolean;
  readonly output: OutputFormat;
}

/** `isthmus status [NODE]`: the configuration of each proxy. */
export function statusCommand(): Command {
  return new Command('status')
    .summary('show which proxy has which configuration, and since when')
    .description(
      'Show whether the control plane is ready, which proxies are in sync, the reasons of refusals by Envoy, slow pushes, hosts that another IDC serves or nobody, gateways that are missing, and problems of the registry. With NODE: one proxy in full, with the names of resources that it has not accepted. Each proxy is shown by the control plane that it is connected to: give --admin for each control plane, or --all-idcs.',
    )
    .argument('[node]', 'node id of a proxy')
    .addOption(adminOption())
    .addOption(allIdcsOption('those of the other IDCs, too'))
    .addOption(watchOption())
    .addOption(
      outputOption(
        'output format; wide: with versions, and connected since; json and yaml: everything, of several control planes a list with one entry for each',
      ),
    )
    .addHelpText(
      'after',
      `
States, by type of resource:
  SYNCED    has ACKed the newest
  STALE     newer state is in flight or waits: how long ago it was sent
  NACKED    refused it, and continues with what it had, if anything
  NOT SENT  requested, and not answered yet
${helpEnd({
  exits:
    '0 none of the following, though another IDC may serve hosts and there may be warnings; 1 a control plane is not ready or does not answer, there is a problem of severity error, a proxy refuses something, a gateway of the Idc is not connected, proxies share a node id or the address of a gateway, or nobody serves a host; 2 no control plane answers, or NODE is connected to none.',
  examples: ['isthmus status --admin 10.1.0.9:15014', 'isthmus status -o json || page-somebody'],
})}`,
    )
    .action(status);
}

function status(node: string | undefined, flags: Flags): Promise<void> {
  return showLook(flags, () => (node === undefined ? lookAtAll(flags) : lookAtNode(node, flags)));
}

async function lookAtAll({ admin, allIdcs = false }: Flags): Promise<Look> {
  /** When each status came, by address: who serves comes seconds later. */
  const heardAt = new Map<string, number>();
  const askState = async (where: ListenAddress) => {
    const status = await askStatus(where);
    heardAt.set(showAddress(where), systemClock.wall());
    return status;
  };
  const { told: replies, unknown } = await askIdcs(admin, allIdcs, async (where) => {
    const [status, problems, served] = await Promise.all([
      askState(where),
      askProblems(where),
      askServed(where),
    ]);
    const { idc, others } = status;
    return { idc, others, status, problems, ...(served === undefined ? {} : { served }) };
  });
  const overviews = replies.map((one): AdminReply<Overview> => {
    if (!('reply' in one)) return one;
    const { idc: _, others: __, ...overview } = one.reply;
    return { admin: one.admin, reply: overview };
  });
  return {
    data: dataOf(overviews, allIdcs),
    text: (width) => overviewsText(overviews, (one) => heardAt.get(one) ?? systemClock.wall(), width),
    notes: unknown.map((idc) => `! ${notAskedText(idc)}`),
    code: isWell(overviews) && unknown.length === 0 ? exitCode.ok : exitCode.failed,
  };
}

async function lookAtNode(node: string, { admin, allIdcs = false }: Flags): Promise<Look> {
  const { told: replies, unknown } = await askEveryIdc(admin, allIdcs, (where) => askNode(where, node));
  // A control plane that does not have the node has answered too.
  const isWell = replies.every((one) =>
    'reply' in one ? !one.reply.some(isRefusing) : one.error.code === 'not-found',
  );
  return {
    data: dataOf(replies, allIdcs),
    text: () => nodeTexts(replies),
    notes: unknown.map((idc) => `! ${notAskedText(idc)}`),
    code: isWell ? exitCode.ok : exitCode.failed,
  };
}

function nodeTexts(replies: readonly AdminReply<Awaited<ReturnType<typeof askNode>>>[]): string {
  const texts = replies.flatMap((one) => {
    if ('reply' in one) {
      const text = nodeText(one.reply, systemClock.wall());
      return replies.length === 1 ? text : `At the control plane ${one.admin}:\n${text}`;
    }
    return one.error.code === 'not-found' ? [] : `! ${one.error.message}\n`;
  });
  return texts.join('\n');
}

/** What JSON and YAML contain: for one control plane its answer, for several a list with their addresses. */
function dataOf<T extends object>(replies: readonly AdminReply<T>[], isList: boolean): unknown {
  const [one] = replies;
  if (!isList && replies.length === 1 && one !== undefined && 'reply' in one) return one.reply;
  return listReplies(
    replies.map(
      (each): AdminReply<object> =>
        'reply' in each && Array.isArray(each.reply) ? { ...each, reply: { streams: each.reply } } : each,
    ),
  );
}
