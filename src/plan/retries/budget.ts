import type { GroupTraffic } from '../../model/idc.ts';
import type { PlannedRetryBudget } from '../types.ts';
import { trafficDefaults } from './retry.ts';

/** What a Group gets that asks for a budget. */
const budgetDefaults = {
  /** Of the requests that are under way at the proxy, percent. */
  sharePercent: 20,
  /** Always allowed: an outage's first moments are few requests, all of them tried again. */
  min: 50,
  /**
   * The longest that a peer is gone before its proxies know it: all that was sent to it in that time is tried
   * again at once (decision 051).
   */
  unnoticedMs: 3_200,
} as const;

/**
 * How many tries after the first a Group may have under way at a first proxy at once; undefined: it asks for
 * no budget, and the connection pool's number holds. The minimum covers what an outage breaks at one moment:
 * requests a second × the time for which a dead try is not known to be dead, which a Group that declares a
 * time for each try bounds.
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
