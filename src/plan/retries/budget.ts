import type { GroupTraffic } from '../../model/idc.ts';
import type { PlannedRetryBudget } from '../types.ts';
import { trafficDefaults } from './retry.ts';

/** Defaults of a retry budget. */
const budgetDefaults = {
  /** Percentage of the requests in flight at the proxy. */
  sharePercent: 20,
  /** Always allowed: at the start of an outage few requests are in flight, and all are retried. */
  min: 50,
  /**
   * The longest time until a dead peer is detected: everything sent to it in that time is retried at once
   * (decision 051).
   */
  unnoticedMs: 3_200,
} as const;

/**
 * The limit on concurrent retries of a Group at a first proxy; undefined: no budget, the connection pool's
 * limit applies. The minimum covers what an outage breaks at once: requests a second × detection time, which
 * a timeout of tries bounds.
 */
export function planRetryBudget({
  retryBudget,
  perTryTimeoutMs,
  hedge = trafficDefaults.hedge,
}: GroupTraffic): PlannedRetryBudget | undefined {
  if (retryBudget === undefined) return undefined;
  const { sharePercent = budgetDefaults.sharePercent, requestsPerSecond } = retryBudget;
  const declaredMs = perTryTimeoutMs || (hedge ? trafficDefaults.hedgedPerTryTimeoutMs : 0);
  const unnoticedMs = declaredMs || budgetDefaults.unnoticedMs;
  const broken = Math.ceil((requestsPerSecond * unnoticedMs) / 1000);
  return { sharePercent, min: Math.max(budgetDefaults.min, broken) };
}
