import t from 'tap';
import { divideByPriority, factorOf, type PriorityHealth } from '../../../src/plan/health/priorities.ts';

const level = (healthy: number, hosts: number, factor = 200, degraded = 0): PriorityHealth => ({
  ...{ healthy, hosts, factor, degraded },
});

t.test('requests are divided as Envoy divides them', async (t) => {
  for (const [levels, percents] of [
    [
      [level(4, 4), level(1, 1)],
      [100, 0],
    ],
    [
      [level(2, 4), level(1, 1)],
      [100, 0],
    ],
    [
      [level(1, 4), level(1, 1)],
      [50, 50],
    ],
    [
      [level(1, 3), level(1, 1)],
      [66, 34],
    ],
    [
      [level(0, 4), level(1, 1)],
      [0, 100],
    ],
    [
      [level(0, 4), level(0, 1)],
      [0, 0],
    ],
    [
      [level(0, 0), level(1, 1)],
      [0, 100],
    ],
    // All that is left together is less than enough: in proportion.
    [
      [level(1, 8), level(1, 8)],
      [50, 50],
    ],
    [[level(1, 8)], [100]],
    // A part of the requests is kept.
    [
      [level(2, 2, 30), level(1, 1)],
      [30, 70],
    ],
    [
      [level(1, 2, 30), level(1, 1)],
      [15, 85],
    ],
    [
      [level(2, 2, 30), level(0, 1)],
      [100, 0],
    ],
    // Degraded hosts get what healthy ones of all priorities leave.
    [
      [level(0, 2, 200, 2), level(1, 1)],
      [0, 100],
    ],
    [
      [level(0, 2, 200, 2), level(1, 4)],
      [50, 50],
    ],
    [
      [level(0, 2, 200, 2), level(0, 1)],
      [100, 0],
    ],
    [[], []],
  ] as const)
    t.strictSame(divideByPriority(levels), percents, JSON.stringify(levels));
});

t.test('the factor of a Group that keeps a part, all or nothing', async (t) => {
  t.equal(factorOf({}), 200);
  t.equal(factorOf({ localShare: 0 }), 200);
  t.equal(factorOf({ localShare: 30 }), 30);
});
