import { machineId } from '../judge/machine.ts';
import type { Row } from '../judge/row.ts';

/** How a run ended. Of a negative control `passed` means that it failed as it must. */
export type RunState = 'passed' | 'missed' | 'unjudged' | 'unable' | 'skipped';

/** One run: of a drill, or of its negative control. */
export interface RunResult {
  readonly state: RunState;
  /** Why it could not run, was skipped, or proves nothing. */
  readonly why?: string;
  readonly rows: readonly Row[];
  readonly seconds: number;
  /** Ids of rows that its control must miss. */
  readonly mattersMost?: readonly string[];
  /** Its own report, from the folder of the whole; absent when there is none. */
  readonly report?: string;
}

/** A drill with its negative control beside it. */
export interface TrialResult {
  readonly name: string;
  readonly title: string;
  readonly run: RunResult;
  /** Absent where it has none, or it was not run. */
  readonly control?: RunResult;
  /** Of the control: why there is none; of the drill: what was left out. */
  readonly notes: readonly string[];
}

/** Whether nothing was missed: what was skipped is told, and no failure. */
export function isMet({ run, control }: TrialResult): boolean {
  return [run, control].every((each) => !each || each.state === 'passed' || each.state === 'skipped');
}

/** A bound as it was measured with the protection, and without it. */
export interface Figure {
  readonly row: Row;
  readonly without?: Row;
}

/** Rows that the report of all shows at most of a drill. */
const figuresMax = 4;

/** Each row of a drill, beside the same of its control. */
export function trialFigures({ run, control }: TrialResult): Figure[] {
  return run.rows.map((row) => {
    const without = control?.rows.find(({ id }) => id === row.id);
    return { row, ...(without && { without }) };
  });
}

/**
 * The rows that tell the most: those that were missed, then those that hold because of the protection alone;
 * without a control the first ones.
 */
export function keyFiguresOf(result: TrialResult): Figure[] {
  const all = trialFigures(result).filter(({ row }) => row.id !== machineId);
  const missed = all.filter(({ row }) => !row.ok);
  const owed = all.filter(({ row, without }) => row.ok && without && !without.ok);
  const most = result.run.mattersMost ?? [];
  const first = owed.filter(({ row }) => most.includes(row.id));
  const key = [...missed, ...first, ...owed.filter((figure) => !first.includes(figure))];
  return (key.length > 0 ? key : all).slice(0, figuresMax);
}
