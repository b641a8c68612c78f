import { Command } from 'commander';
import { exitCode } from '../../../base/exit.ts';
import { askWho, type WhoAnswer } from '../../../client/who-client.ts';
import type { ListenAddress } from '../../../model/values/listen-address.ts';
import { errorText, listReplies } from '../../ask-each.ts';
import { askIdcs, type IdcReplies, notAskedText } from '../../ask-idcs.ts';
import { helpEnd } from '../../help-end.ts';
import { adminOption } from '../../options/admin.ts';
import { allIdcsOption } from '../../options/all-idcs.ts';
import { durationOption } from '../../options/duration.ts';
import { isData, type OutputFormat, outputOption } from '../../options/output.ts';
import { type Look, showLook, watchOption } from '../../show/show.ts';
import { whoText } from '../../who/who-text.ts';

interface Flags {
  readonly admin: readonly ListenAddress[];
  readonly allIdcs?: boolean;
  /** Milliseconds. */
  readonly for: number;
  readonly watch?: boolean;
  readonly output: OutputFormat;
}

type Replies = IdcReplies<WhoAnswer>;

/** `isthmus who HOST`: who serves a host. */
export function whoCommand(): Command {
  return new Command('who')
    .summary('show who serves a host now, and who takes over next')
    .description(
      'Show who serves a host now, as its proxies see it: instances with health and its reason, priority and share of requests, the IDC that takes over next, and whether requests are evacuated, returning or limited. The control plane reads the clusters of the connected Envoys twice and counts what they sent in between.',
    )
    .argument('<host>', 'a host as requests name it, such as checkout.shop, or with its port')
    .addOption(adminOption())
    .addOption(allIdcsOption('as the other IDCs see it, too'))
    .addOption(
      durationOption('--for <duration>', 'how long requests are counted', '2s', { minMs: 0, maxMs: 30_000 }),
    )
    .addOption(watchOption())
    .addOption(
      outputOption(
        'output format; wide: with counts, zones and WorkloadEntries; json and yaml: a list with one entry for each control plane',
      ),
    )
    .addHelpText(
      'after',
      helpEnd({
        exits:
          '0 each IDC asked serves it itself; 1 some IDC has it served by another, or one of several control planes does not answer; 2 nobody can tell: no control plane or no proxy answers, or the host is not declared; 3 in some IDC nobody serves it.',
        examples: [
          'isthmus who checkout.shop --admin 10.1.0.9:15014 --all-idcs',
          'isthmus who checkout.shop -o json || page-somebody',
        ],
      }),
    )
    .action(who);
}

function who(host: string, flags: Flags): Promise<void> {
  const { admin, allIdcs, for: forMs, output } = flags;
  return showLook(flags, async (): Promise<Look> => {
    const ask = (where: ListenAddress) => askWho(where, host, forMs);
    const replies = await askIdcs(admin, allIdcs === true, ask);
    const missing = replies.unknown.map((idc) => `! ${notAskedText(idc)}`);
    return {
      data: listReplies(replies.told),
      text: (width) => textOf(replies, width),
      notes: isData(output) ? missing : [],
      facts: factsOf(replies),
      code: codeOf(replies),
    };
  });
}

function textOf({ told, unknown }: Replies, width: 'table' | 'wide'): string {
  const texts = told.map((one) => ('reply' in one ? whoText(one.reply, width) : `! ${errorText(one)}\n`));
  const missing = unknown.map((idc) => `! ${notAskedText(idc)}\n`);
  return [...texts, ...missing].join('\n');
}

/** What is a change: not how many requests there were meanwhile. */
function factsOf({ told }: Replies): unknown {
  return told.map((one) =>
    'reply' in one
      ? one.reply.groups.map(({ requests: _, awayShare: __, instances, next, ...group }) => ({
          ...group,
          instances: instances.map(withoutCounts),
          next: next.map((idc) => ({ ...idc, gateways: idc.gateways.map(withoutCounts) })),
        }))
      : one.error.message,
  );
}

function withoutCounts<T extends { readonly requests: number; readonly active: number }>(host: T): object {
  const { requests: _, active: __, share: ___, ...rest } = host as T & { readonly share?: number };
  return rest;
}

/** The worst of all. */
function codeOf({ told, unknown }: Replies): number {
  const served = told.flatMap((one) => ('reply' in one ? one.reply.groups.map((group) => group.served) : []));
  if (served.includes('nobody')) return exitCode.unserved;
  if (served.includes('unknown') || served.length === 0) return exitCode.unusable;
  const isWhole = unknown.length === 0 && told.every((one) => 'reply' in one);
  return served.includes('away') || !isWhole ? exitCode.failed : exitCode.ok;
}
