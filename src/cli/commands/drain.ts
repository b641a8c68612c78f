import { hostname, userInfo } from 'node:os';
import { Command, Option } from 'commander';
import { keepProcess, systemClock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { exitCode } from '../../base/exit.ts';
import { readDuration } from '../../config/duration.ts';
import { drainLimits } from '../../model/drain.ts';
import type { DrainPlanes } from '../drain/drain-planes.ts';
import { helpEnd } from '../help-end.ts';
import { readArgument } from '../options/argument.ts';
import { durationOption } from '../options/duration.ts';
import { addClientOptions, type ClientFlags, clientsOf } from '../options/instance.ts';

/** Options of both commands. */
interface WaitFlags extends ClientFlags {
  /** Milliseconds. */
  readonly timeout: number;
}

interface DrainFlags extends WaitFlags {
  readonly reason?: string;
  /** Milliseconds. */
  readonly for?: number;
  readonly force?: boolean;
  readonly untilIdle?: boolean;
  readonly dryRun?: boolean;
}

const instanceText =
  'the instance: NAMESPACE/NAME of its WorkloadEntry or registration, its NAME, its address, or address and port';

/** `isthmus drain INSTANCE`: takes an instance out of use, whatever it comes from. */
export function drainCommand(): Command {
  const command = new Command('drain')
    .summary('send no new requests to an instance, and say what it still has')
    .description(
      'Send no new requests to an instance, whether it has registered or comes from a file, and wait until every proxy has confirmed that. What it has is finished. It lasts until isthmus undrain, or for --for, also when the instance registers again. It is refused for the last instance of a host that can serve.',
    )
    .argument('<instance>', instanceText)
    .option('--reason <text>', 'the reason, shown by isthmus status')
    .addOption(
      new Option('--for <duration>', 'ends by itself after this time (default: it does not)').argParser(
        (text: string) =>
          readArgument(() => readDuration(text, { minMs: 1_000, maxMs: drainLimits.lastsMsMax })),
      ),
    )
    .option('--until-idle', 'wait until no request is in flight there, too')
    .option('--force', 'also the last instance of a host that can serve')
    .option('--dry-run', 'show what would be left of its hosts, and do nothing')
    .addOption(durationOption('--timeout <duration>', 'longest time to wait', '30s'))
    .optionsGroup('The control planes:');
  return addClientOptions(command)
    .addHelpText(
      'after',
      helpEnd({
        exits:
          '0 drained; 1 refused, not confirmed in time, or some control plane does not answer; 2 none answers, or there is no such instance.',
        examples: [
          'isthmus drain shop/checkout-1 --reason "new kernel" --until-idle \\',
          '  --admin 10.1.0.9:15014 --token-file token',
        ],
      }),
    )
    .action(drain);
}

/** `isthmus undrain INSTANCE`: puts it back. */
export function undrainCommand(): Command {
  const command = new Command('undrain')
    .summary('let a drained instance take requests again')
    .description('Let a drained instance take requests again, and wait until every proxy has confirmed that.')
    .argument('<instance>', instanceText)
    .addOption(durationOption('--timeout <duration>', 'longest time to wait', '30s'))
    .optionsGroup('The control planes:');
  return addClientOptions(command)
    .addHelpText(
      'after',
      helpEnd({
        exits:
          '0 it takes requests again; 1 not confirmed in time, or some control plane does not answer; 2 none answers, or it is not drained.',
        examples: ['isthmus undrain shop/checkout-1 --admin 10.1.0.9:15014 --token-file token'],
      }),
    )
    .action(undrain);
}

const say = (words: string) => void process.stdout.write(`${words}\n`);
const warn = (words: string) => void process.stderr.write(`isthmus: ${words}\n`);

async function drain(text: string, flags: DrainFlags): Promise<void> {
  const { theInstance } = await import('../drain/drain-planes.ts');
  const { drainAt, previewDrain } = await import('../drain/drain-instance.ts');
  await withPlanes(text, flags, async ({ planes: all }) => {
    const key = theInstance(all, text);
    const isIt = (one: { readonly namespace: string; readonly name: string }) =>
      one.namespace === key.namespace && one.name === key.name;
    const planes = all.filter(({ list }) => (list.instances ?? []).some(isIt));
    const task = { planes, key, timeoutMs: flags.timeout, clock: systemClock, say, warn };
    if (flags.dryRun) {
      await previewDrain(task);
      return true;
    }
    return drainAt({
      ...task,
      ...{ reason: flags.reason, by: operator(), forMs: flags.for },
      ...{ force: flags.force === true, untilIdle: flags.untilIdle === true },
    });
  });
}

async function undrain(text: string, flags: WaitFlags): Promise<void> {
  const { theDrained } = await import('../drain/drain-planes.ts');
  const { undrainAt } = await import('../drain/drain-instance.ts');
  await withPlanes(text, flags, async ({ planes: all }) => {
    const key = theDrained(all, text);
    const planes = all.filter(({ list }) =>
      list.items.some(({ namespace, name }) => namespace === key.namespace && name === key.name),
    );
    return undrainAt({ planes, key, timeoutMs: flags.timeout, clock: systemClock, say, warn });
  });
}

/** Finds the control planes, and acts; the exit code says whether all was done. */
async function withPlanes(
  text: string,
  flags: WaitFlags,
  act: (found: DrainPlanes) => Promise<boolean>,
): Promise<void> {
  const { findDrainPlanes } = await import('../drain/drain-planes.ts');
  const { planes, find, close } = clientsOf(flags);
  // Timers of the clock do not keep the process alive.
  const letEnd = keepProcess();
  try {
    const found = await findDrainPlanes(planes, find, text);
    for (const words of found.missing) warn(words);
    const isDone = await act(found);
    if (!isDone || found.missing.length > 0) process.exitCode = exitCode.failed;
  } catch (reason) {
    const error = MeshError.from(reason);
    if (error.code !== 'conflict') throw error;
    warn(error.message);
    process.exitCode = exitCode.failed;
  } finally {
    letEnd();
    await close();
  }
}

/** Who runs the command, for those who ask later. */
function operator(): string {
  return `${userInfo().username}@${hostname()}`.slice(0, drainLimits.byMax);
}
