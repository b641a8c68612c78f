import { Command, InvalidArgumentError, Option } from 'commander';
import { outageKinds } from '../drill/drills/outage.ts';

interface Flags {
  readonly outage: string;
  readonly unprotected?: boolean;
  readonly expectFail?: boolean;
  readonly quick?: boolean;
  readonly runs: number;
  readonly seed: number;
  readonly callerRate: number;
  readonly edgeRate: number;
  readonly reportDir: string;
  readonly keepLogs?: boolean;
}

/** `isthmus drill`: break a real world and hold what happens against bounds. */
export function drillCommand(): Command {
  const outage = new Command('outage')
    .summary('lose the instances of one IDC, or all of it')
    .description(
      'Start two IDCs of real Envoys, send an open-loop load, take one of them away, bring it back, and judge what the clients saw. Needs the source tree (make drill sets it up). Exit 0: all bounds held; 1: one was missed.',
    )
    .addOption(new Option('--outage <kind>', 'what happens to sh-a').choices(outageKinds).default('kill'))
    .option('--unprotected', 'switch the priorities between IDCs off: the negative control')
    .option('--expect-fail', 'exit 0 if, and only if, the verdict fails for the right reason')
    .option('--quick', 'shorter phases')
    .option('--runs <n>', 'how many times in a row', number(1), 1)
    .option('--seed <n>', 'of the arrival times', number(0), 1)
    .option('--caller-rate <rps>', 'requests per second of the caller', number(1), 500)
    .option('--edge-rate <rps>', 'requests per second from outside', number(1), 100)
    .option('--report-dir <dir>', 'where index.html, report.json and junit.xml go', 'drill-report')
    .option('--keep-logs', 'keep all logs, also when the drill passes')
    .action(async ({ callerRate, edgeRate, ...flags }: Flags) => {
      const { runDrill } = await import('../drill/drill.ts');
      process.exitCode = await runDrill({
        name: 'outage',
        ...flags,
        rates: { caller: callerRate, edge: edgeRate },
      });
    });
  return new Command('drill').summary('drill an outage on real Envoys').addCommand(outage);
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
