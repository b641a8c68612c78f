import type { CrossingCheck } from '../types.ts';

/**
 * Most checks a second that one egress gateway sends to one ingress gateway of another IDC. With more Groups
 * each is checked less often (docs/decisions/006-health-through-gateways.md has what a check costs).
 */
const checksPerSecondMax = 250;

/** A check through two gateways comes half as often as one at the instance itself. */
const crossingPart = 2;

/** An answer takes no longer than this, however seldom checks come; what the network takes comes on top. */
const answerMsMax = 2_000;

/**
 * A check that opens a connection takes two: TCP's handshake, and the question (RFC 9113, 3.4: it waits for
 * no SETTINGS).
 */
const roundTrips = 2;

/**
 * While an IDC has nobody for a Group it is asked more often: that it can serve again may be all that is
 * left.
 */
const unhealthyPart = 0.5;

/**
 * The shortest interval of checks that keeps the budget for so many checked Groups, in milliseconds. Seconds
 * times a power of two: it changes seldom while Groups come and go, since each change warms all clusters
 * anew.
 */
export function checkIntervalMsMin(checkedGroups: number): number {
  if (checkedGroups === 0) return 0;
  return 1_000 * 2 ** Math.ceil(Math.log2(checkedGroups / checksPerSecondMax));
}

/**
 * How the egress checks a Group in another IDC. Milliseconds: `atInstance` between two checks of an instance
 * there, `roundTripMs` to the furthest IDC and back.
 */
export function planCrossingCheck(
  atInstance: number,
  intervalMsMin: number,
  roundTripMs: number,
): CrossingCheck {
  const intervalMs = Math.max(crossingPart * atInstance, intervalMsMin);
  return {
    intervalMs,
    unhealthyIntervalMs: Math.max(unhealthyPart * atInstance, intervalMsMin),
    timeoutMs: answerWaitMs(intervalMs) + roundTrips * roundTripMs,
  };
}

/**
 * How long an IDC has to find out whether it has anybody; `atInstance`: as above. In time for whoever asks
 * most often.
 */
export function planAnswerMs(atInstance: number): number {
  return 0.9 * answerWaitMs(crossingPart * atInstance);
}

function answerWaitMs(intervalMs: number): number {
  return Math.min(0.8 * intervalMs, answerMsMax);
}

/**
 * How long a gateway of another IDC may be silent after a PING, milliseconds. Envoy sends the first PING of a
 * connection a second after it began to connect, so the answer may be two round trips away, less that second.
 */
export function crossingSilenceMs(roundTripMs: number): number {
  return Math.max(2_000, roundTrips * roundTripMs);
}

/**
 * How long a connection to another IDC may take: a round trip, and as long as one within an IDC.
 * Milliseconds.
 */
export function crossingConnectMs(roundTripMs: number): number {
  return roundTripMs + 250;
}
