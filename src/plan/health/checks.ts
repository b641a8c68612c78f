import type { CrossingCheck } from '../types.ts';

/**
 * Checks a second from one egress gateway to one ingress gateway of another IDC. With more Groups each is
 * checked less often (docs/decisions/006-health-through-gateways.md has the cost of a check).
 */
const checksPerSecondMax = 250;

/** A check through two gateways runs half as often as one at the instance. */
const crossingPart = 2;

/** Upper bound of an answer's time, whatever the interval, without the network's part. */
const answerMsMax = 2_000;

/**
 * Round trips of a check on a new connection: TCP's handshake, and the request (RFC 9113, 3.4: it does not
 * wait for SETTINGS).
 */
const roundTrips = 2;

/** Check an empty IDC more often: its recovery may be the only way out. */
const unhealthyPart = 0.5;

/**
 * The part of the budget for checks of IDCs that have instances. That one has lost them is told by the first
 * request there (decision 006), and that a gateway hangs by the control plane's probes (decision 120); only a
 * return is told by nothing but checks (docs/decisions/181-checks-are-for-the-return.md).
 */
const quietPart = 1 / 8;

/**
 * The shortest interval that keeps the budget for so many checked Groups, in milliseconds. Seconds times a
 * power of two: it changes seldom, since each change warms all clusters again.
 */
export function checkIntervalMsMin(checkedGroups: number): number {
  if (checkedGroups === 0) return 0;
  return 1_000 * 2 ** Math.ceil(Math.log2(checkedGroups / checksPerSecondMax));
}

/**
 * How the egress checks a Group in another IDC. Milliseconds: `atInstance`, interval of checks of an instance
 * there; `roundTripMs` to the furthest IDC.
 */
export function planCrossingCheck(
  atInstance: number,
  intervalMsMin: number,
  roundTripMs: number,
): CrossingCheck {
  const intervalMs = Math.max(crossingPart * atInstance, intervalMsMin / quietPart);
  return {
    intervalMs,
    unhealthyIntervalMs: Math.max(unhealthyPart * atInstance, intervalMsMin),
    timeoutMs: answerWaitMs(intervalMs) + roundTrips * roundTripMs,
  };
}

/**
 * How long an IDC has to answer whether it has instances, short enough for the most frequent checker;
 * `atInstance`: as above.
 */
export function planAnswerMs(atInstance: number): number {
  return 0.9 * answerWaitMs(crossingPart * atInstance);
}

function answerWaitMs(intervalMs: number): number {
  return Math.min(0.8 * intervalMs, answerMsMax);
}

/**
 * Timeout of a PING to another IDC's gateway, milliseconds. Envoy sends the first PING a second after it
 * began to connect, so the answer may take two round trips, less that second.
 */
export function crossingSilenceMs(roundTripMs: number): number {
  return Math.max(2_000, roundTrips * roundTripMs);
}

/** Connect timeout to another IDC, milliseconds: a round trip more than within an IDC. */
export function crossingConnectMs(roundTripMs: number): number {
  return roundTripMs + 250;
}
