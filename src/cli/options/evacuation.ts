import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ListenAddress } from '../../model/values/listen-address.ts';
import { helpEnd } from '../help-end.ts';
import { addAddress, parseIdcName } from './address.ts';
import { durationOption } from './duration.ts';
import { addClientOptions, type ClientFlags } from './instance.ts';

/** Options of commands that evacuate an IDC. Times in milliseconds. */
export interface EvacuationFlags extends ClientFlags {
  readonly group?: readonly string[];
  readonly steps?: readonly number[];
  readonly ackTimeout: number;
  readonly abortOn: string;
  readonly envoy?: readonly ListenAddress[];
  readonly reason?: string;
  readonly name?: string;
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

/** Texts of the help that differ between the commands. */
interface EvacuationWords {
  /** When `--force` continues. */
  readonly force: string;
  /** Which Envoys are read, and the abort condition. */
  readonly envoy: string;
  readonly abortOn: string;
  /** Prefix of the Evacuation's name. */
  readonly prefix: string;
  /** Exit codes and an example, after the options. */
  readonly exits: string;
  readonly examples: readonly string[];
}

/** The default abort condition. */
const abortOnDefault = 'errors>1% or no-idc>1% or spill-limit>1%';

const abortOnText =
  'p50, p90, p99 or p999>500ms; errors, no-idc or spill-limit>1%; tries>1.5; several with or, and, ( )';

/** Adds the argument and the options of `EvacuationFlags` to a command. */
export function addEvacuationOptions(command: Command, words: EvacuationWords): Command {
  command
    .argument('<idc>', 'the IDC to evacuate', parseIdcName)
    .option(
      '--group <host>',
      'only this Group, or those of a pattern such as *.shop; repeat for more',
      (text: string, list: readonly string[] = []) => [...list, text],
    )
    .option('--reason <text>', 'reason shown in isthmus status')
    .option(
      '--name <name>',
      `name of the Evacuation (default: ${words.prefix}IDC, with a hash of the Groups if there are any)`,
    )
    .option('--dry-run', 'report what would be done, and do nothing')
    .option('--force', words.force)
    .optionsGroup('Watching:')
    .addOption(
      new Option('--envoy <host:port>', words.envoy)
        .env('ISTHMUS_ENVOY')
        .argParser((text: string, list: readonly ListenAddress[] | undefined) => addAddress(text, list)),
    )
    .option('--abort-on <conditions>', `${words.abortOn}: ${abortOnText}`, abortOnDefault)
    .addOption(
      durationOption('--ack-timeout <duration>', 'every proxy must confirm a step within this time', '30s'),
    )
    .optionsGroup('The control planes, of every IDC:');
  return addClientOptions(command).addHelpText('after', helpEnd(words));
}

/** Parses a percentage: 1 to 100. Throws commander's error. */
export function parsePercent(text: string): number {
  const percent = Number(text);
  if (!/^[0-9]+$/.test(text) || percent < 1 || percent > 100)
    throw new InvalidArgumentError(`'${text}' is not a percentage: a whole number from 1 to 100.`);
  return percent;
}

/** Parses rising percentages, by comma. Throws commander's error. */
export function parseSteps(text: string): readonly number[] {
  const steps = text.split(',').map(parsePercent);
  const isRising = steps.every((step, i) => step > (steps[i - 1] ?? 0));
  if (!isRising) throw new InvalidArgumentError(`'${text}' does not rise: write 1,10,50,100.`);
  return steps;
}
