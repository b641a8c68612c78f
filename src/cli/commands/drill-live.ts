import { hostname, userInfo } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { systemClock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { exitCode } from '../../base/exit.ts';
import { parseDurationMs } from '../../model/values/duration.ts';
import type { ReadProxy } from '../envoys/proxy-reader.ts';
import { helpEnd } from '../help-end.ts';
import type { AbortExpression } from '../options/abort-on.ts';
import { durationOption } from '../options/duration.ts';
import { addEvacuationOptions, type EvacuationFlags, parseSteps } from '../options/evacuation.ts';

interface Flags extends EvacuationFlags {
  readonly steps: readonly number[];
  readonly hold: readonly number[];
  readonly baseline: number;
  readonly lease: number;
  readonly recordDir: string;
}

/**
 * An Envoy merges its histograms each 5 s: within this time at least one merge contains only the step.
 * Milliseconds.
 */
const timedMsMin = 10_000;

/** `isthmus drill live`: a drill on a fleet in production. */
export function liveCommand(): Command {
  return new Command('live')
    .summary('drill on a fleet in production, guarded, and undone at the end')
    .description(
      'Drill on a fleet in production. The change is a lease at the control planes, renewed while this command runs: it is undone at the end, when a condition is met, on Ctrl-C, and by itself when this command or its machine dies.',
    )
    .addCommand(evacuateLiveCommand())
    .addHelpText('after', helpEnd({ exits: liveExits, examples: liveExample }));
}

const liveExits =
  '0 completed, and undone; 1 refused, or aborted, or not undone in time; 2 it could not begin; 130 interrupted, and undone.';

const liveExample: readonly string[] = [
  "isthmus drill live evacuate sh-a --abort-on 'p99>500ms or errors>0.1%' \\",
  '  --steps 1,10,50 --envoy 10.1.0.1:15000 --envoy 10.2.0.1:15000 \\',
  '  --admin 10.1.0.9:15014 --admin 10.2.0.9:15014 --token-file token',
];

/** `isthmus drill live evacuate IDC`. */
export function evacuateLiveCommand(): Command {
  const command = new Command('evacuate')
    .summary('make requests leave an IDC in steps, and return')
    .description(
      'Make requests leave IDC in steps, read the statistics of Envoys, and let all requests return: after the last step, and at once when a condition of --abort-on is met, when a proxy refuses a step or does not confirm it, when an Envoy that is read or a control plane does not answer, and on SIGINT, SIGTERM and SIGHUP. When this command dies, all requests have returned within the time of --lease. A folder has the record of each run.',
    )
    .option('--steps <list>', 'percentages one after the other', parseSteps, parseSteps('1,10,50'))
    .option(
      '--hold <durations>',
      'how long a step is held; by comma, one for each step',
      parseHolds,
      [30_000],
    )
    .addOption(
      durationOption(
        '--baseline <duration>',
        'how long to measure before the first step, and after all requests have returned',
        '15s',
        { minMs: 1_000, maxMs: 24 * 3_600_000 },
      ),
    )
    .option('--record-dir <dir>', 'each run has a folder there, with run.json and report.txt', 'drill-live')
    .addOption(
      durationOption(
        '--lease <duration>',
        'all requests return this long after this command has died',
        '15s',
        {
          minMs: 3_000,
          maxMs: 600_000,
        },
      ),
    );
  // Arrays are shown as JSON otherwise.
  for (const option of command.options) {
    if (option.long === '--steps') option.default(option.defaultValue, '1,10,50');
    if (option.long === '--hold') option.default(option.defaultValue, '30s');
  }
  return addEvacuationOptions(command, {
    force: 'even with too little capacity, another evacuation, or too few requests to judge',
    envoy:
      'admin address of an Envoy to read: sidecars and ingress gateways of IDC, gateways of the others; repeat for more, or several by comma',
    abortOn: 'all requests return when this holds for users of any of these IDCs',
    prefix,
    exits: liveExits,
    examples: liveExample,
  }).action(run);
}

/** The prefix of the names of its Evacuations. */
const prefix = 'drill-';

async function run(idc: string, flags: Flags): Promise<void> {
  const { parseAbortOn } = await import('../options/abort-on.ts');
  const { withSession } = await import('../evacuate/evacuation-session.ts');
  const holdMs = await checkTimes(flags, parseAbortOn(flags.abortOn));
  const proxies = await readProxies(idc, flags);
  const otherwise = `all requests return within ${flags.lease / 1_000} s`;
  await withSession(idc, flags, { prefix, otherwise }, ({ target, abortOn, signal }) => {
    const who = whoRuns();
    const asked = {
      ...{ ...target, steps: flags.steps, holdMs, abortOn, proxies },
      ...{ baselineMs: flags.baseline, leaseMs: flags.lease, ackWaitMs: flags.ackTimeout },
      reason: `drill live, by ${who}${flags.reason === undefined ? '' : `: ${flags.reason}`}`,
      ...{ force: flags.force === true, dryRun: flags.dryRun === true, signal },
    };
    return runRecorded(flags, asked, who);
  });
}

/**
 * The Envoys to read. Throws MeshError `invalid` if none counts requests of the IDC's users, `unavailable` if
 * one does not answer.
 */
async function readProxies(idc: string, { envoy: envoys = [] }: Flags): Promise<readonly ReadProxy[]> {
  const { envoyMsMax } = await import('../envoys/fleet-watch.ts');
  const { identifyProxy } = await import('../envoys/proxy-reader.ts');
  if (envoys.length === 0)
    throw new MeshError(
      'invalid',
      'there is no Envoy to read: give --envoy, or ISTHMUS_ENVOY, with the admin address of at least one',
    );
  const proxies = await Promise.all(envoys.map((envoy) => identifyProxy(envoy, envoyMsMax)));
  if (!proxies.some((proxy) => proxy.idc === idc && proxy.role !== 'egress'))
    throw new MeshError('invalid', `no sidecar or ingress gateway of ${idc} is read: give --envoy of one`);
  return proxies;
}

type Asked = Omit<import('../live/live.ts').LiveOptions, 'say' | 'onPhase'>;

/** Runs the drill, reports and records it, and sets the exit code. */
async function runRecorded(flags: Flags, asked: Asked, who: string): Promise<void> {
  const { runLive } = await import('../live/live.ts');
  const { createLiveRecord } = await import('../live/live-record.ts');
  const tell = (words: string) => {
    const time = new Date(systemClock.wall()).toISOString().slice(11, 19);
    process.stdout.write(`${time} ${words}\n`);
  };
  const about = {
    drill: 'evacuate',
    ...{ idc: asked.idc, groups: asked.groups, evacuation: asked.name, steps: asked.steps },
    ...{ holdSeconds: asked.holdMs.map((ms) => ms / 1_000), leaseSeconds: asked.leaseMs / 1_000 },
    ...{ abortOn: flags.abortOn, who, ...(flags.reason === undefined ? {} : { reason: flags.reason }) },
    controlPlanes: asked.planes.map((plane) => `${plane.name} (${plane.idc})`),
    proxies: asked.proxies.map(({ id, role, idc }) => ({ id, role, idc })),
  } as const;
  const record = asked.dryRun ? undefined : createLiveRecord(flags.recordDir, about, systemClock, tell);
  const say = (words: string) => {
    tell(words);
    record?.event(words);
  };
  try {
    const { how, why, isUndone } = await runLive({
      ...asked,
      say,
      onPhase: (phase) => record?.phase(phase),
    });
    if (how !== 'checked') record?.end(how, why, isUndone);
    tell(wordsOf(how, why, isUndone));
    if (how === 'interrupted') process.exitCode = exitCode.interrupted;
    else if (how === 'refused' || how === 'aborted' || !isUndone) process.exitCode = exitCode.failed;
  } catch (reason) {
    record?.end('refused', MeshError.from(reason).message, true);
    throw reason;
  } finally {
    if (record !== undefined) tell(`record: ${record.dir}/report.txt`);
  }
}

function wordsOf(how: string, why: string, isUndone: boolean): string {
  if (how === 'checked') return 'nothing was done: it was a dry run';
  if (how === 'refused') return `refused, and nothing was done: ${why}`;
  const undone = isUndone ? 'all requests have returned' : 'not all proxies have confirmed the return';
  return how === 'done' ? `run through; ${undone}` : `${how}: ${why}; ${undone}`;
}

/** The duration of each step. Throws MeshError `invalid` if times do not fit. */
async function checkTimes(flags: Flags, abortOn: AbortExpression): Promise<readonly number[]> {
  const { conditionsOf } = await import('../options/abort-on.ts');
  const { steps, hold } = flags;
  if (hold.length !== 1 && hold.length !== steps.length)
    throw new MeshError(
      'invalid',
      `--hold has ${hold.length} times for ${steps.length} steps: give one, or one for each`,
    );
  const holdMs = steps.map((_, i) => hold[i] ?? hold[0] ?? 0);
  const timed = conditionsOf(abortOn).find(({ measure: what }) => /^p[0-9]/.test(what));
  const short = [...holdMs, flags.baseline].find((ms) => ms < timedMsMin);
  if (timed !== undefined && short !== undefined)
    throw new MeshError(
      'invalid',
      `${short / 1_000} s of --hold or --baseline are too short for ${timed.measure}: an Envoy updates its statistics of times each 5 s, so give ${timedMsMin / 1_000}s or more`,
    );
  return holdMs;
}

function parseHolds(text: string): readonly number[] {
  return text.split(',').map((part) => {
    const ms = parseDurationMs(part.trim());
    if (ms === undefined || ms < 1_000 || ms > 24 * 3_600_000)
      throw new InvalidArgumentError(`'${part}' is not a time to hold a step: give 1s to 24h, such as 30s.`);
    return ms;
  });
}

function whoRuns(): string {
  const by = process.env.SUDO_USER === undefined ? '' : ` (${process.env.SUDO_USER})`;
  return `${userInfo().username}${by}@${hostname()}`;
}
