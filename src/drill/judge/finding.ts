/** A check of the measurement. */
export interface CheckFinding {
  readonly claim: string;
  readonly ok: boolean;
  /** What was found. */
  readonly detail: string;
}

/** A finding from contradictions: it holds without any, and names up to three otherwise. */
export function checkFindingOf(claim: string, wrong: readonly string[], seen: string): CheckFinding {
  const shown = wrong.slice(0, 3).join('; ');
  const more = wrong.length > 3 ? '; …' : '';
  return {
    claim,
    ok: wrong.length === 0,
    detail: wrong.length === 0 ? seen : `${wrong.length} disagree: ${shown}${more} (${seen})`,
  };
}
