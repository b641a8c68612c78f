import { phaseOf } from '../../judge/analysis.ts';
import { percent, seconds, timedBy, timeLine } from '../../judge/row.ts';
import { sliceBy } from '../../judge/stats.ts';
import { type Sample, succeeded } from '../../load/sample.ts';
import { dueIn, fateOf } from '../../measure/fates.ts';
import { durationField, msOf } from '../document/fields.ts';
import type { ScenarioMeasurement } from '../measurement.ts';
import { bound } from './bound.ts';

/** Failback is complete once the share of the IDC stays within this of its steady value. */
const failbackTolerance = 0.05;

/** Windows over which that share is computed, in milliseconds: 50 requests or more at 100 a second. */
const failbackWindowMs = 500;

/** The lost IDC serves its share again, and no request fails meanwhile. */
export const failbackBound = bound(
  durationField.meta({
    description:
      'Time limit from when the lost IDC is healthy until it serves its share again. No request may fail after healing began.',
  }),
  (m, most) => {
    const back = failbackFigures(m);
    const mostMs = msOf(most);
    return [
      {
        id: 'failback',
        claim: `${m.lostIdc} serves its share again, after its instances are healthy`,
        bound: `≤ ${mostMs / 1000} s`,
        measured: Number.isNaN(back.afterHealthyMs)
          ? 'not back by the end'
          : `${seconds(back.afterHealthyMs)} (${seconds(back.afterHealMs)} after healing began; steady share ${percent(back.steadyShare)})`,
        ok: back.afterHealthyMs <= mostMs,
        ...timedBy(back.afterHealthyMs),
        ...timeLine(m.healthyAt, mostMs),
      },
      {
        id: 'failback-failed',
        claim: 'Requests that failed after healing began',
        bound: '0',
        measured: String(back.failed),
        ok: back.failed === 0,
      },
    ];
  },
);

/** How the load returned to the lost IDC. Times in milliseconds. */
interface FailbackFigures {
  /** Its share in the first steady phase, of the loads that it serves then. */
  readonly steadyShare: number;
  /** From when its instances answered again until its share was back and stayed; NaN when it never was. */
  readonly afterHealthyMs: number;
  /** The same from when healing began. */
  readonly afterHealMs: number;
  /** Requests that failed from then on. */
  readonly failed: number;
}

/** Computed over the loads that the lost IDC serves in the first steady phase. */
export function failbackFigures(m: ScenarioMeasurement): FailbackFigures {
  const steady = dueIn(m.samples, phaseOf(m, 'steady')).filter(succeeded);
  const home = new Set(steady.filter((s) => s.idc === m.lostIdc).map((s) => s.stream));
  // Failed requests count in the divisor.
  const shareOf = (list: readonly Sample[]) =>
    list.length === 0
      ? Number.NaN
      : list.filter((s) => succeeded(s) && s.idc === m.lostIdc).length / list.length;
  const steadyShare = shareOf(steady.filter((s) => home.has(s.stream)));
  const from = m.healed.from;
  const to = m.phases.at(-1)?.to ?? from;
  const after = dueIn(m.samples, { from, to });
  const windows = sliceBy(
    after.filter((s) => home.has(s.stream)),
    (s) => s.due,
    { from, to, width: failbackWindowMs },
    // The last window is narrower, and may hold too few requests.
  ).filter((window) => window.to - window.from > 0.99 * failbackWindowMs);
  const isBack = (items: readonly Sample[]) => shareOf(items) >= steadyShare - failbackTolerance;
  const lastAway = windows.findLastIndex((window) => !isBack(window.items));
  // The window after the last one below the share; none if that was the last of all.
  const backAt = windows[lastAway + 1]?.from ?? Number.NaN;
  return {
    steadyShare,
    afterHealMs: backAt - from,
    // The share may be back before the last instance answers a probe.
    afterHealthyMs: Math.max(0, backAt - m.healthyAt),
    failed: after.filter((s) => fateOf(s, m) === 'failed').length,
  };
}
