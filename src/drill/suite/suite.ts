import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MeshError } from '../../base/error.ts';
import { drillExit, runDrill } from '../drill.ts';
import type { Row } from '../judge/row.ts';
import { readOptions } from '../options.ts';
import { machineClock } from '../time.ts';
import { checkMachine } from '../world/stage.ts';
import { renderSummaryHtml, summaryJson, summaryLines } from './report.ts';
import { isMet, type RunResult, type RunState, type TrialResult } from './result.ts';
import { planTrials, selectTrials, type Trial } from './trials.ts';

/** What `isthmus drill all` is told. */
export interface SuiteOptions {
  readonly quick: boolean;
  /** Names of the drills to run; all when there are none. */
  readonly only: readonly string[];
  readonly reportDir: string;
  readonly keepLogs: boolean;
  /** The path of the Envoy to run; default: the one that `findEnvoy` finds. */
  readonly envoy?: string;
  /** Default standard output. */
  readonly say?: (line: string) => void;
}

/**
 * Runs drills one after another, each with its negative control, and writes one report of all: `index.html`,
 * `report.json`. Resolves with the exit code: 0 all bounds met and all controls failed as they must, skipped
 * ones told; 1 one was missed, proved nothing or could not run; 2 nothing was run; 130 interrupted. Never
 * rejects.
 */
export async function runAll(options: SuiteOptions): Promise<number> {
  const say = options.say ?? ((line: string) => process.stdout.write(`${line}\n`));
  let trials: readonly Trial[];
  try {
    trials = selectTrials(planTrials(options), options.only);
  } catch (reason) {
    say(MeshError.from(reason).message);
    return drillExit.unable;
  }
  const began = new Date(machineClock.wall());
  const results: TrialResult[] = [];
  for (const [i, trial] of trials.entries()) {
    say(`\n== ${i + 1} of ${trials.length}: ${trial.name}`);
    const result = await runTrial(trial, options, say);
    if (!result) return drillExit.interrupted;
    results.push(result);
    // After each: who interrupts it has what there is.
    write(options.reportDir, results, began);
  }
  for (const line of summaryLines(results)) say(line);
  say(`report: ${join(options.reportDir, 'index.html')}`);
  if (results.every(({ run }) => run.state === 'skipped')) return drillExit.unable;
  return results.every(isMet) ? drillExit.passed : drillExit.missed;
}

function write(dir: string, results: readonly TrialResult[], began: Date): void {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'index.html'), renderSummaryHtml(results, began));
  writeFileSync(join(dir, 'report.json'), `${JSON.stringify(summaryJson(results, began), null, 2)}\n`);
}

/** Runs a drill and its control; undefined when it was interrupted. */
async function runTrial(
  trial: Trial,
  options: SuiteOptions,
  say: (line: string) => void,
): Promise<TrialResult | undefined> {
  const { name, noControl, less } = trial;
  const wrong = lackOf(trial, options, false);
  const told = wrong && less && lackOf({ ...trial, flags: less.flags }, options, false) === undefined;
  const own = told ? { ...trial, flags: less.flags } : trial;
  const notes = [
    ...(told ? [`without ${less.without}: ${wrong}`] : []),
    ...(noControl === undefined ? [] : [`no control of its own: ${noControl}`]),
  ];
  const { title } = planOf(own, options, false).plan;
  let run = await runOne(own, options, false, say);
  if (run?.state === 'unjudged') {
    say('the machine was too busy to judge it: running it once more');
    run = await runOne(own, options, false, say);
  }
  if (!run) return undefined;
  const control =
    noControl === undefined && run.state !== 'skipped' ? await runOne(own, options, true, say) : undefined;
  if (noControl === undefined && run.state !== 'skipped' && !control) return undefined;
  return { name, title, run, notes, ...(control && { control }) };
}

function planOf({ drill, flags, seed }: Trial, { quick }: SuiteOptions, unprotected: boolean) {
  return readOptions({
    ...{ name: drill.name, drill, quick, unprotected },
    ...(flags && { flags }),
    ...(seed !== undefined && { seed }),
  });
}

/** What this machine lacks for a trial, in words; undefined when it lacks nothing. */
function lackOf(trial: Trial, options: SuiteOptions, unprotected: boolean): string | undefined {
  try {
    checkMachine(planOf(trial, options, unprotected).plan.world);
    return undefined;
  } catch (reason) {
    const error = MeshError.from(reason);
    if (error.code !== 'unsupported') throw reason;
    return error.message;
  }
}

/** One run; undefined when it was interrupted. */
async function runOne(
  trial: Trial,
  options: SuiteOptions,
  unprotected: boolean,
  say: (line: string) => void,
): Promise<RunResult | undefined> {
  const { drill, file, flags, seed } = trial;
  const lack = lackOf(trial, options, unprotected);
  if (lack !== undefined) {
    say(`skipped: ${lack}`);
    return { state: 'skipped', why: lack, rows: [], seconds: 0 };
  }
  const folder = `${trial.name}${unprotected ? '-unprotected' : ''}`;
  const reportDir = join(options.reportDir, folder);
  // That of an earlier run would pass for this one's.
  rmSync(join(reportDir, 'report.json'), { force: true });
  const from = machineClock.now();
  const code = await runDrill({
    ...{ name: drill.name, drill, quick: options.quick, keepLogs: options.keepLogs, reportDir, say },
    ...(file !== undefined && { file }),
    ...(flags && { flags }),
    ...(seed !== undefined && { seed }),
    ...(unprotected && { unprotected, expectFail: true }),
    ...(options.envoy !== undefined && { envoy: options.envoy }),
  });
  if (code === drillExit.interrupted) return undefined;
  const seconds = (machineClock.now() - from) / 1000;
  const { verdict = [], unable, unjudged, expectedToFail, mattersMost } = readReport(reportDir);
  const state = stateBy(code, unjudged && !unprotected);
  const why = state === 'unable' ? (unable ?? 'it could not run') : expectedToFail?.against.join('; ');
  return {
    state,
    rows: verdict,
    seconds,
    report: `${folder}/index.html`,
    ...(why && { why }),
    ...(mattersMost && { mattersMost }),
  };
}

function stateBy(code: number, unjudged = false): RunState {
  if (code === drillExit.passed) return 'passed';
  if (code === drillExit.missed) return 'missed';
  return unjudged ? 'unjudged' : 'unable';
}

/** What is read of a drill's own report. */
interface Report {
  readonly verdict?: readonly Row[];
  readonly unable?: string;
  readonly unjudged?: boolean;
  readonly mattersMost?: readonly string[];
  readonly expectedToFail?: { readonly against: readonly string[] };
}

function readReport(dir: string): Report {
  try {
    return JSON.parse(readFileSync(join(dir, 'report.json'), 'utf8'));
  } catch {
    return {};
  }
}
