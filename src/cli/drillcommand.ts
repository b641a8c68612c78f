import { Command, InvalidArgumentError, Option } from 'commander';
import type { Drill } from '../drill/definition.ts';

/** In the list of commands. */
export const drillSummary = 'drill an outage on real Envoys';

interface Flags extends Readonly<Record<string, unknown>> {
  readonly unprotected?: boolean;
  readonly expectFail?: boolean;
  readonly quick?: boolean;
  readonly runs: number;
  readonly seed: number;
  readonly reportDir: string;
  readonly keepLogs?: boolean;
}

/** `isthmus drill NAME`: break a real world and hold what happens against bounds. One subcommand for each drill. */
export function drillCommand(drills: readonly Drill[]): Command {
  const command = new Command('drill')
    .summary(drillSummary)
    .description(
      'Start a real world, break something in it, and hold what happens against bounds. Needs the source tree (make drill sets it up). Exit 0: all bounds held; 1: one was missed; 2: it could not run.',
    );
  for (const drill of drills) command.addCommand(commandOf(drill));
  return command;
}

function commandOf(drill: Drill): Command {
  const command = new Command(drill.name)
    .summary(drill.summary)
    .description(
      `${drill.description} Needs the source tree (make drill sets it up). Exit 0: all bounds held; 1: one was missed.`,
    );
  for (const { name, value, description, choices, default: fallback } of drill.flags) {
    const option = new Option(`--${name} <${value}>`, description).default(fallback);
    command.addOption(choices ? option.choices(choices) : option);
  }
  command
    .option('--unprotected', drill.unprotected)
    .option('--expect-fail', 'exit 0 if, and only if, the verdict fails for the right reason')
    .option('--quick', 'shorter phases')
    .option('--runs <n>', 'how many times in a row', number(1), 1)
    .option('--seed <n>', 'of the arrival times', number(0), 1);
  for (const [name, rate] of Object.entries(drill.rates)) {
    // No default here: a negative control may have another.
    const about = `requests per second of the ${name} (default: ${rate})`;
    command.option(`--${name}-rate <rps>`, about, number(1));
  }
  return command
    .option('--report-dir <dir>', 'where index.html, report.json and junit.xml go', 'drill-report')
    .option('--keep-logs', 'keep all logs, also when the drill passes')
    .action(async (flags: Flags) => {
      const { runDrill } = await import('../drill/drill.ts');
      const own = drill.flags.map(({ name }) => [name, String(flags[camelCase(name)])] as const);
      const rates = Object.keys(drill.rates).flatMap((name) => {
        const rate = flags[camelCase(`${name}-rate`)];
        return rate === undefined ? [] : [[name, Number(rate)] as const];
      });
      process.exitCode = await runDrill({
        name: drill.name,
        flags: Object.fromEntries(own),
        rates: Object.fromEntries(rates),
        runs: flags.runs,
        seed: flags.seed,
        reportDir: flags.reportDir,
        unprotected: flags.unprotected ?? false,
        expectFail: flags.expectFail ?? false,
        quick: flags.quick ?? false,
        keepLogs: flags.keepLogs ?? false,
      });
    });
}

/** The name under which commander hands over `--an-option`. */
function camelCase(option: string): string {
  return option.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

function number(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least) {
      throw new InvalidArgumentError(`'${text}' is no whole number of at least ${least}.`);
    }
    return value;
  };
}
