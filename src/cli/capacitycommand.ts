import { Command, InvalidArgumentError, Option } from 'commander';
import { sleep, systemClock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { ListenAddress } from '../model/node.ts';
import { addAddress, showAddress } from './address.ts';
import { type LoadLook, loadStats, loadText, readLoad, summarizeLoad } from './capacity-seen.ts';
import { callHttp } from './http-call.ts';

interface Flags {
  readonly proxy: readonly ListenAddress[];
  readonly seconds: number;
  readonly output: 'text' | 'json';
}

/** Between two looks, and the longest that one may take, in milliseconds. */
const [lookMs, answerMsMax] = [250, 5_000];

/** `isthmus capacity`: what instances have in work, as Envoys count it. */
export function capacityCommand(): Command {
  return new Command('capacity')
    .summary('show how many requests instances have in work, to declare what they bear')
    .description(
      'Ask Envoys, by their admin interfaces, how many requests they have in work at the instances of each Group, and show for each instance the most that was seen: what it bears at least. It is for `capacity.concurrentPerInstance` of a DrGroup or Idc, which bounds what an IDC takes from others.',
    )
    .addOption(
      new Option(
        '--proxy <host:port>',
        'admin address of an Envoy of the IDC, as `isthmus bootstrap --admin` set it; may be given more than once',
      )
        .argParser(addAddress)
        .makeOptionMandatory(),
    )
    .option('--seconds <n>', 'for how long, 1 to 3600', parseSeconds, 10)
    .addOption(new Option('-o, --output <format>', 'output format').choices(['text', 'json']).default('text'))
    .action(show);
}

async function show({ proxy, seconds, output }: Flags): Promise<void> {
  const looks: LoadLook[][] = [];
  const until = systemClock.now() + seconds * 1000;
  // The clock's timers let a process end.
  const alive = new MessageChannel();
  alive.port1.ref();
  try {
    do {
      looks.push((await Promise.all(proxy.map(ask))).flat());
      await sleep(systemClock, lookMs);
    } while (systemClock.now() < until);
  } finally {
    alive.port1.close();
  }
  const seen = summarizeLoad(looks);
  process.stdout.write(
    output === 'json' ? `${JSON.stringify(seen, null, 2)}\n` : loadText(seen, seconds, proxy.length),
  );
}

async function ask(at: ListenAddress): Promise<LoadLook[]> {
  const path = `/stats?filter=${encodeURIComponent(loadStats)}`;
  try {
    const { status, text } = await callHttp({ at, path, silenceMsMax: answerMsMax });
    if (status === 200) return readLoad(text);
    throw new Error(`it answers ${status}`);
  } catch (cause) {
    const message = `no Envoy's admin interface at ${showAddress(at)}: ${(cause as Error).message}. Give that of a sidecar or ingress with --proxy`;
    throw new MeshError('unavailable', message, { cause });
  }
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= 3_600) return seconds;
  throw new InvalidArgumentError(`'${text}' is no number of seconds: give 1 to 3600.`);
}
