import type { GroupTraffic } from '../../model/idc.ts';
import type { CrossingIdc, ListenerRole, RetryPlan, RetryRule } from '../types.ts';

/**
 * RFC 9110, 9.2.1: what they do, they may do twice. PUT and DELETE may only once the first has ended, which a
 * broken connection does not say.
 */
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
 * Where tries are hedged the ingress hedges a crossing too, within this part of the caller's time, or the
 * caller begins another first. Where they are given up it does not: what takes this long would never be
 * answered in time after a crossing.
 */
const crossingPerTryPart = 0.4;

/**
 * The rule for a body that is larger than what is kept. Nobody holds it back while no try is under way, and
 * when it outgrows what is kept meanwhile it is lost: so the second try begins at once
 * (docs/decisions/055-bodies-are-kept-and-memory-is-bounded.md).
 */
export function atOnce(rule: RetryRule): RetryRule {
  return { ...rule, pauseMs: 1 };
}

/**
 * The most tries that any request may make at instances: 4 at the first proxy times 2 at the peer ingress.
 */
export const instanceTriesMax = 8;

/** How an egress asks other IDCs for one request. */
interface Asking {
  /** Other IDCs that may be asked. */
  readonly idcs: number;
  /** Tries in all, and of one priority before the next is taken. */
  readonly tries: number;
  readonly triesPerPriority: number;
}

/** Tries at the gateways of one IDC, so that a dead one costs no crossing to a less preferred IDC. */
const triesPerIdc = 2;

/** At the least, so that several dead gateways of the only other IDC are passed. */
const askingTriesMin = 4;

/** At the most for one priority, however many gateways its IDCs have. */
const triesPerPriorityMax = 16;

/**
 * How an egress asks these IDCs, each of which has so many ingress gateways. Envoy does not tell IDCs of one
 * priority apart: there are so many tries that all but the gateways of one cannot be all of them.
 */
export function planAsking(targets: readonly CrossingIdc[], gateways: (idc: string) => number): Asking {
  const priorities = [...Map.groupBy(targets, ({ priority }) => priority).values()];
  const needed = priorities.map((group) => {
    const counts = group.map(({ idc }) => Math.max(1, gateways(idc)));
    const all = counts.reduce((sum, count) => sum + count, 0);
    return counts.length === 1 ? triesPerIdc : all - Math.min(...counts) + 1;
  });
  const triesPerPriority = Math.min(triesPerPriorityMax, Math.max(triesPerIdc, ...needed));
  const tries = Math.max(askingTriesMin, triesPerPriority * priorities.length);
  return { idcs: targets.length, tries, triesPerPriority };
}

/** The same where only so many of them are left. */
export function askFewer(asking: Asking, idcs: number): Asking {
  const { triesPerPriority } = asking;
  return {
    ...asking,
    idcs,
    tries: Math.min(asking.tries, Math.max(askingTriesMin, triesPerPriority * idcs)),
  };
}

const askNobody: Asking = { idcs: 0, tries: askingTriesMin, triesPerPriority: triesPerIdc };

/**
 * The retry plan of one layer. Retries multiply, so just the first proxy has the full policy; the egress
 * repeats only what was never sent, and what one of several IDCs has nobody or no room for; the peer ingress
 * tries once more (docs/ARCHITECTURE.md, "one layer retries").
 */
export function planRetry(listener: ListenerRole, traffic: GroupTraffic, asking = askNobody): RetryPlan {
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
      const { idcs, tries, triesPerPriority } = asking;
      const next = rule(
        ['unsent', ...(idcs > 1 ? (['told-nobody'] as const) : [])],
        tries - 1,
        triesPerPriority,
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
 * The peer listener's plan for requests that have crossed more than once: what reached an instance is not
 * tried again here, or the tries of all the IDCs on the way would multiply.
 */
export function planRetryUnsent(traffic: GroupTraffic): RetryPlan {
  const unsent = rule(['unsent'], 1, 2);
  const methods = traffic.idempotentMethods ?? trafficDefaults.idempotentMethods;
  return { timeoutMs: 0, idempotentMethods: methods, idempotent: unsent, other: unsent };
}

function rule(on: RetryRule['on'], retries: number, triesPerPriority: number): RetryRule {
  return { on, retries, perTryMs: 0, hedged: false, triesPerPriority };
}
