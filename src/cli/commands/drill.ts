import { Command, InvalidArgumentError, Option } from 'commander';
import { MeshError } from '../../base/error.ts';
import { exitCode } from '../../base/exit.ts';
import type { Drill } from '../../drill/definition.ts';
import type { DrillOptions } from '../../drill/options.ts';
import { helpEnd } from '../help-end.ts';
import { liveCommand } from './drill-live.ts';

interface Flags extends Readonly<Record<string, unknown>> {
  readonly unprotected?: boolean;
  readonly expectFail?: boolean;
  readonly quick?: boolean;
  readonly runs: number;
  readonly seed?: number;
  readonly reportDir: string;
  readonly keepLogs?: boolean;
  readonly envoy?: string;
}

const drillExits =
  '0 all bounds held; 1 one was missed; 2 it could not run, or the machine was too busy to judge; 130 interrupted. With --expect-fail: 0 when it failed, for the right reason.';

/** `isthmus drill NAME`: a fault in a real mesh, judged by bounds. One subcommand for each drill. */
export function drillCommand(drills: readonly Drill[]): Command {
  const command = new Command('drill')
    .summary('drill an outage on real Envoys')
    .description(
      'Start a real mesh on this machine, inject a fault, and compare the effect with bounds. Needs Linux and an Envoy 1.40; what needs root too, such as lost packets, says so.',
    )
    .addHelpText(
      'after',
      helpEnd({
        exits: drillExits,
        examples: ['isthmus drill outage --quick', 'isthmus drill run --check my.yaml'],
      }),
    );
  for (const drill of drills) command.addCommand(commandOf(drill));
  command.addCommand(scenarioCommand());
  command.addCommand(allCommand());
  command.addCommand(liveCommand());
  return command;
}

function commandOf(drill: Drill): Command {
  const command = new Command(drill.name)
    .summary(drill.summary)
    .description(drill.description)
    .addHelpText(
      'after',
      helpEnd({
        exits: drillExits,
        examples: [
          `isthmus drill ${drill.name} --quick`,
          '# the negative control',
          `isthmus drill ${drill.name} --unprotected --expect-fail`,
        ],
      }),
    );
  for (const { name, value, description, choices, default: fallback } of drill.flags) {
    const option = new Option(`--${name} <${value}>`, description).default(fallback);
    command.addOption(choices ? option.choices(choices) : option);
  }
  addRunOptions(command, drill.unprotected);
  for (const [name, rate] of Object.entries(drill.rates)) {
    // No default here: a negative control may have another.
    const about = `requests per second of the load ‘${name}’ (default: ${rate})`;
    command.option(`--${name}-rate <rps>`, about, number(1));
  }
  return command.action(async (flags: Flags) => {
    const { runDrill } = await import('../../drill/drill.ts');
    const own = drill.flags.map(({ name }) => [name, String(flags[camelCase(name)])] as const);
    const rates = Object.keys(drill.rates).flatMap((name) => {
      const rate = flags[camelCase(`${name}-rate`)];
      return rate === undefined ? [] : [[name, Number(rate)] as const];
    });
    process.exitCode = await runDrill({
      ...runOptions(flags),
      name: drill.name,
      flags: Object.fromEntries(own),
      rates: Object.fromEntries(rates),
    });
  });
}

/** Options of every run of a drill. */
function addRunOptions(command: Command, unprotected: string): void {
  command
    .option('--unprotected', unprotected)
    .option('--expect-fail', 'exit 0 if, and only if, the verdict fails for the right reason')
    .option('--quick', 'shorter phases')
    .option('--runs <n>', 'how many times in a row', number(1), 1)
    .option(
      '--seed <n>',
      'of arrival times and everything else that is random (default: the drill’s own, else 1)',
      number(0),
    )
    .option('--report-dir <dir>', 'folder of index.html, report.json and junit.xml', 'drill-report')
    .option('--keep-logs', 'keep all logs, also when the drill passes')
    .addOption(envoyOption());
}

function envoyOption(): Option {
  return new Option(
    '--envoy <path>',
    'the Envoy to run (default: ENVOY_BIN, else envoy on PATH, else the package of PyPI in .venv)',
  );
}

function runOptions(flags: Flags): Omit<DrillOptions, 'name'> {
  return {
    runs: flags.runs,
    ...(flags.seed !== undefined && { seed: flags.seed }),
    reportDir: flags.reportDir,
    unprotected: flags.unprotected ?? false,
    expectFail: flags.expectFail ?? false,
    quick: flags.quick ?? false,
    keepLogs: flags.keepLogs ?? false,
    ...(flags.envoy !== undefined && { envoy: flags.envoy }),
  };
}

