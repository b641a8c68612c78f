import t from 'tap';
import type { Timeline, TimePoint } from '../../../src/drill/judge/timeline.ts';
import { columnsOf, secondsOf } from '../../../src/drill/report/page/slices.ts';

// The table of values, by second: the p99 of each point is that of the second that ends there.

/** Points of 100 ms: one request each, of these milliseconds. */
function timeline(slowest: readonly number[]): Timeline {
  const points = slowest.map((max, i): TimePoint => {
    const p99 = Math.max(...slowest.slice(Math.max(0, i - 9), i + 1));
    const counts = { served: 1, failed: 0, lostInFlight: 0, refused: 0 };
    return { second: (i + 0.5) / 10, ...counts, p50: max, p99, max, byIdc: { 'sh-a': 1 } };
  });
  const common = { widthMs: 100, idcs: ['sh-a'], phases: [], marks: [] };
  return { ...common, seconds: slowest.length / 10, points };
}

const slow = [...Array(9).fill(1), 90, ...Array(10).fill(4), ...Array(5).fill(3)];

t.test('a second has the p99 of its own requests', async (t) => {
  const { points } = secondsOf(timeline(slow), 60);
  t.strictSame(
    points.map(({ p99, max }) => [p99, max]),
    [
      [90, 90],
      [4, 4],
      [3, 3],
    ],
    'the slow request of the first second is none of the next, and the last is half a second',
  );
});

t.test('several seconds have that of the worst of them', async (t) => {
  const { points, widthMs } = secondsOf(timeline(slow.slice(0, 20)), 1);
  t.equal(widthMs, 2_000);
  t.strictSame(
    points.map(({ p99, max }) => [p99, max]),
    [[90, 90]],
  );
});

t.test('a column of a plot keeps its worst', async (t) => {
  t.equal(columnsOf(timeline(slow), 5).points[2]?.p99, 90, 'the last second reaches back');
});
