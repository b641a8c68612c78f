import t from 'tap';
import { planRetryBudget } from '../../../src/plan/retries/budget.ts';

t.test('the minimum covers the requests that an outage breaks at one moment', async (t) => {
  t.equal(planRetryBudget({}), undefined);
  const min = (traffic: Parameters<typeof planRetryBudget>[0]) => planRetryBudget(traffic)?.min;
  t.strictSame(planRetryBudget({ retryBudget: { requestsPerSecond: 1 } }), { sharePercent: 20, min: 50 });
  t.equal(min({ retryBudget: { requestsPerSecond: 300 } }), 960, '300 × 3.2 s');
  t.equal(min({ retryBudget: { requestsPerSecond: 300 }, perTryTimeoutMs: 500 }), 150);
  t.equal(min({ retryBudget: { requestsPerSecond: 300 }, hedge: true }), 120, 'what hedging takes');
  t.equal(min({ retryBudget: { requestsPerSecond: 300 }, perTryTimeoutMs: 0 }), 960);
  t.equal(planRetryBudget({ retryBudget: { requestsPerSecond: 1, sharePercent: 35 } })?.sharePercent, 35);
});
