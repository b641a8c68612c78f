import { MeshError } from '../base/error.ts';

/** The parts of a drill, in order. */
const phaseNames = ['steady', 'outage', 'recovery', 'steady again'] as const;
export type PhaseName = (typeof phaseNames)[number];

/** Lengths of the phases, in seconds. */
export type PhaseSeconds = Readonly<Record<PhaseName, number>>;

/** One phase on the machine's monotonic clock, in milliseconds: `from` inclusive, `to` exclusive. */
export interface Phase {
  readonly name: PhaseName;
  readonly from: number;
  readonly to: number;
}

/** From healing to the end is just over the bound on failing back (10 s): what is not back by then is too late. */
export const defaultPhases: PhaseSeconds = { steady: 5, outage: 8, recovery: 6, 'steady again': 5 };

/** The same for a whole site, whose control plane and gateways start as well. */
export const siteRecoverySeconds = 16;

/** For a look in passing, and for the negative control: too short to see a late failback. */
export const quickPhases: PhaseSeconds = { steady: 3, outage: 5, recovery: 6, 'steady again': 3 };

/** Lays the phases end to end from `startMs`. Throws MeshError 'invalid' when one is shorter than a second. */
export function layPhases(seconds: PhaseSeconds, startMs: number): Phase[] {
  let at = startMs;
  return phaseNames.map((name) => {
    const length = seconds[name];
    if (!(length >= 1 && length <= 3600)) {
      throw new MeshError('invalid', `The phase '${name}' takes 1 to 3600 seconds, not ${length}.`);
    }
    const phase = { name, from: at, to: at + length * 1000 };
    at = phase.to;
    return phase;
  });
}

/** The phase that a moment lies in; undefined before the first and after the last. */
export function phaseAt(phases: readonly Phase[], atMs: number): Phase | undefined {
  return phases.find((phase) => atMs >= phase.from && atMs < phase.to);
}
