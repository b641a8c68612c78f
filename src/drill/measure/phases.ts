import { MeshError } from '../../base/error.ts';

/** Lengths of the phases of a drill by name, in seconds, in their order. */
export type PhaseSeconds = Readonly<Record<string, number>>;

/** One phase on the machine's monotonic clock, in milliseconds: `from` inclusive, `to` exclusive. */
export interface Phase {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/**
 * Lays the phases end to end from `startMs`. Throws MeshError 'invalid' when one is shorter than a second.
 */
export function layPhases(seconds: PhaseSeconds, startMs: number): Phase[] {
  let at = startMs;
  return Object.entries(seconds).map(([name, length]) => {
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
