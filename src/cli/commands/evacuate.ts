import { Command } from 'commander';
import { MeshError } from '../../base/error.ts';
import { exitCode } from '../../base/exit.ts';
import { printableLines } from '../../base/text/safe-excerpt.ts';
import { evacuationLimits } from '../../model/evacuation.ts';
import { durationOption } from '../options/duration.ts';
import {
  addEvacuationOptions,
  type EvacuationFlags,
  parsePercent,
  parseSteps,
} from '../options/evacuation.ts';

interface Flags extends EvacuationFlags {
  readonly percent?: number;
  readonly stepWait: number;
  readonly for: number;
  readonly undo?: boolean;
}

/** `isthmus evacuate IDC`: makes requests leave an IDC for some time. */
export function evacuateCommand(): Command {
  const command = new Command('evacuate')
    .summary('make requests leave an IDC for some time')
    .description(
      'Make the requests of some or all Groups leave IDC, in steps, until a time at which it ends by itself. Each step waits until every proxy has confirmed it. It is undone when a proxy refuses a step or does not confirm it in time, when an Envoy of --envoy stops answering or their statistics meet a condition, and on SIGINT, SIGTERM and SIGHUP; if this command dies, its time ends it. Requests in flight stay where they are.',
    )
    .option('--percent <p>', 'percentage of its requests that leaves, 1 to 100 (default: 100)', parsePercent)
    .option('--steps <list>', 'percentages one after the other, such as 1,10,50,100', parseSteps)
    .addOption(durationOption('--step-wait <duration>', 'how long a step is watched before the next', '30s'))
    .addOption(
      durationOption(
        '--for <duration>',
        "ends by itself after this time, by the control planes' own clocks",
        '1h',
        {
          minMs: 1_000,
          maxMs: evacuationLimits.lastsMsMax,
        },
      ),
    )
    .option('--undo', 'end it now');
  return addEvacuationOptions(command, {
    force:
      'even if the declared capacity is too small, elsewhere or on return, and without Envoys of --envoy that cannot be read',
    envoy:
      "admin address of an Envoy to read, such as the ingress gateway's of IDC; repeat for more, or several by comma. Without any, only what control planes know is watched",
    abortOn: 'undone when the statistics of these Envoys in a step meet this; needs --envoy',
    prefix: '',
    exits: '0 done; 1 refused, or undone; 2 a control plane does not answer; 130 interrupted, and undone.',
    examples: [
      'isthmus evacuate sh-a --for 4h --steps 1,10,50,100 --token-file token \\',
      '  --admin 10.1.0.9:15014 --admin 10.2.0.9:15014',
      'isthmus evacuate sh-a --undo --token-file token \\',
      '  --admin 10.1.0.9:15014 --admin 10.2.0.9:15014',
    ],
  }).action((idc: string, flags: Flags) =>
    run(idc, flags, command.getOptionValueSource('abortOn') !== 'default'),
  );
}

async function run(idc: string, flags: Flags, isConditional: boolean): Promise<void> {
  const { parseAbortOn } = await import('../options/abort-on.ts');
  const { evacuate, undo } = await import('../evacuate/evacuate.ts');
  const { withSession } = await import('../evacuate/evacuation-session.ts');
  const steps = flags.steps ?? [flags.percent ?? 100];
  if (flags.steps !== undefined && flags.percent !== undefined && flags.steps.at(-1) !== flags.percent)
    throw new MeshError('invalid', '--steps end with another share than --percent: give one of the two');
  if (flags.undo && (flags.steps !== undefined || flags.percent !== undefined))
    throw new MeshError(
      'invalid',
      '--undo brings everybody home: leave out --steps and --percent, or --undo',
    );
  parseAbortOn(flags.abortOn);
  if (isConditional && !flags.undo && (flags.envoy ?? []).length === 0)
    throw new MeshError(
      'invalid',
      `--abort-on measures nothing without an Envoy: give --envoy, or ISTHMUS_ENVOY, with the admin address of a sidecar or ingress gateway of ${idc}, or leave it out`,
    );
  const lastMs = (steps.length - 1) * flags.stepWait;
  if (!flags.undo && lastMs >= flags.for)
    throw new MeshError(
      'invalid',
      `the last of --steps would begin after ${lastMs / 1_000} s, and --for ends it after ${flags.for / 1_000} s: give a longer --for, a shorter --step-wait, or fewer --steps`,
    );
  const otherwise = 'it ends by its time, or by --undo';
  await withSession(idc, flags, { prefix: '', otherwise }, async ({ target: known, abortOn, signal }) => {
    const target = {
      ...known,
      ...(flags.reason === undefined ? {} : { reason: flags.reason }),
      say: (words: string) => void process.stdout.write(`${printableLines(words)}\n`),
    };
    const how = { ackWaitMs: flags.ackTimeout, force: flags.force === true, dryRun: flags.dryRun === true };
    if (flags.undo) {
      if (!(await undo(target, how))) process.exitCode = exitCode.failed;
      return;
    }
    const end = await evacuate({
      ...{ ...target, ...how, steps, abortOn, signal },
      ...{ stepWaitMs: flags.stepWait, forMs: flags.for, envoys: flags.envoy ?? [] },
    });
    if (end === 'interrupted') process.exitCode = exitCode.interrupted;
    else if (end === 'refused' || end === 'aborted') process.exitCode = exitCode.failed;
  });
}
