import { Command } from 'commander';
import { keepProcess, sleep, systemClock } from '../../../base/clock.ts';
import { MeshError } from '../../../base/error.ts';
import { exitCode } from '../../../base/exit.ts';
import { askNode, askProblems, askStatus } from '../../../client/status-client.ts';
import { askServed } from '../../../client/who-client.ts';
import type { ListenAddress } from '../../../model/values/listen-address.ts';
import { type AdminReply, askEach, listReplies } from '../../ask-each.ts';
import { helpEnd } from '../../help-end.ts';
import { adminOption } from '../../options/admin.ts';
import { dataText, isData, type OutputFormat, outputOption } from '../../options/output.ts';
import { nodeText, overviewsText } from '../../status-text.ts';
import { isRefusing, isWell, type Overview } from '../../status-verdict.ts';

interface Flags {
  readonly admin: readonly ListenAddress[];
  readonly watch?: boolean;
  readonly output: OutputFormat;
}

/** The text, and whether all control planes have answered and nothing is wrong. */
interface Look {
  readonly text: string;
  readonly isWell: boolean;
}

/** Interval of `--watch`, in milliseconds. */
const watchMs = 2_000;

/** `isthmus status [NODE]`: the configuration of each proxy. */
export function statusCommand(): Command {
  return new Command('status')
    .summary('show which proxy has which configuration, and since when')
    .description(
      'Show whether the control plane is ready, which proxies are in sync, the reasons of refusals by Envoy, slow pushes, hosts that another IDC serves or nobody, gateways that are missing, and problems of the registry. With NODE: one proxy in full, with the names of resources that it has not accepted. Each proxy is shown by the control plane that it is connected to: give --admin for each control plane.',
    )
    .argument('[node]', 'node id of a proxy')
    .addOption(adminOption())
    .option('-w, --watch', `show it again every ${watchMs / 1000} s, until Ctrl-C`)
    .addOption(
      outputOption(
        'output format; wide: with versions, and connected since; json and yaml: everything, with several --admin a list with one entry for each',
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
    '0 all is well; 1 a control plane is not ready or does not answer, a proxy refuses something, a gateway of the Idc is not connected, proxies share a node id, or nobody serves a host; 2 no control plane answers, or NODE is connected to none.',
  examples: ['isthmus status --admin 10.1.0.9:15014', 'isthmus status -o json || page-somebody'],
})}`,
    )
    .action(show);
}

async function show(node: string | undefined, flags: Flags): Promise<void> {
  const clearScreen = flags.watch === true && process.stdout.isTTY ? '\x1b[2J\x1b[H' : '';
  if (flags.watch === true) keepProcess();
  for (;;) {
    let seen: Look;
    try {
      seen = node === undefined ? await lookAtAll(flags) : await lookAtNode(node, flags);
    } catch (reason) {
      if (flags.watch !== true) throw reason;
      // It may be restarting, which is what the user watches for.
      seen = { text: `${MeshError.from(reason).message}\n`, isWell: false };
    }
    process.stdout.write(`${clearScreen}${seen.text}`);
    if (flags.watch !== true) {
      if (!seen.isWell) process.exitCode = exitCode.failed;
      return;
    }
    await sleep(systemClock, watchMs);
    if (clearScreen === '') process.stdout.write('\n');
  }
}

async function lookAtAll({ admin, output }: Flags): Promise<Look> {
  const replies = await askEach(admin, async (where): Promise<Overview> => {
    const [status, problems, served] = await Promise.all([
      askStatus(where),
      askProblems(where),
      askServed(where),
    ]);
    return { status, problems, ...(served === undefined ? {} : { served }) };
  });
  const text = isData(output)
    ? dataText(dataOf(replies), output)
    : overviewsText(replies, systemClock.wall(), output);
  return { text, isWell: isWell(replies) };
}

async function lookAtNode(node: string, { admin, output }: Flags): Promise<Look> {
  const replies = await askEach(admin, (where) => askNode(where, node));
  // A control plane that does not have the node has answered too.
  const isWell = replies.every((one) =>
    'reply' in one ? !one.reply.some(isRefusing) : one.error.code === 'not-found',
  );
  if (isData(output)) return { text: dataText(dataOf(replies), output), isWell };
  const texts = replies.flatMap((one) => {
    if ('reply' in one) {
      const text = nodeText(one.reply, systemClock.wall());
      return replies.length === 1 ? text : `At the control plane ${one.admin}:\n${text}`;
    }
    return one.error.code === 'not-found' ? [] : `! ${one.error.message}\n`;
  });
  return { text: texts.join('\n'), isWell };
}

/** What JSON and YAML contain: for one control plane its answer, for several a list with their addresses. */
function dataOf<T extends object>(replies: readonly AdminReply<T>[]): unknown {
  const [one] = replies;
  if (replies.length === 1 && one !== undefined && 'reply' in one) return one.reply;
  return listReplies(
    replies.map(
      (each): AdminReply<object> =>
        'reply' in each && Array.isArray(each.reply) ? { ...each, reply: { streams: each.reply } } : each,
    ),
  );
}