interface ScenarioFlags extends Flags {
  readonly check?: boolean;
  readonly rate: Readonly<Record<string, number>>;
}

/** `isthmus drill run FILE`: a drill from a file. */
function scenarioCommand(): Command {
  const command = new Command('run')
    .summary('run a scenario file: a world, a load, steps and bounds of your own')
    .description('Run a scenario file (docs/drills.md, docs/schemas/scenario.json), or check it.')
    .addHelpText(
      'after',
      helpEnd({
        exits: `${drillExits} With --check: 0 valid, there may be warnings; 1 it has errors.`,
        examples: ['isthmus drill run --check my.yaml', 'isthmus drill run my.yaml --rate caller=100'],
      }),
    )
    .argument('<file>', 'the scenario, YAML')
    .option('--check', 'check it, report errors and probable mistakes with file and line, and start nothing')
    .addOption(
      new Option('--rate <name=rps>', 'requests per second of a rate that it names; repeat for more')
        .argParser(rate)
        .default({}, 'those of the file'),
    );
  addRunOptions(command, 'the scenario’s negative control, as declared');
  return command.action(async (file: string, flags: ScenarioFlags) => {
    const { readScenarioFile } = await import('../../drill/scenario/document/read.ts');
    const { scenario, faults } = readScenarioFile(file);
    for (const fault of faults) process.stderr.write(`${fault}\n`);
    if (scenario) {
      const known = Object.keys(scenario.spec.rates);
      const wrong = Object.keys(flags.rate).find((name) => !known.includes(name));
      if (wrong !== undefined)
        throw new MeshError(
          'invalid',
          `--rate: ${file} has no rate '${wrong}': there are ${known.join(', ')}`,
        );
    }
    if (flags.check) {
      const also =
        faults.length === 0
          ? ''
          : `, but for ${faults.length === 1 ? 'a warning' : `${faults.length} warnings`}`;
      if (scenario) process.stdout.write(`${file}: ${scenario.metadata.name} is good${also}\n`);
      process.exitCode = scenario ? exitCode.ok : exitCode.failed;
      return;
    }
    if (!scenario) {
      process.exitCode = exitCode.unusable;
      return;
    }
    const { runDrill } = await import('../../drill/drill.ts');
    const { scenarioDrill } = await import('../../drill/scenario/plan.ts');
    const drill = scenarioDrill(scenario);
    process.exitCode = await runDrill({
      ...runOptions(flags),
      ...{ name: drill.name, drill, file, rates: flags.rate },
    });
  });
}

interface AllFlags {
  readonly quick?: boolean;
  readonly only: readonly string[];
  readonly reportDir: string;
  readonly keepLogs?: boolean;
  readonly envoy?: string;
}

/** `isthmus drill all`: every drill with its control, and one report. */
function allCommand(): Command {
  return new Command('all')
    .summary('run all drills, each with its negative control, and write one report')
    .description(
      'Run every built-in drill and scenario, each with its negative control beside it (over an hour; --quick: shorter phases, one seed of chaos), and write one report. Those that this machine does not allow (root, network namespaces) are skipped, and listed.',
    )
    .addHelpText(
      'after',
      helpEnd({
        exits:
          '0 all bounds met, and each control failed as it must; 1 not; 2 nothing could be run; 130 interrupted.',
        examples: ['isthmus drill all --quick', 'isthmus drill all --only overload,gray,chaos-1'],
      }),
    )
    .option('--quick', 'shorter phases')
    .addOption(
      new Option('--only <names>', 'these drills alone, by commas').argParser(names).default([], 'all'),
    )
    .option(
      '--report-dir <dir>',
      'folder of index.html, report.json and a folder for each drill',
      'drill-report',
    )
    .option('--keep-logs', 'keep all logs, also of drills that pass')
    .addOption(envoyOption())
    .action(async ({ quick = false, keepLogs = false, ...given }: AllFlags) => {
      const { runAll } = await import('../../drill/suite/suite.ts');
      process.exitCode = await runAll({ quick, keepLogs, ...given });
    });
}

function names(text: string, before: readonly string[]): readonly string[] {
  const given = text.split(',').map((name) => name.trim());
  return [...before, ...given.filter((name) => name !== '')];
}

function rate(text: string, before: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError(`'${text}' is not NAME=RATE, such as caller=100.`);
  return { ...before, [text.slice(0, at)]: number(1)(text.slice(at + 1)) };
}

/** The name under which commander returns `--an-option`. */
function camelCase(option: string): string {
  return option.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

function number(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least) {
      throw new InvalidArgumentError(`'${text}' is not a whole number of at least ${least}.`);
    }
    return value;
  };
}
