import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { MeshError } from '../base/error.ts';
import { exitCode } from '../base/exit.ts';
import { failureText } from '../base/failure-text.ts';
import { machineRow } from './judge/machine.ts';
import { type Verdict, verdictOf } from './judge/verdict.ts';
import { environmentOf } from './measure/environment.ts';
import type { Measurement } from './measure/measurement.ts';
import { type DrillOptions, type DrillSettings, readOptions } from './options.ts';
import { raisePriority } from './process/priority.ts';
import { writeReport, writeUnable } from './report/report.ts';
import type { Outcome } from './report/report-outcome.ts';
import { figureLines, tableLines, verdictLines } from './report/text.ts';
import { runPhases } from './runner.ts';
import { machineClock } from './time.ts';
import { type EnvoyBinary, findEnvoy } from './world/envoy.ts';
import { checkPlatform, createStage } from './world/stage.ts';

/** The exit codes of every command, by what a drill found. */
export const drillExit = {
  passed: exitCode.ok,
  missed: exitCode.failed,
  unable: exitCode.unusable,
  interrupted: exitCode.interrupted,
} as const;

/**
 * Runs a drill, prints progress and verdict, and writes its report. Resolves with the exit code: 0 all bounds
 * met (with `expectFail`: missed, for the right reason), 1 a bound was missed, 2 the drill could not run, or
 * only times were missed on a machine too busy to judge them, 130 interrupted. Leaves no process, namespace
 * or temporary file, however it ends. Never rejects.
 */
export async function runDrill(options: DrillOptions): Promise<number> {
  const say = options.say ?? ((line: string) => process.stdout.write(`${line}\n`));
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort(new MeshError('unavailable', 'interrupted'));
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, interrupt);
  // `| head`, or a closed terminal: nobody sees the verdict any more. Never removed: errors come late.
  if (options.say === undefined) process.stdout.on('error', interrupt);
  try {
    const settings = readOptions(options);
    checkPlatform();
    const envoy = findEnvoy({ given: options.envoy });
    let worst: number = drillExit.passed;
    for (let run = 1; run <= settings.runs; run += 1) {
      if (settings.runs > 1) say(`run ${run} of ${settings.runs}`);
      const reportDir = settings.runs > 1 ? join(settings.reportDir, `run-${run}`) : settings.reportDir;
      const code = await runOnce({ ...settings, reportDir }, envoy, say, interrupted.signal);
      worst = worseOf(worst, code);
    }
    return worst;
  } catch (reason) {
    if (interrupted.signal.aborted) {
      say('interrupted: everything that the drill had started has been removed');
      return drillExit.interrupted;
    }
    say(`the drill could not run: ${failureText(reason)}`);
    return drillExit.unable;
  } finally {
    for (const signal of signals) process.removeListener(signal, interrupt);
  }
}

/** Of two runs: a missed bound of one is not hidden by another that could not be judged. */
function worseOf(a: number, b: number): number {
  const order: readonly number[] = [drillExit.passed, drillExit.unable, drillExit.missed];
  return order.indexOf(a) > order.indexOf(b) ? a : b;
}

async function runOnce(
  settings: DrillSettings,
  envoy: EnvoyBinary,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<number> {
  const { plan, unprotected, reportDir } = settings;
  const startedAt = machineClock.now();
  const began = new Date(machineClock.wall());
  say(`drill: ${plan.title}${unprotected ? ` (negative control: ${plan.control.off})` : ''}`);
  say(`Envoy ${envoy.version} (${envoy.path})`);
  // Logs of an earlier run could be mistaken for this one's.
  rmSync(join(reportDir, 'logs'), { recursive: true, force: true });
  const priority = raisePriority();
  const stage = await createStage({
    envoy,
    world: plan.world,
    parts: (parts, context) => plan.parts?.(parts, context) ?? parts,
    signal,
  }).catch((reason) => {
    priority.restore();
    writeUnable(reportDir, `drill ${plan.label}`, MeshError.from(reason).message);
    throw reason;
  });
  try {
    await stage.raise(say);
    const raisedMs = machineClock.now() - startedAt;
    say(`the world is ready after ${(raisedMs / 1000).toFixed(1)} s`);
    const measurement = await runPhases(stage, plan, { ...settings, say });
    const { verdict, against } = judged(measurement, settings);
    const outcome: Outcome = {
      measurement,
      verdict,
      environment: environmentOf(envoy, measurement.usage, priority.nice),
      settings,
      began,
      raisedMs,
      ...(against && { against }),
    };
    writeReport(reportDir, outcome);
    if (settings.keepLogs || (!verdict.passed && !settings.expectFail))
      stage.keepLogs(join(reportDir, 'logs'));
    const tables = plan.tables?.(measurement) ?? [];
    const lines = [...figureLines(measurement), ...tables.flatMap(tableLines), ...verdictLines(verdict)];
    for (const line of lines) say(line);
    say(`report: ${join(reportDir, 'index.html')}`);
    return conclude(verdict, against, say);
  } catch (reason) {
    if (!signal.aborted) {
      const logs = join(reportDir, 'logs');
      stage.keepLogs(logs);
      say(`logs of the world: ${logs}`);
      writeUnable(reportDir, `drill ${plan.label}`, MeshError.from(reason).message);
    }
    throw reason;
  } finally {
    await stage.close();
    priority.restore();
  }
}

/** The verdict; `against`: of a negative control, why it proves nothing. */
function judged(
  measurement: Measurement,
  { plan, expectFail }: DrillSettings,
): { readonly verdict: Verdict; readonly against: string[] | undefined } {
  const rows = plan.judge(measurement);
  const timed = rows.some((row) => row.timed);
  const verdict = verdictOf(timed ? [machineRow(measurement), ...rows] : rows);
  const against = expectFail
    ? [...busyControl(verdict), ...plan.judgeControl(measurement, verdict)]
    : undefined;
  return { verdict, against };
}

/** A control in which only times failed proves nothing on a busy machine, which may be the cause. */
function busyControl({ unjudged }: Verdict): string[] {
  return unjudged ? ['the machine was too busy to judge times, and nothing else failed'] : [];
}

function conclude(verdict: Verdict, against: string[] | undefined, say: (line: string) => void): number {
  if (against === undefined)
    return verdict.passed ? drillExit.passed : verdict.unjudged ? drillExit.unable : drillExit.missed;
  if (against.length === 0) {
    say('The negative control did its work: without protection the drill fails, so it can fail.');
    return drillExit.passed;
  }
  say(`The negative control proves nothing: ${against.join('; ')}.`);
  return drillExit.missed;
}
