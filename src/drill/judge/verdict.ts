import { machineId } from './machine.ts';
import type { Row } from './row.ts';

/** All bounds; passed when each holds. */
export interface Verdict {
  readonly passed: boolean;
  /**
   * Only times were missed, on a machine too busy to judge: neither passed nor failed. A failure for another
   * reason fails on any machine.
   */
  readonly unjudged: boolean;
  readonly rows: readonly Row[];
}

/** The verdict of these rows; of none at all, that nothing was shown. */
export function verdictOf(rows: readonly Row[]): Verdict {
  const bounds = rows.filter(({ id }) => id !== machineId);
  const missed = bounds.filter(({ ok }) => !ok);
  const unjudged = missed.length > 0 && isBusy(rows) && missed.every(({ timed }) => timed);
  return { passed: bounds.length > 0 && missed.length === 0, unjudged, rows };
}

/** Whether the machine was too busy to judge times. */
function isBusy(rows: readonly Row[]): boolean {
  return rows.some(({ id, ok }) => id === machineId && !ok);
}

/** How a row ended, for a verdict's readers. */
export function rowState(row: Row, { rows }: Pick<Verdict, 'rows'>): 'ok' | 'missed' | 'unjudged' {
  if (row.ok) return 'ok';
  return row.id === machineId || (row.timed && isBusy(rows)) ? 'unjudged' : 'missed';
}
