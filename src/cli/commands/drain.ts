import { hostname, userInfo } from 'node:os';
import { Command, Option } from 'commander';
import { keepProcess, systemClock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { exitCode } from '../../base/exit.ts';
import { printableLines } from '../../base/text/safe-excerpt.ts';
import type { InstanceKey } from '../../client/deregistration.ts';
import { readDuration } from '../../config/duration.ts';
import { drainLimits } from '../../model/drain.ts';
import type { DrainResult } from '../drain/drain-instance.ts';
import type { DrainPlanes } from '../drain/drain-planes.ts';
import { helpEnd } from '../help-end.ts';
import { readArgument } from '../options/argument.ts';
import { durationOption } from '../options/duration.ts';
import { addClientOptions, type ClientFlags, clientsOf } from '../options/instance.ts';
import { dataText, isData, type OutputFormat, outputOption } from '../options/output.ts';
import { endWhenInterrupted } from '../show/show.ts';
import { tellUser } from '../show/tell.ts';

/** Options of both commands. */
interface WaitFlags extends ClientFlags {
  /** Milliseconds. */
  readonly timeout: number;
  readonly output: OutputFormat;
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

function formatOption() {
  const words = 'output format; json and yaml: a list with one entry for each control plane, at the end';
  return outputOption(words, ['table', 'json', 'yaml']);
}

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
    .addOption(formatOption())
    .optionsGroup('The control planes:');
  return addClientOptions(command)
    .addHelpText(
      'after',
      helpEnd({
        exits:
          '0 drained; 1 refused, not confirmed in time, or some control plane does not answer or, for the IDC of the instance, is not named; 2 none answers, or there is no such instance; 130 interrupted: the drain stays.',
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
    .addOption(formatOption())
    .optionsGroup('The control planes:');
  return addClientOptions(command)
    .addHelpText(
      'after',
      helpEnd({
        exits:
          '0 it takes requests again; 1 not confirmed in time, or some control plane does not answer or, for the IDC of the instance, is not named; 2 none answers, or it is not drained.',
        examples: ['isthmus undrain shop/checkout-1 --admin 10.1.0.9:15014 --token-file token'],
      }),
    )
    .action(undrain);
}

const warn = (words: string) => tellUser(`isthmus: ${words}`);

/** Where results go as words: nowhere, if programs read them. */
function sayTo(output: OutputFormat): (words: string) => void {
  return isData(output) ? () => {} : (words) => void process.stdout.write(`${printableLines(words)}\n`);
}

async function drain(text: string, flags: DrainFlags): Promise<void> {
  const { theInstance } = await import('../drain/drain-planes.ts');
  const { drainAt, previewDrain } = await import('../drain/drain-instance.ts');
  await withPlanes(text, flags, async ({ planes: all }) => {
    const key = theInstance(all, text);
    const planes = all.filter(({ list }) => (list.instances ?? []).some(isNamed(key)));
    const say = sayTo(flags.output);
    const task = { planes, key, timeoutMs: flags.timeout, clock: systemClock, say, warn };
    if (flags.dryRun) return { key, results: await previewDrain(task) };
    const drainedAt: string[] = [];
    endWhenInterrupted(() => warn(interruptedText(key, drainedAt)));
    const order = {
      ...{ reason: flags.reason, by: operator(), forMs: flags.for },
      ...{ force: flags.force === true, untilIdle: flags.untilIdle === true },
      onDrained: (admin: string) => void drainedAt.push(admin),
    };
    return { key, results: await drainAt({ ...task, ...order }) };
  });
}

async function undrain(text: string, flags: WaitFlags): Promise<void> {
  const { theDrained } = await import('../drain/drain-planes.ts');
  const { undrainAt } = await import('../drain/drain-instance.ts');
  await withPlanes(text, flags, async ({ planes: all }) => {
    const key = theDrained(all, text);
    const planes = all.filter(({ list }) => list.items.some(isNamed(key)));
    const say = sayTo(flags.output);
    const task = { planes, key, timeoutMs: flags.timeout, clock: systemClock, say, warn };
    return { key, results: await undrainAt(task) };
  });
}

/** What stays when the command is interrupted. */
function interruptedText({ namespace, name }: InstanceKey, drainedAt: readonly string[]): string {
  const stays =
    drainedAt.length === 0
      ? 'no control plane had answered; if one has it drained'
      : `${namespace}/${name} stays drained at ${drainedAt.join(', ')}`;
  return `interrupted: ${stays}, isthmus undrain ${namespace}/${name} ends that`;
}

function isNamed({ namespace, name }: InstanceKey): (one: InstanceKey) => boolean {
  return (one) => one.namespace === namespace && one.name === name;
}

/** What was done to an instance. */
interface Done {
  readonly key: InstanceKey;
  readonly results: readonly DrainResult[];
}

/** Finds the control planes, and acts; the exit code says whether all was done. */
async function withPlanes(
  text: string,
  flags: WaitFlags,
  act: (found: DrainPlanes) => Promise<Done>,
): Promise<void> {
  const { findDrainPlanes } = await import('../drain/drain-planes.ts');
  const { planes, find, close } = clientsOf(flags);
  // Timers of the clock do not keep the process alive.
  const letEnd = keepProcess();
  try {
    const found = await findDrainPlanes(planes, find, text);
    for (const words of found.missing) warn(words);
    const { key, results } = await act(found);
    if (isData(flags.output)) process.stdout.write(dataText(results.map(dataOf), flags.output));
    const isWhole = await tellUnnamed(found, key);
    const refusal = results.find((one) => one.refusal !== undefined)?.refusal;
    if (refusal !== undefined) throw refusal;
    const isConfirmed = results.every(({ confirmed }) => confirmed !== false);
    const isDone = isWhole && found.missing.length === 0 && isConfirmed;
    if (!isDone) process.exitCode = exitCode.failed;
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

/** Says which IDCs could not be asked. False: the one of the instance is among them. */
async function tellUnnamed({ planes, unnamed }: DrainPlanes, key: InstanceKey): Promise<boolean> {
  const { unnamedText } = await import('../drain/drain-planes.ts');
  const all = planes.flatMap(({ list }) => list.instances ?? []).filter(isNamed(key));
  const own = new Set(all.map(({ idc }) => idc));
  for (const idc of unnamed) warn(unnamedText(idc, own.has(idc)));
  return !unnamed.some((idc) => own.has(idc));
}

function dataOf({ admin, confirmed, answer, refusal }: DrainResult): object {
  return {
    ...{ admin, ...(confirmed === undefined ? {} : { confirmed }), ...answer },
    ...(refusal === undefined ? {} : { error: refusal.message }),
  };
}

/** Who runs the command, for those who ask later. */
function operator(): string {
  return `${userInfo().username}@${hostname()}`.slice(0, drainLimits.byMax);
}
