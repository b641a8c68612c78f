import { Command, Option } from 'commander';
import { keepProcess, sleep, systemClock } from '../../../base/clock.ts';
import { MeshError } from '../../../base/error.ts';
import { exitCode } from '../../../base/exit.ts';
import { durationText } from '../../../model/values/duration.ts';
import { type ListenAddress, showAddress } from '../../../model/values/listen-address.ts';
import { askIdcs, notAskedText } from '../../ask-idcs.ts';
import { helpEnd } from '../../help-end.ts';
import { adminOption } from '../../options/admin.ts';
import { allIdcsOption } from '../../options/all-idcs.ts';
import { readArgument } from '../../options/argument.ts';
import { durationOption } from '../../options/duration.ts';
import { dataText, isData, type OutputFormat, outputOption } from '../../options/output.ts';
import { endWhenInterrupted } from '../../show/show.ts';
import { tellUser } from '../../show/tell.ts';
import { type Disconnected, disconnectedOf, disconnectedText } from '../../wait/disconnected.ts';
import { askState, describeGoal, type Goal, parseGoal, reasonsAgainst } from '../../wait/reasons-against.ts';

interface Flags {
  readonly for: Goal;
  readonly admin: readonly ListenAddress[];
  readonly allIdcs?: boolean;
  /** Milliseconds, as all times here. */
  readonly timeout: number;
  readonly settle: number;
  readonly quiet?: boolean;
  readonly output: OutputFormat;
}

/** Interval between questions. */
const everyMs = 1_000;

/**
 * Time for the only question where --timeout is 0; shortest time for the first question of others, and for
 * the last, as --timeout is nearly over. Milliseconds.
 */
const lookMs = { only: 3_000, first: 1_000, last: 250 } as const;

/** Most reasons named on one line of progress. */
const namedMax = 3;

/** `isthmus wait`: returns when all is as it should be. */
export function waitCommand(): Command {
  return new Command('wait')
    .summary('wait until control planes are ready, or all proxies in sync')
    .description(
      'Wait until each control plane is ready (--for ready), or until, besides, what files and other sources say is in force and each connected proxy has confirmed its newest configuration (--for synced), or what a revision includes (--for 42), without a break for the time of --settle. An object that was refused, a file that cannot be read and a deletion that is held or delayed are not in sync. Asks each second. What is missing is written to standard error when it changes.',
    )
    .addOption(
      new Option(
        '--for <goal>',
        'what to wait for: synced, ready, or a revision of the control plane, such as 42, as its log and its status name it',
      )
        .argParser((text: string) => readArgument(() => parseGoal(text)))
        .default('synced'),
    )
    .addOption(adminOption())
    .addOption(allIdcsOption('the other IDCs, too'))
    .addOption(
      durationOption('--timeout <duration>', 'give up after this time; 0: ask once', '60s', {
        minMs: 0,
        maxMs: 86_400_000,
      }),
    )
    .addOption(
      durationOption(
        '--settle <duration>',
        'how long it has to be so: a control plane reads a changed file some milliseconds after it was saved',
        '1s',
        { minMs: 0, maxMs: 600_000 },
      ),
    )
    .option('-q, --quiet', 'no progress on standard error')
    .addOption(
      outputOption(
        'output format; table: nothing on standard output; wide: all reasons in each line of progress; json and yaml: at the end what came of it, with the reasons',
      ),
    )
    .addHelpText(
      'after',
      helpEnd({
        exits:
          '0 it is so; 1 not within --timeout, and the reasons are on standard error; 2 no control plane answered to the end, or --all-idcs does not know where to ask.',
        examples: [
          'cp -r new/. /etc/isthmus && isthmus wait --all-idcs --timeout 2m',
          'isthmus wait --for ready --admin 10.1.0.9:15014',
        ],
      }),
    )
    .action(wait);
}

async function wait(flags: Flags): Promise<void> {
  if (typeof flags.for === 'number' && (flags.allIdcs === true || flags.admin.length > 1))
    throw new MeshError(
      'invalid',
      'a revision is one of one control plane: give one --admin, and no --all-idcs',
    );
  // Who asks once cannot see whether it stays so.
  const settle = flags.timeout === 0 ? 0 : flags.settle;
  if (settle > flags.timeout)
    throw new MeshError(
      'invalid',
      `--timeout ${durationText(flags.timeout)} is over before --settle ${durationText(settle)}: it could not succeed`,
    );
  const release = keepProcess();
  endWhenInterrupted();
  try {
    const end = await waitFor({ ...flags, settle });
    if (isData(flags.output)) process.stdout.write(dataText(end, flags.output));
    process.exitCode = end.isMet ? exitCode.ok : end.isAnswered ? exitCode.failed : exitCode.unusable;
  } finally {
    release();
  }
}

