import { phaseOf } from '../../judge/analysis.ts';
import { percent, seconds, timedBy } from '../../judge/row.ts';
import { sliceBy } from '../../judge/stats.ts';
import { type Sample, succeeded } from '../../load/sample.ts';
import { dueIn, fateOf } from '../../measure/fates.ts';
import { durationField, msOf } from '../document/fields.ts';
import type { ScenarioMeasurement } from '../measurement.ts';
import { bound } from './bound.ts';

/** Failing back is done when the share of the IDC is this close to its steady value, and stays so. */
const failbackTolerance = 0.05;

/** Windows in which that share is looked at, in milliseconds: 50 requests or more at 100 a second. */
const failbackWindowMs = 500;

/** The IDC that was lost has its share again, and nothing fails meanwhile. */
export const failback = bound(
  durationField.meta({
    description:
      'The IDC that was lost has its share again so long after it was healthy; nothing fails from healing on.',
  }),
  (m, most) => {
    const back = failbackFigures(m);
    const mostMs = msOf(most);
    return [
      {
        id: 'failback',
        claim: `Share of ${m.lostIdc} back after its instances were healthy`,
        bound: `≤ ${mostMs / 1000} s`,
        measured: Number.isNaN(back.afterHealthyMs)
          ? 'not back by the end'
          : `${seconds(back.afterHealthyMs)} (${seconds(back.afterHealMs)} after healing began; steady share ${percent(back.steadyShare)})`,
        ok: back.afterHealthyMs <= mostMs,
        ...timedBy(back.afterHealthyMs),
      },
      {
        id: 'failback-failed',
        claim: 'Requests that failed from healing on',
        bound: '0',
        measured: String(back.failed),
        ok: back.failed === 0,
      },
    ];
  },
);

/** How the IDC that was lost got its load back. Times in milliseconds. */
interface FailbackFigures {
  /** Share that it served in the first steady phase, of the loads that it serves then. */
  readonly steadyShare: number;
  /** From when the instances answered again to when its share was back for good; NaN when it never was. */
  readonly afterHealthyMs: number;
  /** The same from when healing began. */
  readonly afterHealMs: number;
  /** Requests that failed from then on. */
  readonly failed: number;
}

/** When the share of the lost IDC was back, among the loads that it serves when nothing is broken. */
export function failbackFigures(m: ScenarioMeasurement): FailbackFigures {
  const steady = dueIn(m.samples, phaseOf(m, 'steady')).filter(succeeded);
  const home = new Set(steady.filter((s) => s.idc === m.lostIdc).map((s) => s.stream));
  // Of all that was due: what failed was not served by anybody.
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
    // The last one is narrower, down to nothing: a share of two requests says nothing.
  ).filter((window) => window.to - window.from > 0.99 * failbackWindowMs);
  const isBack = (items: readonly Sample[]) => shareOf(items) >= steadyShare - failbackTolerance;
  const lastAway = windows.findLastIndex((window) => !isBack(window.items));
  // What follows the last window in which it was not back; none, if that was the last of all.
  const backAt = windows[lastAway + 1]?.from ?? Number.NaN;
  return {
    steadyShare,
    afterHealMs: backAt - from,
    // It may be back before the last part of it answers a probe.
    afterHealthyMs: Math.max(0, backAt - m.healthyAt),
    failed: after.filter((s) => fateOf(s, m) === 'failed').length,
  };
}
