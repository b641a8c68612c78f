import type { Row } from './row.ts';

/** All bounds; passed when each holds. */
export interface Verdict {
  readonly passed: boolean;
  readonly rows: readonly Row[];
}

/** The verdict of these rows; of none at all, that nothing was shown. */
export function verdictOf(rows: readonly Row[]): Verdict {
  return { passed: rows.length > 0 && rows.every((row) => row.ok), rows };
}
