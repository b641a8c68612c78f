import type { Failback } from '../model/idc.ts';

/** Health checks of a Group's instances in this IDC at one moment. */
export interface HealthObservation {
  /** Milliseconds, monotonic. */
  readonly now: number;
  /** Registered instances. */
  readonly registered: number;
  /** Instances whose last check passed. */
  readonly passing: number;
  /** Instances without two failed checks in a row. */
  readonly good: number;
}

/** The failback state of a Group. */
export type FailbackState =
  /**
   * All requests are served locally. `backAt`: the end of the last ramp; `emptyAt`: since when no check
   * passes.
   */
  | { readonly at: 'home'; readonly failures: number; readonly backAt?: number; readonly emptyAt?: number }
  /** An evacuation has ended that left this percentage in the IDC; instances are checked before it rises. */
  | { readonly at: 'due'; readonly failures: number; readonly share: number }
  /** Requests leave; `goodAt`: since when enough instances are good without a break. */
  | {
      readonly at: 'away';
      readonly failures: number;
      readonly goodAt?: number;
      readonly good: number;
    }
  /** Reads are mirrored to the instances at a growing percentage. `from`: as of the ramp. */
  | { readonly at: 'warm'; readonly failures: number; readonly from: number }
  /** The local share grows. `from`: when the ramp would have begun without pauses. */
  | { readonly at: 'ramp'; readonly failures: number; readonly from: number };

/** The initial state of a Group. */
export const atHome = { at: 'home', failures: 0 } as const satisfies FailbackState;

export const failbackLimits = {
  /** All instances gone for this long is an outage; less is a restart. */
  goneMs: 1_000,
  /** Limit on the doubling of the hold. */
  holdFactorMax: 32,
  /** Failures are forgotten after this many holds without one. */
  forgivenAfterHolds: 10,
  /** While held back: Envoy has no share of 0, and a few requests show whether it works. */
  shareMin: 1,
  /** How often the share grows. */
  stepMs: 500,
  /** Percentages of mirrored reads, each for an equal part of the time. */
  mirrorSteps: [30, 55, 80, 100],
} as const;

/** The hold after so many failed failbacks, in milliseconds. */
export function holdMsAfter({ holdMs }: Failback, failures: number): number {
  return holdMs * Math.min(2 ** failures, failbackLimits.holdFactorMax);
}

/** The state after an observation. Pure: `now` is its only time. */
export function stepFailback(
  state: FailbackState,
  observed: HealthObservation,
  times: Failback,
): FailbackState {
  const { now, passing, good } = observed;
  switch (state.at) {
    case 'home':
      return stepHome(state, observed, times);
    case 'due': {
      const { failures, share } = state;
      if (!canServe(observed)) return { at: 'away', failures, good };
      // A Group that kept a share of its requests is warm.
      if (times.warmup === 'mirror' && share <= failbackLimits.shareMin)
        return { at: 'warm', failures, from: now };
      return { at: 'ramp', failures, from: now - (times.rampMs * share) / 100 };
    }
    case 'away': {
      // Losing an instance restarts the hold.
      if (!canServe(observed)) return { at: 'away', failures: state.failures, good };
      const goodAt = state.goodAt === undefined || good < state.good ? now : state.goodAt;
      if (now - goodAt < holdMsAfter(times, state.failures)) return { ...state, goodAt, good };
      const at = times.warmup === 'mirror' ? 'warm' : 'ramp';
      return { at, failures: state.failures, from: now };
    }
    case 'warm':
    case 'ramp':
      if (!canServe(observed) || passing === 0) return { at: 'away', failures: state.failures + 1, good };
      if (now - state.from < times.rampMs) return state;
      return { at: 'home', failures: state.failures, backAt: now };
  }
}

function stepHome(
  state: FailbackState & { at: 'home' },
  { now, passing, good }: HealthObservation,
  times: Failback,
): FailbackState {
  const { failures, backAt } = state;
  const isSettled =
    backAt === undefined || now - backAt >= failbackLimits.forgivenAfterHolds * holdMsAfter(times, failures);
  const kept = isSettled ? atHome : { at: 'home' as const, failures, backAt };
  if (passing > 0) return kept;
  const emptyAt = state.emptyAt ?? now;
  if (now - emptyAt < failbackLimits.goneMs) return { ...kept, emptyAt };
  return { at: 'away', failures: isSettled ? 0 : failures + 1, good };
}

/**
 * The state once an evacuation lets more requests return; `share`: the local percentage until now. A ramp
 * begins from there; Groups that are away or warmed are not hastened.
 */
export function endEvacuation(state: FailbackState, share: number): FailbackState {
  const { at, failures } = state;
  return at === 'away' || at === 'warm' ? state : { at: 'due', failures, share };
}

/**
 * Half of the instances can serve a Group whose requests stay local: the same half below which requests begin
 * to leave.
 */
function canServe({ registered: all, good }: HealthObservation): boolean {
  return good > 0 && 2 * good >= all;
}

/**
 * The percentage of requests that may stay local; 0 while nothing is known after an evacuation of all;
 * undefined: no limit.
 */
export function localShareAt(state: FailbackState, now: number, { rampMs }: Failback): number | undefined {
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

/** The percentage of reads that are mirrored; undefined: none. Few steps, as each is a push of routes. */
export function mirrorPercentAt(state: FailbackState, now: number, { rampMs }: Failback): number | undefined {
  if (state.at !== 'warm') return undefined;
  const { mirrorSteps: steps } = failbackLimits;
  const step = Math.floor((steps.length * (now - state.from)) / rampMs);
  return steps[Math.min(steps.length - 1, Math.max(0, step))];
}

/** The persistent part of a state, from which a restarted control plane continues. Times are durations. */
export interface SavedFailback {
  readonly at: 'due' | 'away' | 'warm' | 'ramp';
  readonly failures: number;
  /** Completed part of the ramp, in milliseconds. */
  readonly rampedMs: number;
  /** The share last pushed, percent. */
  readonly share: number;
}

/**
 * What to persist; undefined: nothing is held back. A failback that has just ended is forgotten with its
 * failures. `evacuated`: the percentage that an evacuation leaves in the IDC; should it end while no control
 * plane runs, the next one continues from there.
 */
export function saveFailback(
  state: FailbackState,
  now: number,
  times: Failback,
  evacuated = 100,
): SavedFailback | undefined {
  const { at, failures } = state;
  const share = localShareAt(state, now, times) ?? 100;
  if (at !== 'away' && at !== 'warm' && (at === 'due' || evacuated < share))
    return { at: 'due', failures, rampedMs: 0, share: Math.min(share, evacuated) };
  if (at === 'home') return undefined;
  const rampedMs = at === 'away' ? 0 : Math.max(0, now - state.from);
  return { at, failures, rampedMs, share };
}

/** Restores a state: a ramp continues, a hold restarts. */
export function resumeFailback({ at, failures, rampedMs, share }: SavedFailback, now: number): FailbackState {
  if (at === 'due') return { at, failures, share };
  return at === 'away' ? { at, failures, good: 0 } : { at, failures, from: now - rampedMs };
}
