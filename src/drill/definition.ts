import type { Row } from './judge/row.ts';
import type { Verdict } from './judge/verdict.ts';
import type { LoadShape, Rates } from './load/loads.ts';
import type { Measurement } from './measure/measurement.ts';
import type { PhaseSeconds } from './measure/phases.ts';
import type { ReportTable } from './report/table.ts';
import type { Scene } from './scene.ts';
import type { Part, PartsContext } from './world/parts.ts';
import type { Topology, WorldPlan } from './world/topology.ts';

/** An option of one drill alone, as `--NAME VALUE`. */
export interface DrillFlag {
  readonly name: string;
  /** Shown in the help, such as `kind`. */
  readonly value: string;
  readonly description: string;
  /** What may be given, when that can be listed. */
  readonly choices?: readonly string[];
  readonly default: string;
}

/** The options of a run. */
export interface Choice {
  /** The drill's own options, each with a value. */
  readonly flags: Readonly<Record<string, string>>;
  /** The protection under test is off: the negative control. */
  readonly unprotected: boolean;
  /** Shorter phases. */
  readonly quick: boolean;
  /** Of all that is random; default 1. */
  readonly seed?: number;
}

/** A drill: one file under `drills/`, one row in `catalog.ts`. `F`: its own measurements. */
export interface Drill<F extends object = object> {
  /** As in `isthmus drill NAME` and `make drill-NAME`. */
  readonly name: string;
  /** A line for the list of drills. */
  readonly summary: string;
  /** What happens, and what is judged. */
  readonly description: string;
  /** What `--unprotected` does. */
  readonly unprotected: string;
  readonly flags: readonly DrillFlag[];
  /** The scenario files that it consists of; absent if it is code. */
  readonly files?: readonly string[];
  /** Requests a second of each load; `--NAME-rate` changes one. */
  readonly rates: Rates;
  /** Of the arrival times, when none is given; default 1. */
  readonly seed?: number;
  /** Validates the options, and plans the run. Throws MeshError 'invalid' with a message. */
  plan(choice: Choice): DrillPlan<F>;
}

/** A planned run of a drill. */
export interface DrillPlan<F extends object = object> {
  /** What is done, in words: the report's title. */
  readonly title: string;
  /** Names it among its drill's variants, in JUnit's suite. */
  readonly label: string;
  /**
   * Lengths of the phases by name, in order. The report shades names that begin with `steady` as quiet,
   * `recovery` as healing, and all others as faulty.
   */
  readonly phases: PhaseSeconds;
  /** Rates that differ from the drill's: a negative control may need little load. */
  readonly rates?: Rates;
  readonly world: WorldPlan;
  /**
   * Whether its processes ask for real-time priority, also when they are started again: for small loads whose
   * queues are measured.
   */
  readonly realtime?: boolean;
  /**
   * The processes of the world, changed or added to by the drill; `parts`: the default ones. An added one has
   * the kind `other`, and starts with the applications, before the Envoys.
   */
  parts?(parts: readonly Part[], context: PartsContext): readonly Part[];
  /** The loads that run from before the first phase to the end of the last. */
  loads(topology: Topology, rates: Rates): LoadShape[];
  /**
   * Runs the drill: `await scene.begin(phase)` for each phase in order, with steps between. Resolves with its
   * own measurements. A rejection means that the drill could not run: faults of the mesh are measured and
   * judged, not thrown.
   */
  play(scene: Scene): Promise<F>;
  /** Compares a measurement with the bounds. Pure. */
  judge(m: Measurement & F): Row[];
  /** For a negative control: why its failure may not have the right reason. */
  judgeControl(m: Measurement & F, verdict: Verdict): string[];
  /** Tables of the drill's own, for the report and the console. */
  tables?(m: Measurement & F): readonly ReportTable[];
  /** What the drill adds to `report.json`. */
  figures(m: Measurement & F): object;
  /** For the report on the negative control: what is off, and what its failure shows. */
  readonly control: {
    readonly off: string;
    readonly proves: string;
    /** Ids of rows that it must miss, if known in advance. */
    readonly misses?: readonly string[];
  };
}
