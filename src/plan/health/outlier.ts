import type { TrafficPolicy } from '../../model/service.ts';
import type { GroupPlan, Outlier } from '../types.ts';

/** Defaults of a Group without `outlierDetection`. Times in milliseconds. */
const outlierDefaults = {
  /**
   * Low enough for a request's tries to get past two dead instances: four at the first proxy, two for each of
   * them behind a peer listener. Envoy counts the end of a websocket as one, so that three that end together
   * eject too, for a few seconds.
   */
  consecutiveGatewayErrors: 3,
  /** A client's connection is lost with its last attempt; no other proxy retries it. */
  tcpConsecutiveGatewayErrors: 1,
  intervalMs: 500,
  /** Only time ends these ejections: a long one delays failback. */
  uncheckedBaseEjectionMs: 3_000,
  uncheckedMaxEjectionMs: 4_000,
} as const;

/**
 * The same for a Group with checks. Checks find dead instances, and may eject all. Requests find instances
 * that pass checks and fail requests, which must not return with the next check.
 */
export const grayDefaults = {
  /**
   * At 1 % random failures five in a row come once in 10,000,000,000 requests, three once in 1,000,000
   * (docs/decisions/123-five-failures-in-a-row.md).
   */
  consecutiveGatewayErrors: 5,
  /**
   * The end of a websocket counts as one, and several may end together; a dead instance reaches this in a
   * moment.
   */
  consecutiveLocalOriginFailures: 20,
  failureShare: {
    percent: 4,
    /**
     * At 1 % random failures an instance shows 4 % of this many once in 1,000 intervals, of 300 once in
     * 16,000, of 20 once in 5. A hung instance gets few requests (docs/decisions/100-gray-failures.md).
     */
    requestsMin: 176,
    /** With two, it cannot be decided which one is sick. */
    instancesMin: 3,
  },
  intervalMs: 8_000,
  /** Multiplied by the number of ejections in a row. */
  baseEjectionMs: 10_000,
  maxEjectionMs: 60_000,
  /** A shared cause, such as a slow database, is not an instance's own failure: half of them stay. */
  maxEjectionPercent: 50,
} as const;

/**
 * Istio's defaults for fields that an `outlierDetection` leaves out (OutlierDetection in its reference;
 * Envoy's for the longest time).
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

/** Input for ejections besides a DestinationRule. */
interface OutlierContext {
  readonly protocol: GroupPlan['protocol'];
  /** Whether instances are checked actively. */
  readonly checked: boolean;
  /** Whether requests may leave the IDC. */
  readonly leaves: boolean;
  /** Whether the Group sets a timeout of requests or tries. */
  readonly timed: boolean;
}

/**
 * What ejects an instance. A DestinationRule's `outlierDetection` has Istio's meaning and defaults; without
 * one ours apply. A proxy without an alternative never ejects the last instance.
 */
export function planOutlier({ outlier: set }: TrafficPolicy, context: OutlierContext): Outlier {
  const { checked, leaves, protocol, timed } = context;
  const atMost = (percent: number): Outlier['maxEjectionPercent'] => ({
    // A sidecar can use its egress; an ingress is the last resort of a crossing.
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
  // 0 disables these two, as if absent.
  const anyErrors = set.consecutive5xxErrors ?? istio.consecutive5xxErrors;
  const gatewayErrors = set.consecutiveGatewayErrors ?? istio.consecutiveGatewayErrors;
  const baseEjectionMs = set.baseEjectionTimeMs ?? istio.baseEjectionMs;
  return {
    ...(anyErrors === 0 ? {} : { consecutive5xx: anyErrors }),
    ...(gatewayErrors === 0 ? {} : { consecutiveGatewayErrors: gatewayErrors }),
    // For the others 0 is the same as absent.
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
