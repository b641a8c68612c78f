import type { Failback } from '../model/idc.ts';

/** What checks of a Group's instances in this IDC say at a moment. */
export interface Sighting {
  /** Milliseconds, monotonic. */
  readonly now: number;
  /** Instances that the registry has. */
  readonly all: number;
  /** Whose last check passed. */
  readonly passing: number;
  /** Of which not two checks in a row have failed. */
  readonly good: number;
}

/** Where a Group is on its way. */
export type FailbackState =
  /** Nothing is held back. `backAt`: since when, after a ramp; `emptyAt`: since when nobody passes. */
  | { readonly at: 'home'; readonly failures: number; readonly backAt?: number; readonly emptyAt?: number }
  /**
   * An evacuation has ended that left this share at home, percent, and its instances are looked at before
   * more comes.
   */
  | { readonly at: 'due'; readonly failures: number; readonly share: number }
  /** Requests leave; `goodAt`: since when enough instances are good without a break. */
  | {
      readonly at: 'away';
      readonly failures: number;
      readonly goodAt?: number;
      readonly good: number;
    }
  /** Reads are mirrored home, more and more of them. `from`: as of the ramp. */
  | { readonly at: 'warm'; readonly failures: number; readonly from: number }
  /** The share at home grows. `from`: when the ramp would have begun had it run without a stop. */
  | { readonly at: 'ramp'; readonly failures: number; readonly from: number };

/** Where a Group is of which nothing is known yet. */
export const atHome = { at: 'home', failures: 0 } as const satisfies FailbackState;

export const failbackLimits = {
  /** Nobody for so long is an outage; less is a restart. */
  goneMs: 1_000,
  /** A hold that was doubled again and again. */
  holdFactorMax: 32,
  /** At home for so many of its holds, it has not failed on its way. */
  forgivenAfterHolds: 10,
  /** While it is held back: Envoy knows no share of 0, and a little shows whether it works. */
  shareMin: 1,
  /** How often the share grows. */
  stepMs: 500,
  /** The share of reads that are mirrored, each for an equal part of the time. */
  mirrorSteps: [30, 55, 80, 100],
} as const;

/** The hold that is due after so many failures on the way home, in milliseconds. */
export function holdOf({ holdMs }: Failback, failures: number): number {
  return holdMs * Math.min(2 ** failures, failbackLimits.holdFactorMax);
}

/** The state after a sighting. Pure: all that it knows of time is `now`. */
export function stepFailback(state: FailbackState, seen: Sighting, times: Failback): FailbackState {
  const { now, passing, good } = seen;
  switch (state.at) {
    case 'home':
      return stepHome(state, seen, times);
    case 'due': {
      const { failures, share } = state;
      if (!isAble(seen)) return { at: 'away', failures, good };
      // Who kept a share has been read all the while.
      if (times.warmup === 'mirror' && share <= failbackLimits.shareMin)
        return { at: 'warm', failures, from: now };
      return { at: 'ramp', failures, from: now - (times.rampMs * share) / 100 };
    }
    case 'away': {
      // An instance that is lost again begins the hold anew.
      if (!isAble(seen)) return { at: 'away', failures: state.failures, good };
      const goodAt = state.goodAt === undefined || good < state.good ? now : state.goodAt;
      if (now - goodAt < holdOf(times, state.failures)) return { ...state, goodAt, good };
      const at = times.warmup === 'mirror' ? 'warm' : 'ramp';
      return { at, failures: state.failures, from: now };
    }
    case 'warm':
    case 'ramp':
      if (!isAble(seen) || passing === 0) return { at: 'away', failures: state.failures + 1, good };
      if (now - state.from < times.rampMs) return state;
      return { at: 'home', failures: state.failures, backAt: now };
  }
}

function stepHome(
  state: FailbackState & { at: 'home' },
  { now, passing, good }: Sighting,
  times: Failback,
): FailbackState {
  const { failures, backAt } = state;
  const isSettled =
    backAt === undefined || now - backAt >= failbackLimits.forgivenAfterHolds * holdOf(times, failures);
  const kept = isSettled ? atHome : { at: 'home' as const, failures, backAt };
  if (passing > 0) return kept;
  const emptyAt = state.emptyAt ?? now;
  if (now - emptyAt < failbackLimits.goneMs) return { ...kept, emptyAt };
  return { at: 'away', failures: isSettled ? 0 : failures + 1, good };
}

/**
 * The state once an evacuation lets more of the requests come home: `share`, percent, is what was there until
 * now. Who was on its way begins from there; who is away, or is being warmed, is not hastened.
 */
export function endEvacuation(state: FailbackState, share: number): FailbackState {
  const { at, failures } = state;
  return at === 'away' || at === 'warm' ? state : { at: 'due', failures, share };
}

/**
 * Half of the instances carry a Group whose requests stay at home: the same half below which requests begin
 * to leave.
 */
function isAble({ all, good }: Sighting): boolean {
  return good > 0 && 2 * good >= all;
}

/**
 * The share of requests that may stay at home, percent; 0 while nothing is known after an evacuation of all;
 * undefined: nothing is held back.
 */
export function shareOf(state: FailbackState, now: number, { rampMs }: Failback): number | undefined {
  const { shareMin, stepMs } = failbackLimits;
  switch (state.at) {
    case 'home':
      return undefined;
    case 'due':
      return state.share;
    case 'away':
    case 'warm':
      return shareMin;
    case 'ramp': {
      const elapsed = Math.floor((now - state.from) / stepMs) * stepMs;
      return Math.min(100, Math.max(shareMin, Math.round((100 * elapsed) / rampMs)));
    }
  }
}

/**
 * The share of reads that are mirrored home, in percent; undefined: none is. A few steps, as each is a push
 * of routes.
 */
export function mirrorOf(state: FailbackState, now: number, { rampMs }: Failback): number | undefined {
  if (state.at !== 'warm') return undefined;
  const { mirrorSteps: steps } = failbackLimits;
  const step = Math.floor((steps.length * (now - state.from)) / rampMs);
  return steps[Math.min(steps.length - 1, Math.max(0, step))];
}

/**
 * What is written down of a state: what a control plane that starts again goes on with. Times are lengths.
 */
export interface SavedFailback {
  readonly at: 'due' | 'away' | 'warm' | 'ramp';
  readonly failures: number;
  /** How much of the ramp was done, in milliseconds. */
  readonly rampedMs: number;
  /** What was pushed last, percent. */
  readonly share: number;
}

/**
 * What is to be written down; undefined: nothing is held back. A fresh return home is forgotten with its
 * failures. `evacuated`: the share that an evacuation leaves at home, percent; should it end while no control
 * plane runs, the next one goes on from there.
 */
export function saveFailback(
  state: FailbackState,
  now: number,
  times: Failback,
  evacuated = 100,
): SavedFailback | undefined {
  const { at, failures } = state;
  const share = shareOf(state, now, times) ?? 100;
  if (at !== 'away' && at !== 'warm' && (at === 'due' || evacuated < share))
    return { at: 'due', failures, rampedMs: 0, share: Math.min(share, evacuated) };
  if (at === 'home') return undefined;
  const rampedMs = at === 'away' ? 0 : Math.max(0, now - state.from);
  return { at, failures, rampedMs, share };
}

/** Goes on where the one before stopped: a ramp where it was, a hold from its beginning. */
export function resumeFailback({ at, failures, rampedMs, share }: SavedFailback, now: number): FailbackState {
  if (at === 'due') return { at, failures, share };
  return at === 'away' ? { at, failures, good: 0 } : { at, failures, from: now - rampedMs };
}
