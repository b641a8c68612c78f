import { Command } from 'commander';
import { keepProcess, systemClock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { exitCode } from '../../base/exit.ts';
import { seededRandom } from '../../base/random.ts';
import { didYouMean } from '../../base/text/suggest.ts';
import { type NamedClient, deregister as takeOut } from '../../client/deregistration.ts';
import { helpEnd } from '../help-end.ts';
import { durationOption } from '../options/duration.ts';
import {
  addClientOptions,
  addressOf,
  clientsOf,
  type InstanceFlags,
  instanceName,
  parsePort,
} from '../options/instance.ts';
import { tellUser } from '../show/tell.ts';

interface Flags extends InstanceFlags {
  readonly wait?: boolean;
  readonly timeout: number;
}

/** `isthmus deregister`: for preStop hooks and systemd's ExecStop. */
export function deregisterCommand(): Command {
  const command = new Command('deregister')
    .summary('deregister an instance, and wait until no proxy has it')
    .description(
      'Deregister an instance. With --wait it returns once every proxy has confirmed that it sends nothing there any more: for a preStop hook, or ExecStop= of a systemd unit, before the process gets its signal. An instance that is not registered (any more) is reported, and not an error.',
    )
    .option('--group <name>', 'with --port: the instance as isthmus run names it')
    .option('--port <[name=]port>', 'its port', parsePort)
    .option('--address <ip>', "its IP address (default: this machine's, as it reaches the control plane)")
    .option('--name <name>', 'or its name')
    .option('--namespace <name>', 'its namespace', 'default')
    .option('--wait', 'wait for the proxies')
    .addOption(durationOption('--timeout <duration>', 'longest time to wait', '30s'))
    .optionsGroup('The control plane:');
  return addClientOptions(command)
    .addHelpText(
      'after',
      helpEnd({
        exits:
          '0 removed, or not registered; 1 not confirmed in time, and by whom; 2 no control plane answers, or one refuses.',
        examples: [
          '# in a systemd unit',
          'ExecStop=isthmus deregister --name %N --namespace shop --wait \\',
          '  --token-file /etc/isthmus/token',
        ],
      }),
    )
    .action(deregister);
}

async function deregister(flags: Flags): Promise<void> {
  const { planes, close } = clientsOf(flags);
  // Timers of the clock do not keep the process alive.
  const letEnd = keepProcess();
  try {
    const name = await nameOf(flags);
    const key = { namespace: flags.namespace, name };
    const shown = `${key.namespace}/${key.name}`;
    const ends = await takeOut({
      ...{ planes, key, wait: flags.wait === true, timeoutMs: flags.timeout },
      ...{ clock: systemClock, random: seededRandom(process.pid) },
    });
    const of = (end: string) => ends.filter((one) => one.end === end);
    const [refused] = of('refused');
    if (refused !== undefined) throw new MeshError('unavailable', refused.words);
    const away = of('away').map(({ words }) => words);
    if (away.length === ends.length) throw new MeshError('unavailable', away.join('; '));
    const owed = of('owed').map(({ words }) => words);
    for (const words of away) tellUser(`isthmus: ${words}; it was not waited for`);
    const answered = ends.filter(({ end }) => end !== 'away');
    if (answered.every(({ wasRegistered }) => wasRegistered === false))
      tellUser(
        `isthmus: no instance ${shown} is registered${away.length > 0 ? ' at those that answer' : ''}, so nothing was deregistered.${await nearNames(planes, flags.namespace, name)}`,
      );
    if (owed.length > 0) {
      tellUser(`isthmus: ${shown} is deregistered, but not confirmed in time by ${owed.join('; ')}`);
      process.exitCode = exitCode.failed;
    }
  } finally {
    letEnd();
    await close();
  }
}

async function nameOf(flags: Flags): Promise<string> {
  if (flags.name !== undefined) return flags.name;
  if (flags.group === undefined || flags.port === undefined)
    throw new MeshError('invalid', 'say which instance: --name, or --group with --port');
  return instanceName(flags.group, await addressOf(flags), flags.port.number);
}

/** A hint at the instance that may be meant; asked of the first control plane that has any. */
async function nearNames(planes: readonly NamedClient[], namespace: string, name: string): Promise<string> {
  for (const { client } of planes) {
    const answer = await client.call('listRegistrations', { timeoutMs: 2_000 }).catch(() => undefined);
    const items = answer === undefined || answer.isRefused ? [] : answer.body.items;
    if (items.length === 0) continue;
    const elsewhere = items.find((item) => item.name === name);
    if (elsewhere !== undefined)
      return ` ${elsewhere.namespace}/${name} is: give --namespace ${elsewhere.namespace}.`;
    const here = items.filter((item) => item.namespace === namespace).map((item) => item.name);
    const near = didYouMean(name, here.slice(0, nearMax));
    return `${near} isthmus instances lists those that are.`;
  }
  return ' None is, in any namespace.';
}

/** Limit on names compared with a wrong one. */
const nearMax = 1_000;