/** What came of it. */
interface WaitEnd {
  readonly goal: Goal;
  readonly isMet: boolean;
  /** Whether any control plane answered the last time. */
  readonly isAnswered: boolean;
  readonly tookMs: number;
  /** Why not. */
  readonly reasons: readonly string[];
  /** Proxies that are not waited for: what they have is not known. */
  readonly disconnected: readonly Disconnected[];
}

async function waitFor(flags: Flags): Promise<WaitEnd> {
  const { for: goal } = flags;
  const begun = systemClock.now();
  let metSince: number | undefined;
  let told = '';
  let last: Seen | undefined;
  const deadline = begun + Math.max(flags.timeout, flags.timeout === 0 ? lookMs.only : lookMs.first);
  for (;;) {
    const asked = systemClock.now();
    const seen = await look(flags, Math.max(lookMs.last, deadline - asked));
    const now = systemClock.now();
    // The last look may be too short for an answer: what was missing before says more.
    const isCutShort = !seen.isAnswered && now >= deadline;
    last = isCutShort && last !== undefined && last.reasons.length > 0 ? last : seen;
    const { reasons, isAnswered, disconnected } = last;
    metSince = reasons.length > 0 ? undefined : (metSince ?? asked);
    const end = { goal, isMet: false, isAnswered, tookMs: now - begun, reasons, disconnected };
    if (metSince !== undefined && now - metSince >= flags.settle) {
      if (flags.quiet !== true)
        tellUser(`${describeGoal(goal)} after ${durationText(end.tookMs)}${aside(disconnected)}`);
      return { ...end, isMet: true };
    }
    const line = progressOf(reasons, flags);
    if (flags.quiet !== true && line !== told) tellUser(line);
    told = line;
    const leftMs = begun + flags.timeout - now;
    if (leftMs <= 0) return giveUp(end, flags);
    const settledMs = metSince === undefined ? everyMs : metSince + flags.settle - now;
    await sleep(systemClock, Math.max(1, Math.min(everyMs, leftMs, settledMs)));
  }
}

/** Why it is not yet so, and whether any control plane answered. */
interface Seen {
  readonly reasons: readonly string[];
  readonly isAnswered: boolean;
  readonly disconnected: readonly Disconnected[];
}

/** Asks all control planes, for `withinMs` at most. */
async function look(flags: Flags, withinMs: number): Promise<Seen> {
  const deadline = systemClock.now() + withinMs;
  const ask = (where: ListenAddress) => askState(flags.for, where, Math.max(1, deadline - systemClock.now()));
  try {
    const { told, unknown } = await askIdcs(flags.admin, flags.allIdcs === true, ask);
    const [first] = unknown;
    if (first !== undefined) throw new MeshError('invalid', notAskedText(first));
    const reasons = told.flatMap((one) =>
      'reply' in one ? reasonsAgainst(flags.for, one.admin, one.reply) : [one.error.message],
    );
    const states = told.flatMap((one) => ('reply' in one ? [one.reply] : []));
    const disconnected = flags.for === 'ready' ? [] : disconnectedOf(states);
    return { reasons, isAnswered: true, disconnected };
  } catch (reason) {
    const error = MeshError.from(reason);
    if (error.code !== 'unavailable') throw error;
    // It may be starting.
    return { reasons: error.message.split('\n'), isAnswered: false, disconnected: [] };
  }
}

/** The line on proxies that are not waited for. */
function aside(disconnected: readonly Disconnected[]): string {
  const text = disconnectedText(disconnected);
  return text === '' ? '' : `\n${text}`;
}

function progressOf(reasons: readonly string[], flags: Flags): string {
  if (reasons.length === 0)
    return `${describeGoal(flags.for)}: for ${durationText(flags.settle)} it has to stay so`;
  const most = flags.output === 'wide' ? reasons.length : namedMax;
  const more = reasons.length > most ? `; and ${reasons.length - most} more` : '';
  return `not ${describeGoal(flags.for)}: ${reasons.slice(0, most).join('; ')}${more}`;
}

function giveUp(end: WaitEnd, { for: goal, timeout, admin }: Flags): WaitEnd {
  const at = admin.map(showAddress).join(', ');
  const settling = ['it has not been so for long enough (--settle)'];
  const reasons = end.reasons.length > 0 ? end.reasons : settling;
  tellUser(
    `not ${describeGoal(goal)} within ${durationText(timeout)} (asked ${at}):\n  ${reasons.join('\n  ')}${aside(end.disconnected)}`,
  );
  return { ...end, reasons };
}
