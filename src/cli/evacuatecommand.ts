import { Command } from 'commander';
import { systemClock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { ListenAddress } from '../model/node.ts';
import { parseIdcName, showAddress } from './address.ts';
import { duration } from './duration.ts';
import {
  abortOnDefault,
  abortOnText,
  addGroup,
  envoyOption,
  evacuationName,
  parsePercent,
  parseSteps,
} from './evacuation-options.ts';
import { exitCode } from './exit.ts';
import { addClientOptions, type ClientFlags } from './instance.ts';
import { createJsonClient } from './json-client.ts';
import { readClientToken } from './registration-client.ts';

interface Flags extends ClientFlags {
  readonly group?: readonly string[];
  readonly percent?: number;
  readonly steps?: readonly number[];
  readonly stepWait: number;
  readonly for: number;
  readonly ackTimeout: number;
  readonly abortOn: string;
  readonly envoy?: readonly ListenAddress[];
  readonly reason?: string;
  readonly name?: string;
  readonly dryRun?: boolean;
  readonly undo?: boolean;
  readonly force?: boolean;
}

/** `isthmus evacuate IDC`: requests leave an IDC for a time. */
export function evacuateCommand(): Command {
  const command = new Command('evacuate')
    .summary('let requests leave an IDC for a time')
    .description(
      'Let the requests of some or all Groups leave IDC, in steps, until a time at which it ends by itself. Each step waits until every proxy has confirmed it. It is taken back when a proxy refuses a step or does not confirm it in time, when what the Envoys of --envoy count meets a condition, and on Ctrl-C; if this command dies, its time ends it. What is under way stays where it is.',
    )
    .argument('<idc>', 'the IDC that is left', parseIdcName)
    .option(
      '--group <host>',
      'only this Group, or those of a pattern such as *.shop; repeat for more',
      addGroup,
    )
    .option('--percent <p>', 'share of its requests that leaves, 1 to 100 (default: 100)', parsePercent)
    .option('--steps <list>', 'shares one after the other, such as 1,10,50,100', parseSteps)
    .addOption(duration('--step-wait <duration>', 'how long a step is watched before the next', '30s'))
    .addOption(
      duration('--for <duration>', 'ends by itself after so long', '1h', {
        minMs: 1_000,
        maxMs: 72 * 3_600_000,
      }),
    )
    .addOption(
      duration('--ack-timeout <duration>', 'every proxy must confirm a step within this time', '30s'),
    )
    .option('--reason <text>', 'why, for those who see it in isthmus status')
    .option('--name <name>', 'name of the Evacuation (default: by IDC and Groups)')
    .option('--dry-run', 'say what would be done, and do nothing')
    .option('--undo', 'end it now')
    .option(
      '--force',
      'also where what is declared says that there is too little room, or nobody to come home to',
    )
    .optionsGroup('Watching:')
    .addOption(
      envoyOption(
        "admin address of an Envoy of IDC, such as its ingress gateway's; repeat for more. Without any, only what control planes know is watched",
      ),
    )
    .option(
      '--abort-on <conditions>',
      `taken back when what these Envoys count in a step is so: ${abortOnText}`,
      abortOnDefault,
    )
    .optionsGroup('The control planes, of every IDC:');
  return addClientOptions(command)
    .addHelpText(
      'after',
      `
Exit code: 0 done; 1 refused, or taken back; 2 a control plane does not answer; 130 interrupted, and taken back.

Example:
  isthmus evacuate sh-a --for 4h --steps 1,10,50,100 --admin 10.1.0.9:15014 --admin 10.2.0.9:15014 --token-file token`,
    )
    .action(run);
}

async function run(idc: string, flags: Flags): Promise<void> {
  const { evacuate, undo } = await import('./evacuate.ts');
  const { findPlanes } = await import('./evacuation-planes.ts');
  const { parseAbortOn } = await import('./abort-on.ts');
  const abortOn = parseAbortOn(flags.abortOn);
  const steps = flags.steps ?? [flags.percent ?? 100];
  if (flags.steps !== undefined && flags.percent !== undefined && flags.steps.at(-1) !== flags.percent)
    throw new MeshError('invalid', '--steps end with another share than --percent: give one of the two');
  const token = readClientToken(flags.tokenFile, process.env);
  const clients = flags.admin.map((admin) => ({
    name: showAddress(admin),
    client: createJsonClient({ admin, token }),
  }));
  const stop = new AbortController();
  const interrupt = () => stop.abort(new MeshError('late', 'interrupted'));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt);
  // The clock's timers let a process end.
  const alive = new MessageChannel();
  alive.port1.ref();
  try {
    const groups = [...new Set(flags.group ?? [])].sort();
    const target = {
      ...{ planes: await findPlanes(clients), name: flags.name ?? evacuationName(idc, groups), idc, groups },
      ...(flags.reason === undefined ? {} : { reason: flags.reason }),
      clock: systemClock,
      say: (words: string) => void process.stdout.write(`${words}\n`),
    };
    const how = { ackWaitMs: flags.ackTimeout, force: flags.force === true };
    if (flags.undo) {
      if (!(await undo(target, how))) process.exitCode = exitCode.failed;
      return;
    }
    const end = await evacuate({
      ...{ ...target, ...how, steps, abortOn, signal: stop.signal },
      ...{ stepWaitMs: flags.stepWait, forMs: flags.for, envoys: flags.envoy ?? [] },
      dryRun: flags.dryRun === true,
    });
    if (end === 'interrupted') process.exitCode = exitCode.interrupted;
    else if (end === 'refused' || end === 'aborted') process.exitCode = exitCode.failed;
  } finally {
    alive.port1.close();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt);
    await Promise.all(clients.map(({ client }) => client.close()));
  }
}
