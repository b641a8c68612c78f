import { dueIn } from '../measure/fates.ts';
import type { Measurement } from '../measure/measurement.ts';
import type { Usage } from '../measure/usage.ts';
import { millis, type Row } from './row.ts';
import { quantile } from './stats.ts';

/** Load clients that send later than this measure the machine, not the mesh: milliseconds, p99 of a phase. */
const lateMsMax = 50;

/**
 * A bare Node process that starts in more than this, some four times what it takes on a free machine, cannot
 * tell how fast a command is.
 */
const bareStartMsMax = 100;

/** The id of the row that says whether times could be judged. */
export const machineId = 'machine';

/**
 * How late the load clients were, in the worst phase, at p99. They are open-loop: when they send depends on
 * nothing but the machine, so this is what it added to each time that was measured. `late` in milliseconds;
 * NaN when no phase has a request.
 */
export function latenessOf(m: Pick<Measurement, 'phases' | 'samples'>): { late: number; phase: string } {
  const all = m.phases.map((phase) => {
    const late = dueIn(m.samples, phase).map(({ due, sent }) => sent - due);
    return {
      late: quantile(
        late.sort((a, b) => a - b),
        0.99,
      ),
      phase: phase.name,
    };
  });
  const known = all.filter(({ late }) => !Number.isNaN(late)).sort((a, b) => b.late - a.late);
  return known[0] ?? { late: Number.NaN, phase: '' };
}

/** Whether the machine was free enough to judge times. */
export function machineRow(m: Measurement): Row {
  const { late, phase } = latenessOf(m);
  const { bareStartMs } = m;
  const ok = !(late > lateMsMax) && !(bareStartMs !== undefined && bareStartMs > bareStartMsMax);
  const others = Math.max(0, ...m.usage.map((each: Usage) => each.others));
  const told = [
    `${millis(late)}${phase === '' ? '' : ` in ${phase}`}`,
    ...(bareStartMs === undefined
      ? []
      : [`a bare Node process started in ${millis(bareStartMs)}, at most ${bareStartMsMax} ms are allowed`]),
    `other processes used up to ${others.toFixed(1)} processors`,
    ...(m.realtime === undefined
      ? []
      : [m.realtime ? 'real-time priority' : 'no real-time priority: that needs root and chrt']),
    ...(ok ? [] : ['TOO BUSY TO JUDGE TIMES']),
  ];
  return {
    id: machineId,
    claim:
      'Delay of load clients, p99 of the worst phase: whether the machine was free enough to judge times',
    bound: `≤ ${lateMsMax} ms`,
    measured: told.join('; '),
    ok,
  };
}
