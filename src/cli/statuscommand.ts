import { Command, Option } from 'commander';
import { sleep, systemClock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { ListenAddress } from '../model/node.ts';
import { parseAddress, showAddress } from './address.ts';
import { nodeText, overviewText } from './statustext.ts';

interface Flags {
  readonly admin: ListenAddress;
  readonly watch?: boolean;
  readonly output: 'text' | 'wide' | 'json';
}

/** Time between two looks of `--watch`, and the longest that one may take, in milliseconds. */
const watchMs = 2_000;
const answerMsMax = 10_000;

/** `isthmus status [NODE]`: who has what, and since when. */
export function statusCommand(): Command {
  return new Command('status')
    .summary('show which proxy has which configuration, and since when')
    .description(
      'Show whether the control plane is ready, which proxies are in sync, what Envoy said to what it refused, pushes that were slow, and problems of the registry. With NODE: one proxy in full, and by name what it was sent and has not accepted.',
    )
    .argument('[node]', 'node id of a proxy')
    .addOption(
      new Option('--admin <host:port>', 'admin address of the control plane')
        .argParser((text: string) => parseAddress(text))
        .default({ address: '127.0.0.1', port: 15014 }, '127.0.0.1:15014'),
    )
    .option('-w, --watch', `show it again every ${watchMs / 1000} s, until Ctrl-C`)
    .addOption(
      new Option('-o, --output <format>', 'output format; wide: with versions, and connected since')
        .choices(['text', 'wide', 'json'])
        .default('text'),
    )
    .addHelpText(
      'after',
      `
States, by type of resource:
  SYNCED    has ACKed the newest
  STALE     newer state is on its way: how long ago it was sent
  NACKED    refused it, and goes on with what it had
  NOT SENT  asked, and was not answered yet`,
    )
    .action(show);
}

async function show(node: string | undefined, flags: Flags): Promise<void> {
  const clearScreen = flags.watch === true && process.stdout.isTTY ? '\x1b[2J\x1b[H' : '';
  const alive = flags.watch === true ? new MessageChannel() : undefined;
  alive?.port1.ref();
  for (;;) {
    let text: string;
    try {
      text = await look(node, flags);
    } catch (reason) {
      if (flags.watch !== true) throw reason;
      // It may be restarting: that is what one watches for.
      text = `${MeshError.from(reason).message}\n`;
    }
    process.stdout.write(`${clearScreen}${text}`);
    if (flags.watch !== true) return;
    await sleep(systemClock, watchMs);
    if (clearScreen === '') process.stdout.write('\n');
  }
}

async function look(node: string | undefined, flags: Flags): Promise<string> {
  const asJson = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  if (node !== undefined) {
    const streams = await ask(flags.admin, `/status?node=${encodeURIComponent(node)}`);
    return flags.output === 'json' ? asJson(streams) : nodeText(streams as never, systemClock.wall());
  }
  const [status, problems] = await Promise.all([ask(flags.admin, '/status'), ask(flags.admin, '/problems')]);
  const overview = { status, problems } as Parameters<typeof overviewText>[0];
  return flags.output === 'json'
    ? asJson(overview)
    : overviewText(overview, systemClock.wall(), flags.output);
}

async function ask(admin: ListenAddress, path: string): Promise<unknown> {
  const { request } = await import('undici');
  const where = showAddress(admin);
  let answer: { status: number; text: string };
  try {
    const response = await request(`http://${where}${path}`, {
      headersTimeout: answerMsMax,
      bodyTimeout: answerMsMax,
    });
    answer = { status: response.statusCode, text: await response.body.text() };
  } catch (cause) {
    const message = `no control plane answers at ${where}: ${(cause as Error).message}. Is it running? Give its address with --admin`;
    throw new MeshError('unavailable', message, { cause });
  }
  if (answer.status === 404) throw new MeshError('not-found', answer.text.trim());
  if (answer.status !== 200)
    throw new MeshError('unavailable', `${where}${path} answers ${answer.status}: ${answer.text.trim()}`);
  return JSON.parse(answer.text);
}
