import { Command } from 'commander';
import { keepProcess, sleep, systemClock } from '../../../base/clock.ts';
import { MeshError } from '../../../base/error.ts';
import { exitCode } from '../../../base/exit.ts';
import { askWho, type WhoAnswer } from '../../../client/who-client.ts';
import type { ListenAddress } from '../../../model/values/listen-address.ts';
import { listReplies } from '../../ask-each.ts';
import { askIdcs, type IdcReplies, notAskedText } from '../../ask-idcs.ts';
import { helpEnd } from '../../help-end.ts';
import { adminOption } from '../../options/admin.ts';
import { durationOption } from '../../options/duration.ts';
import { dataText, isData, type OutputFormat, outputOption } from '../../options/output.ts';
import { whoText } from '../../who/who-text.ts';

interface Flags {
  readonly admin: readonly ListenAddress[];
  readonly allIdcs?: boolean;
  /** Milliseconds. */
  readonly for: number;
  readonly watch?: boolean;
  readonly output: OutputFormat;
}

type Look = IdcReplies<WhoAnswer>;

/** `isthmus who HOST`: who serves a host. */
export function whoCommand(): Command {
  return new Command('who')
    .summary('show who serves a host now, and who takes over next')
    .description(
      'Show who serves a host now, as its proxies see it: instances with health and its reason, priority and share of requests, the IDC that takes over next, and whether requests are evacuated, returning or limited. The control plane reads the clusters of the connected Envoys twice and counts what they sent in between.',
    )
    .argument('<host>', 'a host as requests name it, such as checkout.shop, or with its port')
    .addOption(adminOption())
    .option(
      '--all-idcs',
      'as the other IDCs see it, too: asks their control planes at the addresses in spec.controlPlanes of each Idc',
    )
    .addOption(
      durationOption('--for <duration>', 'how long requests are counted', '2s', { minMs: 0, maxMs: 30_000 }),
    )
    .option('-w, --watch', 'show it again and again, until Ctrl-C')
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
    .action(show);
}

async function show(host: string, flags: Flags): Promise<void> {
  const isWatched = flags.watch === true;
  const clearScreen = isWatched && process.stdout.isTTY ? '\x1b[2J\x1b[H' : '';
  if (isWatched) keepProcess();
  for (;;) {
    const [text, code] = await lookOnce(host, flags).catch((reason): [string, number] => {
      // The control plane may be restarting, which is what the user watches.
      if (!isWatched) throw reason;
      return [`${MeshError.from(reason).message}\n`, exitCode.unusable];
    });
    process.stdout.write(`${clearScreen}${text}`);
    if (!isWatched) {
      process.exitCode = code;
      return;
    }
    // Answers come after the interval: only what fails at once is asked again too soon.
    if (code === exitCode.unusable || flags.for < 500) await sleep(systemClock, 1_000);
    if (clearScreen === '') process.stdout.write('\n');
  }
}

async function lookOnce(host: string, flags: Flags): Promise<[string, number]> {
  const ask = (where: ListenAddress) => askWho(where, host, flags.for);
  const look = await askIdcs(flags.admin, flags.allIdcs === true, ask);
  return [textOf(look, flags.output), codeOf(look)];
}

function textOf({ told, unknown }: Look, output: OutputFormat): string {
  if (isData(output)) return dataText(listReplies(told), output);
  const texts = told.map((one) =>
    'reply' in one ? whoText(one.reply, output) : `! ${one.admin}: ${one.error.message}\n`,
  );
  const missing = unknown.map((idc) => `! ${notAskedText(idc)}\n`);
  return [...texts, ...missing].join('\n');
}

/** The worst of all. */
function codeOf({ told, unknown }: Look): number {
  const served = told.flatMap((one) => ('reply' in one ? one.reply.groups.map((group) => group.served) : []));
  if (served.includes('nobody')) return exitCode.unserved;
  if (served.includes('unknown') || served.length === 0) return exitCode.unusable;
  const isWhole = unknown.length === 0 && told.every((one) => 'reply' in one);
  return served.includes('away') || !isWhole ? exitCode.failed : exitCode.ok;
}
