import type { Timeline, TimePoint } from '../../judge/timeline.ts';

/** The sum of a figure over a list. */
export function sumOf<T>(list: readonly T[], pick: (each: T) => number): number {
  return list.reduce((sum, each) => sum + pick(each), 0);
}

/**
 * A timeline of at most `most` columns: neighbours are counted together. The p50 is their mean, the p99 and
 * the slowest their worst.
 */
export function columnsOf(timeline: Timeline, most: number): Timeline {
  return mergedBy(timeline, Math.ceil(timeline.points.length / most));
}

/**
 * A timeline with a point for each second or, so that there are at most `rows`, for several seconds. The p99
 * is that of the worst second within the point: none of what was before.
 */
export function secondsOf(timeline: Timeline, rows: number): Timeline {
  const seconds = Math.max(1, Math.ceil(timeline.seconds / rows));
  const perSecond = Math.max(1, Math.round(1000 / timeline.widthMs));
  return mergedBy(timeline, Math.max(1, Math.round((seconds * 1000) / timeline.widthMs)), perSecond - 1);
}

/** `before`: points of the past that the p99 of a point includes, and that of the merged one does not. */
function mergedBy(timeline: Timeline, by: number, before = 0): Timeline {
  if (by <= 1) return timeline;
  const count = Math.ceil(timeline.points.length / by);
  const points = Array.from({ length: count }, (_, i) =>
    together(timeline.points.slice(i * by, (i + 1) * by), timeline.idcs, before),
  );
  return { ...timeline, widthMs: timeline.widthMs * by, points };
}

/** Several points as one, at their middle. */
function together(points: readonly TimePoint[], idcs: readonly string[], before: number): TimePoint {
  const known = (pick: (p: TimePoint) => number | undefined) =>
    points.map(pick).filter((value) => value !== undefined);
  const [p50, max] = [known((p) => p.p50), known((p) => p.max)];
  const whole = points.slice(before).flatMap(({ p99 }) => (p99 === undefined ? [] : [p99]));
  // A point of less than a second, such as the last: no more than its slowest.
  const reaching = known((p) => p.p99).slice(-1);
  const p99 = whole.length > 0 ? whole : reaching.map((value) => Math.min(value, Math.max(...max)));
  const count = (kind: 'served' | 'failed' | 'lostInFlight' | 'refused') => sumOf(points, (p) => p[kind]);
  return {
    second: sumOf(points, (p) => p.second) / points.length,
    served: count('served'),
    failed: count('failed'),
    lostInFlight: count('lostInFlight'),
    refused: count('refused'),
    ...(p50.length > 0 && {
      p50: sumOf(p50, (value) => value) / p50.length,
      p99: Math.max(...p99),
      max: Math.max(...max),
    }),
    byIdc: Object.fromEntries(idcs.map((idc) => [idc, sumOf(points, (p) => p.byIdc[idc] ?? 0)])),
  };
}
