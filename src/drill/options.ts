import { MeshError } from '../base/error.ts';
import { type OutageKind, parseOutage } from './drills/outage.ts';
import type { Rates } from './loads.ts';
import { defaultPhases, layPhases, type PhaseSeconds, quickPhases, siteRecoverySeconds } from './phases.ts';

/** What `isthmus drill` is told; everything but the name has a default. */
export interface DrillOptions {
  readonly name: 'outage';
  /** One of `outageKinds`; default `kill`. */
  readonly outage?: string;
  /** Cross-IDC priorities off: the negative control. */
  readonly unprotected?: boolean;
  /** Exit 0 if, and only if, the drill failed for the right reason. Needs `unprotected`. */
  readonly expectFail?: boolean;
  /** Where the report goes; default `drill-report`. */
  readonly reportDir?: string;
  /** Requests a second; default 500 from the caller, 100 from the edge. */
  readonly rates?: Partial<Rates>;
  /** Lengths of phases in seconds. */
  readonly phases?: Partial<PhaseSeconds>;
  /** How many times in a row; default 1. */
  readonly runs?: number;
  /** Shorter phases. */
  readonly quick?: boolean;
  /** Of the arrival times; default 1. */
  readonly seed?: number;
  /** Keep the logs of all processes beside the report. */
  readonly keepLogs?: boolean;
  /** Where progress and verdict go; default standard output. */
  readonly say?: (line: string) => void;
}

/** Options with every default filled in, checked. */
export interface DrillSettings {
  readonly outage: OutageKind;
  readonly crossing: boolean;
  readonly expectFail: boolean;
  readonly reportDir: string;
  readonly rates: Rates;
  readonly phases: PhaseSeconds;
  readonly runs: number;
  readonly seed: number;
  readonly keepLogs: boolean;
}

/** Checks options. Throws MeshError 'invalid' that says what is wrong and what would be right. */
export function readOptions(options: DrillOptions): DrillSettings {
  const outage = parseOutage(options.outage ?? 'kill');
  const unprotected = options.unprotected ?? false;
  if (options.expectFail && !unprotected) {
    throw new MeshError('invalid', 'A failure is expected only of an unprotected drill: add --unprotected.');
  }
  if (unprotected && outage === 'site') {
    const why = 'callers in sh-b never need sh-a, and clients of the edge go to sh-b by themselves';
    throw new MeshError('invalid', `OUTAGE=site cannot run unprotected: ${why}. Use another outage.`);
  }
  const rates = { caller: 500, edge: 100, ...options.rates };
  for (const [name, rate] of Object.entries(rates)) {
    if (!(rate >= 1 && rate <= 100_000)) {
      throw new MeshError(
        'invalid',
        `The rate of the ${name} is 1 to 100,000 requests a second, not ${rate}.`,
      );
    }
  }
  const runs = options.runs ?? 1;
  if (!Number.isInteger(runs) || runs < 1) throw new MeshError('invalid', `Runs are 1 or more, not ${runs}.`);
  // A whole site takes longer to start than its instances: its control plane comes first, and then its Envoys.
  const site = outage === 'site' ? { recovery: siteRecoverySeconds } : {};
  const phases = { ...(options.quick ? quickPhases : defaultPhases), ...site, ...options.phases };
  layPhases(phases, 0);
  return {
    outage,
    crossing: !unprotected,
    expectFail: options.expectFail ?? false,
    reportDir: options.reportDir ?? 'drill-report',
    rates,
    phases,
    runs,
    seed: options.seed ?? 1,
    keepLogs: options.keepLogs ?? false,
  };
}
