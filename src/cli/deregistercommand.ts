import { Command } from 'commander';
import { systemClock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { seededRandom } from '../base/random.ts';
import { deregister as takeOut } from './deregistration.ts';
import { duration } from './duration.ts';
import { exitCode } from './exit.ts';
import {
  addClientOptions,
  addressOf,
  clientsOf,
  type InstanceFlags,
  instanceName,
  parsePort,
  pathOf,
} from './instance.ts';

interface Flags extends InstanceFlags {
  readonly wait?: boolean;
  readonly timeout: number;
}

/** `isthmus deregister`: for preStop hooks and systemd's ExecStop. */
export function deregisterCommand(): Command {
  const command = new Command('deregister')
    .summary('take an instance out, and wait until no proxy has it')
    .description(
      'Take an instance out. With --wait it returns once every proxy has confirmed that it sends nothing there any more: for a preStop hook, or ExecStop= of a systemd unit, before the process gets its signal. An instance that is not registered (any more) is no error.',
    )
    .option('--group <name>', 'with --port: the instance as isthmus run names it')
    .option('--port <[name=]port>', 'its port', parsePort)
    .option('--address <ip>', "its IP address (default: this machine's, as it reaches the control plane)")
    .option('--name <name>', 'or its name')
    .option('--namespace <name>', 'its namespace', 'default')
    .option('--wait', 'wait for the proxies')
    .addOption(duration('--timeout <duration>', 'wait for at most so long', '30s'))
    .optionsGroup('The control plane:');
  return addClientOptions(command)
    .addHelpText(
      'after',
      `
Exit code: 0 gone; 1 not confirmed in time, and by whom; 2 no control plane answers, or one refuses.

Example, in a systemd unit:
  ExecStop=isthmus deregister --name %N --namespace shop --wait --token-file /etc/isthmus/token`,
    )
    .action(deregister);
}

async function deregister(flags: Flags): Promise<void> {
  const { planes, close } = clientsOf(flags);
  // The clock's timers let a process end.
  const alive = new MessageChannel();
  alive.port1.ref();
  try {
    const path = pathOf(flags.namespace, await nameOf(flags));
    const ends = await takeOut({
      ...{ planes, path, wait: flags.wait === true, timeoutMs: flags.timeout },
      ...{ clock: systemClock, random: seededRandom(process.pid) },
    });
    const of = (end: string) => ends.filter((one) => one.end === end);
    const [refused] = of('refused');
    if (refused !== undefined) throw new MeshError('unavailable', refused.words);
    const away = of('away').map(({ words }) => words);
    if (away.length === ends.length) throw new MeshError('unavailable', away.join('; '));
    const owed = of('owed').map(({ words }) => words);
    for (const words of away) process.stderr.write(`isthmus: ${words}; it was not waited for\n`);
    if (owed.length > 0) {
      process.stderr.write(
        `isthmus: ${path.slice(1)} is deregistered, but not confirmed in time by ${owed.join('; ')}\n`,
      );
      process.exitCode = exitCode.failed;
    }
  } finally {
    alive.port1.close();
    await close();
  }
}

async function nameOf(flags: Flags): Promise<string> {
  if (flags.name !== undefined) return flags.name;
  if (flags.group === undefined || flags.port === undefined)
    throw new MeshError('invalid', 'say which instance: --name, or --group with --port');
  return instanceName(flags.group, await addressOf(flags), flags.port.number);
}
