import type { TrafficPolicy } from '../model/service.ts';
import type { GroupPlan, Outlier } from './types.ts';

/** What a Group gets that has no `outlierDetection`. Times in milliseconds. */
export const outlierDefaults = {
  consecutiveGatewayErrors: 3,
  /** A client's connection is lost with its last attempt, and no other proxy tries again for it. */
  tcpConsecutiveGatewayErrors: 1,
  intervalMs: 500,
  /** Time alone ends these ejections: a long one makes failback late. */
  uncheckedBaseEjectionMs: 3_000,
  uncheckedMaxEjectionMs: 4_000,
  /** The first check that passes ends these. */
  checkedBaseEjectionMs: 30_000,
  checkedMaxEjectionMs: 300_000,
} as const;

/** Istio's, for the fields that an `outlierDetection` leaves out (OutlierDetection in its reference; Envoy's for the longest time). */
export const istioOutlierDefaults = {
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
export interface OutlierContext {
  readonly protocol: GroupPlan['protocol'];
  /** Whether instances are checked actively. */
  readonly checked: boolean;
  /** Whether requests may leave the IDC. */
  readonly leaves: boolean;
}

/**
 * What ejects an instance. A DestinationRule's `outlierDetection` means what Istio's does, with Istio's defaults; without one ours
 * holds. Either way nobody ejects the last instance who has nowhere else to go.
 */
export function planOutlier({ outlier: set }: TrafficPolicy, context: OutlierContext): Outlier {
  const { checked, leaves, protocol } = context;
  const atMost = (percent: number): Outlier['maxEjectionPercent'] => ({
    // A sidecar has its egress to go to; an ingress is the last resort of a crossing.
    sidecar: Math.min(percent, leaves ? 100 : allButLast),
    ingress: Math.min(percent, allButLast),
  });
  if (set === undefined) {
    const { consecutiveGatewayErrors, tcpConsecutiveGatewayErrors, intervalMs, ...times } = outlierDefaults;
    return {
      consecutiveGatewayErrors: protocol === 'tcp' ? tcpConsecutiveGatewayErrors : consecutiveGatewayErrors,
      intervalMs,
      baseEjectionMs: checked ? times.checkedBaseEjectionMs : times.uncheckedBaseEjectionMs,
      maxEjectionMs: checked ? times.checkedMaxEjectionMs : times.uncheckedMaxEjectionMs,
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
