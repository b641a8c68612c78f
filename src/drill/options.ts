import { MeshError } from '../base/error.ts';
import { drillNamed } from './catalog.ts';
import type { Drill, DrillPlan } from './definition.ts';
import type { Rates } from './load/loads.ts';
import { layPhases, type PhaseSeconds } from './measure/phases.ts';

/** What `isthmus drill` is told; everything but the name has a default. */
export interface DrillOptions {
  readonly name: string;
  /** The drill itself, when it is none of the catalog: a scenario file. */
  readonly drill?: Drill;
  /** The path of that file. */
  readonly file?: string;
  /** The drill's own options by name, such as `outage: 'stop'`. */
  readonly flags?: Readonly<Record<string, string>>;
  /** The protection that is drilled off: the negative control. */
  readonly unprotected?: boolean;
  /** Exit 0 if, and only if, the drill failed for the right reason. Needs `unprotected`. */
  readonly expectFail?: boolean;
  /** Where the report goes; default `drill-report`. */
  readonly reportDir?: string;
  /** Requests a second of a load, by its name. */
  readonly rates?: Rates;
  /** Lengths of phases in seconds, by name. */
  readonly phases?: PhaseSeconds;
  /** How many times in a row; default 1. */
  readonly runs?: number;
  /** Shorter phases. */
  readonly quick?: boolean;
  /** Of the arrival times; default the drill's, else 1. */
  readonly seed?: number;
  /** Keep the logs of all processes beside the report. */
  readonly keepLogs?: boolean;
  /** The path of the Envoy to run; default: the one that `findEnvoy` finds. */
  readonly envoy?: string;
  /** Where progress and verdict go; default standard output. */
  readonly say?: (line: string) => void;
}

/** Options with every default filled in, checked. */
export interface DrillSettings {
  readonly drill: Drill;
  readonly plan: DrillPlan;
  readonly flags: Readonly<Record<string, string>>;
  readonly unprotected: boolean;
  readonly expectFail: boolean;
  readonly reportDir: string;
  readonly rates: Rates;
  readonly phases: PhaseSeconds;
  readonly runs: number;
  readonly seed: number;
  readonly keepLogs: boolean;
  /** The command that repeats the run. */
  readonly command: string;
}

/** Checks options. Throws MeshError 'invalid' that says what is wrong and what would be right. */
export function readOptions(options: DrillOptions): DrillSettings {
  const drill = options.drill ?? drillNamed(options.name);
  const unprotected = options.unprotected ?? false;
  if (options.expectFail && !unprotected) {
    throw new MeshError('invalid', 'Only an unprotected drill can be expected to fail: add --unprotected.');
  }
  const defaults = Object.fromEntries(drill.flags.map((flag) => [flag.name, flag.default]));
  const flags = override(`options of the drill ${drill.name}`, defaults, options.flags);
  const seed = options.seed ?? drill.seed ?? 1;
  const plan = drill.plan({ flags, unprotected, quick: options.quick ?? false, seed });
  const rates = override('loads', { ...drill.rates, ...plan.rates }, options.rates);
  for (const [name, rate] of Object.entries(rates)) {
    if (!(rate >= 1 && rate <= 100_000)) {
      throw new MeshError(
        'invalid',
        `The rate of the ${name} must be 1 to 100,000 requests a second, not ${rate}.`,
      );
    }
  }
  const runs = options.runs ?? 1;
  if (!Number.isInteger(runs) || runs < 1) throw new MeshError('invalid', `Runs are 1 or more, not ${runs}.`);
  const phases = override('phases', plan.phases, options.phases);
  layPhases(phases, 0);
  return {
    drill,
    plan,
    flags,
    unprotected,
    expectFail: options.expectFail ?? false,
    reportDir: options.reportDir ?? 'drill-report',
    rates,
    phases,
    runs,
    seed,
    keepLogs: options.keepLogs ?? false,
    command: commandOf(options, flags, seed),
  };
}

/** The command line of these options, with every option that changes what is measured. */
function commandOf(
  { name, file, rates = {}, ...options }: DrillOptions,
  flags: Readonly<Record<string, string>>,
  seed: number,
): string {
  const rate = (load: string) => (file === undefined ? `--${load}-rate ` : `--rate ${load}=`);
  return [
    file === undefined ? `isthmus drill ${name}` : `isthmus drill run ${file}`,
    ...Object.entries(flags).map(([flag, value]) => `--${flag} ${value}`),
    ...(options.quick ? ['--quick'] : []),
    `--seed ${seed}`,
    ...Object.entries(rates).map(([load, perSecond]) => `${rate(load)}${perSecond}`),
    ...(options.unprotected ? ['--unprotected'] : []),
    ...(options.expectFail ? ['--expect-fail'] : []),
  ].join(' ');
}

/** Defaults with some replaced, in their order. What has no default is a mistake. */
function override<T>(
  what: string,
  defaults: Readonly<Record<string, T>>,
  given: Readonly<Record<string, T>> = {},
): Record<string, T> {
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(defaults, name));
  if (unknown !== undefined) {
    const names = Object.keys(defaults).join(', ') || 'none';
    throw new MeshError('invalid', `'${unknown}' is none of the ${what}: ${names}.`);
  }
  return { ...defaults, ...given };
}
