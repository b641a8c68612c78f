import type { GroupTraffic } from '../../model/idc.ts';
import type { CrossingIdc, ListenerRole, RetryPlan, RetryRule } from '../types.ts';

/**
 * RFC 9110, 9.2.1: executing them twice is harmless. PUT and DELETE may repeat only after the first has
 * ended, which a broken connection does not show.
 */
const safeMethods = ['GET', 'HEAD', 'OPTIONS', 'TRACE'] as const;

/** Defaults of a Group that declares nothing. */
export const trafficDefaults = {
  /** None: a slow request is not cut. */
  timeoutMs: 0,
  idleTimeoutMs: 3_600_000,
  retryBodyBytes: 4 * 2 ** 20,
  /** None: slow is not dead. */
  perTryTimeoutMs: 0,
  /** For hedging without a declared time. */
  hedgedPerTryTimeoutMs: 400,
  hedge: false,
  retries: 3,
  idempotentMethods: safeMethods,
} as const;

/**
 * With hedging, the ingress hedges a crossing within this part of the caller's time, before the caller starts
 * another try. Without it there is no timeout: such a request could never be answered in time after a
 * crossing.
 */
const crossingPerTryPart = 0.4;

/**
 * The rule for a body larger than the retry buffer. A body that outgrows the buffer between two tries is
 * lost, so the second try begins at once (docs/decisions/055-bodies-are-kept-and-memory-is-bounded.md).
 */
export function withoutPause(rule: RetryRule): RetryRule {
  return { ...rule, pauseMs: 1 };
}

/** Most tries of a request at instances: 4 at the first proxy times 2 at the peer ingress. */
export const instanceTriesMax = 8;

/** How an egress tries other IDCs for one request. */
interface CrossingTries {
  /** Other IDCs to try. */
  readonly idcs: number;
  /** Tries in all, and per priority. */
  readonly tries: number;
  readonly triesPerPriority: number;
}

/** Tries at the gateways of one IDC, so that a dead one does not cause a crossing to a less preferred IDC. */
const triesPerIdc = 2;

/** Minimum, to get past several dead gateways of the only other IDC. */
const crossingTriesMin = 4;

/** Maximum per priority, whatever the number of gateways. */
const triesPerPriorityMax = 16;

/**
 * How an egress tries these IDCs, each with so many ingress gateways. Envoy does not distinguish IDCs of one
 * priority: there are enough tries that they cannot all fall on the gateways of one.
 */
export function planCrossingTries(
  targets: readonly CrossingIdc[],
  gateways: (idc: string) => number,
): CrossingTries {
  const priorities = [...Map.groupBy(targets, ({ priority }) => priority).values()];
  const needed = priorities.map((group) => {
    const counts = group.map(({ idc }) => Math.max(1, gateways(idc)));
    const all = counts.reduce((sum, count) => sum + count, 0);
    return counts.length === 1 ? triesPerIdc : all - Math.min(...counts) + 1;
  });
  const triesPerPriority = Math.min(triesPerPriorityMax, Math.max(triesPerIdc, ...needed));
  const tries = Math.max(crossingTriesMin, triesPerPriority * priorities.length);
  return { idcs: targets.length, tries, triesPerPriority };
}

/** The same when fewer IDCs are left. */
export function limitCrossingTries(crossingTries: CrossingTries, idcs: number): CrossingTries {
  const { triesPerPriority } = crossingTries;
  return {
    ...crossingTries,
    idcs,
    tries: Math.min(crossingTries.tries, Math.max(crossingTriesMin, triesPerPriority * idcs)),
  };
}

const noCrossingTries: CrossingTries = { idcs: 0, tries: crossingTriesMin, triesPerPriority: triesPerIdc };

/**
 * The retry plan of one layer. Retries multiply, so only the first proxy has the full policy; the egress
 * repeats what was never sent, and what one of several IDCs has no instances or capacity for; the peer
 * ingress tries once more (docs/ARCHITECTURE.md, "one layer retries").
 */
export function planRetry(
  listener: ListenerRole,
  traffic: GroupTraffic,
  crossingTries = noCrossingTries,
): RetryPlan {
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
        // Both tries at instances: only an IDC known to have none hands on.
        idempotent: {
          ...rule(['unsent', 'reset', 'gateway-error'], 1, 2),
          ...(hedged ? within(perTryMs * crossingPerTryPart) : {}),
        },
        other: rule(['unsent', 'told-unsent'], 1, 1),
      };
    case 'sidecar':
    case 'ingress': {
      const { idcs, tries, triesPerPriority } = crossingTries;
      const next = rule(
        ['unsent', ...(idcs > 1 ? (['told-nobody'] as const) : [])],
        tries - 1,
        triesPerPriority,
      );
      return { timeoutMs: 0, idempotentMethods: methods, idempotent: next, other: next };
    }
  }

  /** A timeout of each try, if another may follow. */
  function within(ms: number): Pick<RetryRule, 'perTryMs' | 'hedged'> {
    return ms === 0 || retries === 0 ? { perTryMs: 0, hedged: false } : { perTryMs: Math.round(ms), hedged };
  }
}

/**
 * The peer listener's plan for requests that crossed more than once: what reached an instance is not retried,
 * or the tries of all IDCs on the way would multiply.
 */
export function planRetryUnsent(traffic: GroupTraffic): RetryPlan {
  const unsent = rule(['unsent'], 1, 2);
  const methods = traffic.idempotentMethods ?? trafficDefaults.idempotentMethods;
  return { timeoutMs: 0, idempotentMethods: methods, idempotent: unsent, other: unsent };
}

function rule(on: RetryRule['on'], retries: number, triesPerPriority: number): RetryRule {
  return { on, retries, perTryMs: 0, hedged: false, triesPerPriority };
}
