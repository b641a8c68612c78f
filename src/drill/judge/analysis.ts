import { type Sample, succeeded } from '../load/sample.ts';
import { dueIn, fateOf, latenciesOf } from '../measure/fates.ts';
import type { Measurement } from '../measure/measurement.ts';
import { type Phase, phaseAt } from '../measure/phases.ts';
import { countBy, type Latency, latencyOf } from './stats.ts';

/** One phase of one load, or of all (`stream` ''). */
export interface PhaseFigures {
  readonly phase: string;
  readonly stream: string;
  readonly requests: number;
  readonly failed: number;
  readonly lostInFlight: number;
  /** Refused, rightly: nobody could serve them. */
  readonly refused: number;
  /** Of successes, in milliseconds from when they were due. */
  readonly latency: Latency;
  /** Share of the successes that each IDC served, 0 to 1. */
  readonly shares: Readonly<Record<string, number>>;
}

/** Figures by phase, of each load and of all together (first). */
export function figuresOf(m: Measurement): PhaseFigures[] {
  return m.phases.flatMap((phase) => {
    const samples = dueIn(m.samples, phase);
    const streams = [...new Set(samples.map((s) => s.stream))].sort();
    return [
      figures(m, phase, '', samples),
      ...streams.map((stream) =>
        figures(
          m,
          phase,
          stream,
          samples.filter((s) => s.stream === stream),
        ),
      ),
    ];
  });
}

/** Figures of each load that had requests due in a span, as if it were a phase; `to` exclusive. */
export function figuresIn(m: Measurement, span: Phase): PhaseFigures[] {
  const samples = dueIn(m.samples, span);
  return [...new Set(samples.map((s) => s.stream))].sort().map((stream) =>
    figures(
      m,
      span,
      stream,
      samples.filter((s) => s.stream === stream),
    ),
  );
}

function figures(m: Measurement, phase: Phase, stream: string, samples: readonly Sample[]): PhaseFigures {
  const fates = countBy(samples, (sample) => fateOf(sample, m));
  const successes = samples.filter(succeeded);
  const served = countBy(successes, (s) => s.idc);
  return {
    phase: phase.name,
    stream,
    requests: samples.length,
    failed: fates.get('failed') ?? 0,
    lostInFlight: fates.get('lost in flight') ?? 0,
    refused: fates.get('refused') ?? 0,
    latency: latencyOf(latenciesOf(samples)),
    shares: Object.fromEntries([...served].sort().map(([idc, count]) => [idc, count / successes.length])),
  };
}

/** Crossings as the gateways saw them. */
interface HopFigures {
  /** Most crossings in any trail at a peer listener. */
  readonly most: number;
  /** Requests that came in by a peer listener. */
  readonly crossed: number;
  /** Those whose trail was missing or shows no crossing, though they crossed. */
  readonly withoutTrail: number;
  /** Requests that entered more than one IDC from another: went round in a circle. */
  readonly circles: number;
}

/** Counts crossings by trails, and independently of them by where each id came in. */
export function hopFigures(m: Measurement): HopFigures {
  const entering = m.access.filter((line) => line.listener === 'peer' && line.id !== '');
  const crossings = entering.map((line) => (line.trail === '' ? 0 : line.trail.split(',').length - 1));
  const entered = new Map<string, Set<string>>();
  for (const line of entering) entered.set(line.id, (entered.get(line.id) ?? new Set()).add(line.idc));
  return {
    most: crossings.reduce((most, count) => Math.max(most, count), 0),
    crossed: entered.size,
    withoutTrail: crossings.filter((count) => count < 1).length,
    circles: [...entered.values()].filter((idcs) => idcs.size > 1).length,
  };
}

/** How many times any one request was tried at instances, by the instances' own logs. */
export function mostTries(m: Measurement): { readonly most: number; readonly id: string } {
  const tries = countBy(
    [...m.entries.values()].flatMap((list) => list.map((entry) => entry.id)),
    (id) => id,
  );
  let [id, most] = ['', 0];
  for (const [key, count] of tries) if (count > most) [id, most] = [key, count];
  return { most, id };
}

/** The phase of that name. Throws RangeError when the measurement has none. */
export function phaseOf(m: Measurement, name: string): Phase {
  const phase = m.phases.find((each) => each.name === name);
  if (!phase) throw new RangeError(`the measurement has no phase ${name}`);
  return phase;
}

/** The name of the phase of a moment; the load begins before the first, to warm up. */
export function phaseNameAt(m: Measurement, atMs: number): string {
  return phaseAt(m.phases, atMs)?.name ?? 'warm-up';
}
