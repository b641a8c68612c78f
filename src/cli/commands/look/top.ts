import { Command, Option } from 'commander';
import { exitCode } from '../../../base/exit.ts';
import { askOnce } from '../../../client/api-client.ts';
import type { ListenAddress } from '../../../model/values/listen-address.ts';
import { errorText, listReplies } from '../../ask-each.ts';
import { askIdcs, type IdcReplies, notAskedText } from '../../ask-idcs.ts';
import { helpEnd } from '../../help-end.ts';
import { adminOption } from '../../options/admin.ts';
import { parseCount } from '../../options/argument.ts';
import { durationOption } from '../../options/duration.ts';
import { isData, type OutputFormat, outputOption } from '../../options/output.ts';
import { type Look, showLook, watchOption } from '../../show/show.ts';
import { sortedHosts, type TopAnswer, type TopOrder, topOrders, topText } from '../../top/top-text.ts';

interface Flags {
  readonly admin: readonly ListenAddress[];
  readonly allIdcs?: boolean;
  /** Milliseconds. */
  readonly for: number;
  readonly sort: TopOrder;
  readonly limit: number;
  readonly watch?: boolean;
  readonly output: OutputFormat;
}

type Replies = IdcReplies<TopAnswer>;

/** Time that readings may take besides their interval, in milliseconds. */
const readMsMax = 10_000;

/** `isthmus top`: hosts and proxies by load. */
export function topCommand(): Command {
  return new Command('top')
    .summary('show hosts and proxies by load: requests, failures, times, in flight')
    .description(
      'Show hosts and proxies by load, as the Envoys of an IDC count it: requests a second, failures, times, requests in flight, and which IDC serves them. The control plane reads the statistics of the connected Envoys twice.',
    )
    .addOption(adminOption())
    .option(
      '--all-idcs',
      'of the other IDCs, too: asks their control planes at the addresses in spec.controlPlanes of each Idc',
    )
    .addOption(
      durationOption(
        '--for <duration>',
        'how long requests are counted; Envoys merge times every 5 s',
        '5s',
        { minMs: 100, maxMs: 60_000 },
      ),
    )
    .addOption(
      new Option('--sort <by>', 'what hosts are sorted by, the largest first')
        .choices(topOrders)
        .default('requests'),
    )
    .option('--limit <number>', 'most hosts, and most proxies, in a table', parseCount, 20)
    .addOption(watchOption())
    .addOption(
      outputOption(
        'output format; wide: with counts; json and yaml: a list with one entry for each control plane, with all hosts',
      ),
    )
    .addHelpText(
      'after',
      helpEnd({
        exits:
          '0 shown; 1 shown, but some control plane does not answer, or is not known; 2 nothing is known: no control plane answers, or no proxy could be read.',
        examples: [
          'isthmus top --admin 10.1.0.9:15014 --all-idcs --watch',
          'isthmus top --sort failures --for 10s',
        ],
      }),
    )
    .action(show);
}

function show(flags: Flags): Promise<void> {
  const query = { for: `${flags.for}ms` };
  const call = { query, timeoutMs: flags.for + readMsMax, heldMs: flags.for };
  const ask = (where: ListenAddress) => askOnce(where, 'getTop', call);
  return showLook(flags, async (): Promise<Look> => {
    const replies = await askIdcs(flags.admin, flags.allIdcs === true, ask);
    const missing = replies.unknown.map((idc) => `! ${notAskedText(idc)}`);
    return {
      data: listReplies(replies.told.map((one) => sortedReply(one, flags.sort))),
      text: (width) => textOf(replies, width, flags),
      notes: isData(flags.output) ? missing : [],
      code: codeOf(replies),
    };
  });
}

function sortedReply(one: Replies['told'][number], order: TopOrder): Replies['told'][number] {
  return 'reply' in one
    ? { ...one, reply: { ...one.reply, hosts: sortedHosts(one.reply.hosts, order) } }
    : one;
}

function textOf({ told, unknown }: Replies, width: 'table' | 'wide', { sort, limit }: Flags): string {
  const texts = told.map((one) =>
    'reply' in one ? topText(one.reply, { width, order: sort, limit }) : `! ${errorText(one)}\n`,
  );
  return [...texts, ...unknown.map((idc) => `! ${notAskedText(idc)}\n`)].join('\n');
}

function codeOf({ told, unknown }: Replies): number {
  const read = told.flatMap((one) => ('reply' in one ? one.reply.proxies : []));
  if (read.length === 0) return exitCode.unusable;
  return unknown.length === 0 && told.every((one) => 'reply' in one) ? exitCode.ok : exitCode.failed;
}
