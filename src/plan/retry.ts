import type { GroupTraffic } from '../model/idc.ts';
import type { ListenerRole, RetryPlan, RetryRule } from './types.ts';

/** RFC 9110, 9.2.1: what they do, they may do twice. PUT and DELETE may only once the first has ended, which a broken connection does not say. */
const safeMethods = ['GET', 'HEAD', 'OPTIONS', 'TRACE'] as const;

/** What a Group gets that says nothing. */
export const trafficDefaults = {
  /** None: what takes long and is alive is not cut. */
  timeoutMs: 0,
  idleTimeoutMs: 3_600_000,
  retryBodyBytes: 4 * 2 ** 20,
  /** None: a slow try is not a dead one. */
  perTryTimeoutMs: 0,
  /** Of a Group that asks for hedging and names no time. */
  hedgedPerTryTimeoutMs: 400,
  hedge: false,
  retries: 3,
  idempotentMethods: safeMethods,
} as const;

/**
 * Where tries are hedged the ingress hedges a crossing too, within this part of the caller's time, or the caller begins
 * another first. Where they are given up it does not: what takes this long would never be answered in time after a crossing.
 */
const crossingPerTryPart = 0.4;

/**
 * The rule for a body that is larger than what is kept. Nobody holds it back while no try is under way, and when it outgrows
 * what is kept meanwhile it is lost: so the second try begins at once
 * (docs/decisions/055-bodies-are-kept-and-memory-is-bounded.md).
 */
export function atOnce(rule: RetryRule): RetryRule {
  return { ...rule, pauseMs: 1 };
}

/** The most tries that any request may make at instances: 4 at the first proxy times 2 at the peer ingress. */
export const instanceTriesMax = 8;

/**
 * The retry plan of one layer. Retries multiply, so just the first proxy has the full policy; the egress
 * repeats only what was never sent, and what one of several `others` has no room for; the peer ingress tries once more
 * (docs/ARCHITECTURE.md, "one layer retries").
 */
export function planRetry(listener: ListenerRole, traffic: GroupTraffic, others = 1): RetryPlan {
  const hedged = traffic.hedge ?? trafficDefaults.hedge;
  const { perTryTimeoutMs, hedgedPerTryTimeoutMs } = trafficDefaults;
  const perTryMs = traffic.perTryTimeoutMs ?? (hedged ? hedgedPerTryTimeoutMs : perTryTimeoutMs);
  const retries = traffic.retries ?? trafficDefaults.retries;
  const methods = traffic.idempotentMethods ?? trafficDefaults.idempotentMethods;
  switch (listener) {
    case 'outbound':
    case 'edge':
      return {
        timeoutMs: traffic.timeoutMs ?? trafficDefaults.timeoutMs,
        idempotentMethods: methods,
        idempotent: { ...rule(['unsent', 'reset', 'gateway-error'], retries, 1), ...within(perTryMs) },
        other: rule(['unsent', 'told-unsent'], retries, 1),
      };
    case 'peer':
      return {
        timeoutMs: 0,
        idempotentMethods: methods,
        // Both tries at instances: to hand on is for an IDC that is known to have none.
        idempotent: {
          ...rule(['unsent', 'reset', 'gateway-error'], 1, 2),
          ...(hedged ? within(perTryMs * crossingPerTryPart) : {}),
        },
        other: rule(['unsent', 'told-unsent'], 1, 1),
      };
    case 'sidecar':
    case 'ingress': {
      // Two tries per IDC, so that one dead ingress gateway costs no crossing to a less preferred IDC.
      const next = rule(
        ['unsent', ...(others > 1 ? (['told-full'] as const) : [])],
        Math.max(3, 2 * others - 1),
        2,
      );
      return { timeoutMs: 0, idempotentMethods: methods, idempotent: next, other: next };
    }
  }

  /** A time for each try, where another may follow. */
  function within(ms: number): Pick<RetryRule, 'perTryMs' | 'hedged'> {
    return ms === 0 || retries === 0 ? { perTryMs: 0, hedged: false } : { perTryMs: Math.round(ms), hedged };
  }
}

/**
 * The peer listener's plan for requests that have crossed more than once: what reached an instance is not tried
 * again here, or the tries of all the IDCs on the way would multiply.
 */
export function planRetryUnsent(traffic: GroupTraffic): RetryPlan {
  const unsent = rule(['unsent'], 1, 2);
  const methods = traffic.idempotentMethods ?? trafficDefaults.idempotentMethods;
  return { timeoutMs: 0, idempotentMethods: methods, idempotent: unsent, other: unsent };
}

function rule(on: RetryRule['on'], retries: number, triesPerPriority: number): RetryRule {
  return { on, retries, perTryMs: 0, hedged: false, triesPerPriority };
}
