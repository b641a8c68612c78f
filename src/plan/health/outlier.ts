import type { TrafficPolicy } from '../../model/service.ts';
import type { GroupPlan, Outlier } from '../types.ts';

/** What a Group gets that has no `outlierDetection`. Times in milliseconds. */
const outlierDefaults = {
  /**
   * Few enough that a request's own tries get past two dead instances: four at the first proxy, two for each
   * of them behind a peer listener. Envoy counts the end of a websocket as one, so that three that end
   * together eject too, for a few seconds.
   */
  consecutiveGatewayErrors: 3,
  /** A client's connection is lost with its last attempt, and no other proxy tries again for it. */
  tcpConsecutiveGatewayErrors: 1,
  intervalMs: 500,
  /** Time alone ends these ejections: a long one makes failback late. */
  uncheckedBaseEjectionMs: 3_000,
  uncheckedMaxEjectionMs: 4_000,
} as const;

/**
 * The same for a Group whose instances are checked: checks find who is down, and may take out all. What
 * requests tell finds the half-dead among the living: who passes checks and fails requests, and must not come
 * back by the next check.
 */
export const grayDefaults = {
  /**
   * Of 1 % of failures by chance once in 10,000,000,000 requests; three come once in 1,000,000
   * (docs/decisions/123-five-failures-in-a-row.md).
   */
  consecutiveGatewayErrors: 5,
  /**
   * The end of a websocket counts as one, and several may end together; a dead instance has as many in a
   * moment.
   */
  consecutiveLocalOriginFailures: 20,
  failureShare: {
    percent: 4,
    /**
     * Of 1 % an instance has 4 % of so many by chance once in 1,000 intervals, of 300 once in 16,000; of 20
     * once in 5. One that hangs is given few (docs/decisions/100-gray-failures.md).
     */
    requestsMin: 176,
    /** Of two, nobody can tell which one is sick. */
    instancesMin: 3,
  },
  intervalMs: 8_000,
  /** As often as it is ejected in a row, times this. */
  baseEjectionMs: 10_000,
  maxEjectionMs: 60_000,
  /** What all have in common, a database that is slow, is nobody's own failure: half of them go on. */
  maxEjectionPercent: 50,
} as const;

/**
 * Istio's, for the fields that an `outlierDetection` leaves out (OutlierDetection in its reference; Envoy's
 * for the longest time).
 */
const istioOutlierDefaults = {
  consecutive5xxErrors: 5,
  consecutiveGatewayErrors: 0,
  consecutiveLocalOriginFailures: 5,
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxEjectionPercent: 10,
} as const;

/** All but the last: Envoy ejects while (ejected + 1) / all stays within the percentage, rounded down. */
const allButLast = 99;

/** What decides about ejections besides a DestinationRule. */
interface OutlierContext {
  readonly protocol: GroupPlan['protocol'];
  /** Whether instances are checked actively. */
  readonly checked: boolean;
  /** Whether requests may leave the IDC. */
  readonly leaves: boolean;
  /** Whether the Group says how long a request or a try may take. */
  readonly timed: boolean;
}

/**
 * What ejects an instance. A DestinationRule's `outlierDetection` means what Istio's does, with Istio's
 * defaults; without one ours holds. Either way nobody ejects the last instance who has nowhere else to go.
 */
export function planOutlier({ outlier: set }: TrafficPolicy, context: OutlierContext): Outlier {
  const { checked, leaves, protocol, timed } = context;
  const atMost = (percent: number): Outlier['maxEjectionPercent'] => ({
    // A sidecar has its egress to go to; an ingress is the last resort of a crossing.
    sidecar: Math.min(percent, leaves ? 100 : allButLast),
    ingress: Math.min(percent, allButLast),
  });
  if (set === undefined) {
    if (checked) {
      const { maxEjectionPercent, failureShare, ...rest } = grayDefaults;
      return {
        ...rest,
        failureShare: { ...failureShare, ofConnections: timed },
        checksEndEjections: false,
        maxEjectionPercent: atMost(maxEjectionPercent),
      };
    }
    const { consecutiveGatewayErrors, tcpConsecutiveGatewayErrors, intervalMs, ...times } = outlierDefaults;
    return {
      consecutiveGatewayErrors: protocol === 'tcp' ? tcpConsecutiveGatewayErrors : consecutiveGatewayErrors,
      intervalMs,
      baseEjectionMs: times.uncheckedBaseEjectionMs,
      maxEjectionMs: times.uncheckedMaxEjectionMs,
      maxEjectionPercent: atMost(100),
    };
  }
  const istio = istioOutlierDefaults;
  // 0 switches these two off: the same as none.
  const anyErrors = set.consecutive5xxErrors ?? istio.consecutive5xxErrors;
  const gatewayErrors = set.consecutiveGatewayErrors ?? istio.consecutiveGatewayErrors;
  const baseEjectionMs = set.baseEjectionTimeMs ?? istio.baseEjectionMs;
  return {
    ...(anyErrors === 0 ? {} : { consecutive5xx: anyErrors }),
    ...(gatewayErrors === 0 ? {} : { consecutiveGatewayErrors: gatewayErrors }),
    // Of the others 0 is what an absent field is.
    ...(set.splitExternalLocalOriginErrors
      ? {
          consecutiveLocalOriginFailures:
            set.consecutiveLocalOriginFailures || istio.consecutiveLocalOriginFailures,
        }
      : {}),
    intervalMs: set.intervalMs ?? istio.intervalMs,
    baseEjectionMs,
    maxEjectionMs: Math.max(baseEjectionMs, istio.maxEjectionMs),
    maxEjectionPercent: atMost(set.maxEjectionPercent || istio.maxEjectionPercent),
  };
}
