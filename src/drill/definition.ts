import type { Row } from './judge/row.ts';
import type { Verdict } from './judge/verdict.ts';
import type { LoadShape, Rates } from './load/loads.ts';
import type { Measurement } from './measure/measurement.ts';
import type { PhaseSeconds } from './measure/phases.ts';
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

/** What a run of a drill was told. */
export interface Choice {
  /** The drill's own options, each with a value. */
  readonly flags: Readonly<Record<string, string>>;
  /** The protection that is drilled is off: the negative control. */
  readonly unprotected: boolean;
  /** Shorter phases. */
  readonly quick: boolean;
  /** Of all that is random; default 1. */
  readonly seed?: number;
}

/**
 * A drill: one file under `drills/`, one row in `catalog.ts`. `F` is what it measures besides what every
 * drill does.
 */
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
  /** The scenarios of the tree that it is; absent when it is code. */
  readonly files?: readonly string[];
  /** Requests a second of each load; `--NAME-rate` changes one. */
  readonly rates: Rates;
  /** Of the arrival times, when none is given; default 1. */
  readonly seed?: number;
  /** Checks the choice, and says what this run will be. Throws MeshError 'invalid' in words. */
  plan(choice: Choice): DrillPlan<F>;
}

/** One run of a drill, planned. */
export interface DrillPlan<F extends object = object> {
  /** What is done, in words: the report's title. */
  readonly title: string;
  /** Names it among its drill's variants, in JUnit's suite. */
  readonly label: string;
  /**
   * Lengths of the phases by name, in their order. The report shades those whose names begin with `steady` as
   * quiet,
   * `recovery` as healing, and all others as the time in which something is broken.
   */
  readonly phases: PhaseSeconds;
  /**
   * Requests a second of each load where this run differs from its drill: a negative control may need little.
   */
  readonly rates?: Rates;
  readonly world: WorldPlan;
  /**
   * Whether its processes ask for real-time priority, also when they are started again: for small loads whose
   * queues are measured.
   */
  readonly realtime?: boolean;
  /**
   * The processes of the world, changed or added to by the drill: `parts` as every world has them. One that
   * is added has the kind `other`; those are started with the applications, before the Envoys.
   */
  parts?(parts: readonly Part[], context: PartsContext): readonly Part[];
  /** The loads that run from before the first phase to the end of the last. */
  loads(topology: Topology, rates: Rates): LoadShape[];
  /**
   * Does what the drill does: `await scene.begin(phase)` for each phase in order, steps between them.
   * Resolves with what the drill alone measured. Rejecting ends the drill as one that could not run: what the
   * mesh did wrong is measured and judged, not thrown.
   */
  play(scene: Scene): Promise<F>;
  /** Holds a measurement against the bounds. Pure: the same measurement, the same rows. */
  judge(m: Measurement & F): Row[];
  /**
   * Of a run without protection that was to fail: what speaks against its having failed for the right reason.
   */
  judgeControl(m: Measurement & F, verdict: Verdict): string[];
  /** What the drill adds to `report.json`. */
  figures(m: Measurement & F): object;
  /** In words of the negative control: what is off, and what its failing shows. */
  readonly control: {
    readonly off: string;
    readonly proves: string;
    /** Ids of rows that it must miss, where they are known beforehand: they tell the most of the drill. */
    readonly misses?: readonly string[];
  };
}
