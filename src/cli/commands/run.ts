import { Command, InvalidArgumentError, Option } from 'commander';
import {
  grpcServicePattern,
  healthPathPattern,
  parseStatuses,
  type StatusRange,
} from '../../model/health.ts';
import { helpEnd } from '../help-end.ts';
import { durationOption } from '../options/duration.ts';
import { addClientOptions, parsePort } from '../options/instance.ts';
import type { RunFlags } from '../run.ts';

/** `isthmus run`: a process registered as an instance of a Group. */
export function runCommand(): Command {
  const command = new Command('run')
    .summary('run a command as an instance of a Group')
    .description(
      'Run CMD and register it as an instance of a Group once it is healthy. On SIGTERM or SIGINT the instance is deregistered first: the signal is passed on only when every proxy has confirmed that it sends nothing here any more, so that no request meets a process that ends. A CMD that crashes is deregistered at once. If the IDC has several control planes it is registered at each, and deregistered at all that answer; a single one that is named reports the others. CMD continues while a control plane is unavailable, and is registered again afterwards.',
    )
    .argument('<cmd>', 'the command; write -- before it')
    .argument('[args...]', 'its arguments')
    .requiredOption('--group <name>', 'the Group: sets the label app=NAME, which its ServiceEntry selects')
    .requiredOption(
      '--port <[name=]port>',
      "where callers reach it, by the name of the Group's port, http unless given",
      parsePort,
    )
    .option('--address <ip>', "its IP address (default: this machine's, as it reaches the control plane)")
    .option('--namespace <name>', "the Group's namespace", 'default')
    .option('--name <name>', 'its own name, one for each place to run in (default: GROUP-ADDRESS-PORT)')
    .option('--locality <idc/zone>', "its locality (default: the control plane's IDC)")
    .addOption(
      new Option('--label <k=v>', 'one more label; repeat for more')
        .argParser(collectLabel)
        .default({}, 'none'),
    )
    .option('--weight <n>', 'its weight among the instances', parseWeight)
    .option(
      '--health <path|grpc>',
      'register once a GET of this path at its address and port, or of this http:// URL, is answered with 2xx; grpc or grpc:SERVICE: once grpc.health.v1 answers SERVING (default: once the port takes connections)',
      parseHealth,
    )
    .addOption(
      new Option('--health-statuses <list>', 'statuses that mean healthy, such as 200-299,401')
        .argParser(parseStatusList)
        .default([{ from: 200, to: 299 }], '200-299'),
    )
    .addOption(
      durationOption('--ttl <duration>', 'deregistered when it has not renewed for this long', '15s'),
    )
    .optionsGroup('When it ends:')
    .option('--no-wait', 'pass the signal on without waiting for proxies: requests are lost')
    .addOption(
      durationOption(
        '--drain-timeout <duration>',
        'longest wait for proxies before the signal is passed on',
        '30s',
      ),
    )
    .addOption(
      durationOption('--linger <duration>', 'after the last confirmation, time for requests in flight', '1s'),
    )
    .optionsGroup('The control plane:');
  return addClientOptions(command)
    .addHelpText(
      'after',
      helpEnd({
        exits:
          'that of CMD, 128+n when signal n ended it; 127 when there is no such command, 126 when it cannot be run; 2 when the control plane refuses the registration, with all errors.',
        examples: [
          'isthmus run --group checkout --namespace shop --port 8080 \\',
          '  --health /healthz -- node server.js',
        ],
      }),
    )
    .passThroughOptions()
    .action(async (cmd: string, args: string[], flags: RunFlags) => {
      // Loaded on demand: --help does not need it.
      const { run } = await import('../run.ts');
      process.exitCode = await run(cmd, args, flags);
    });
}

function collectLabel(text: string, labels: Readonly<Record<string, string>>): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError(`'${text}' is not a label: write key=value.`);
  return { ...labels, [text.slice(0, at)]: text.slice(at + 1) };
}

/** A path, a URL, or `grpc` with or without a service. */
function parseHealth(text: string): string {
  const isGrpc =
    text === 'grpc' || (text.startsWith('grpc:') && grpcServicePattern.test(text.slice('grpc:'.length)));
  if (isGrpc || healthPathPattern.test(text) || /^http:\/\/[^/]+/.test(text)) return text;
  throw new InvalidArgumentError(
    `'${text}' is not valid: give a path like /healthz, an http:// URL, grpc, or grpc:SERVICE.`,
  );
}

function parseStatusList(text: string): readonly StatusRange[] {
  const statuses = parseStatuses(text.split(',').map((part) => part.trim()));
  if (typeof statuses === 'string') throw new InvalidArgumentError(statuses);
  return statuses;
}

function parseWeight(text: string): number {
  const weight = Number(text);
  if (!Number.isInteger(weight) || weight < 1)
    throw new InvalidArgumentError(`'${text}' is not a weight: give a whole number from 1.`);
  return weight;
}
