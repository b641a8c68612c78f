import type { CrossingCheck } from './types.ts';

/**
 * Most checks a second that one egress gateway sends to one ingress gateway of another IDC. With more Groups each
 * is checked less often (docs/decisions/006-health-through-gateways.md has what a check costs).
 */
const checksPerSecondMax = 250;

/** A check through two gateways comes half as often as one at the instance itself. */
const crossingPart = 2;

/** A check that is not answered within this time has failed, however seldom checks come. */
const timeoutMsMax = 2_000;

/** While an IDC has nobody for a Group it is asked more often: that it can serve again may be all that is left. */
const unhealthyPart = 0.5;

/**
 * The shortest interval of checks that keeps the budget for so many checked Groups, in milliseconds. Seconds times a
 * power of two: it changes seldom while Groups come and go, since each change warms all clusters anew.
 */
export function checkIntervalMsMin(checkedGroups: number): number {
  if (checkedGroups === 0) return 0;
  return 1_000 * 2 ** Math.ceil(Math.log2(checkedGroups / checksPerSecondMax));
}

/** How the egress checks a Group in another IDC; `atInstance`: milliseconds between two checks of an instance there. */
export function planCrossingCheck(atInstance: number, intervalMsMin: number): CrossingCheck {
  const intervalMs = Math.max(crossingPart * atInstance, intervalMsMin);
  return {
    intervalMs,
    unhealthyIntervalMs: Math.max(unhealthyPart * atInstance, intervalMsMin),
    timeoutMs: Math.min(0.8 * intervalMs, timeoutMsMax),
  };
}
