/** The y axis. `log` needs `from` > 0. */
export interface Axis {
  readonly from: number;
  readonly to: number;
  readonly log?: boolean;
  readonly ticks: readonly number[];
  readonly format: (value: number) => string;
}

/** Where a value stands on an axis: 0 at its begin, 1 at its end; what lies outside stands at the edge. */
export function placeOn(axis: Axis, value: number): number {
  const f = axis.log ? Math.log10 : (each: number) => each;
  const clamped = Math.min(axis.to, Math.max(axis.from, value));
  return (f(clamped) - f(axis.from)) / (f(axis.to) - f(axis.from));
}

/** An axis from a power of ten to another that holds all values, with a tick at each. */
export function logAxis(values: readonly number[], format: (value: number) => string): Axis {
  const positive = values.filter((value) => value > 0);
  const lowest = positive.reduce((min, value) => Math.min(min, value), Number.POSITIVE_INFINITY);
  const highest = positive.reduce((max, value) => Math.max(max, value), 0);
  const lo = Number.isFinite(lowest) ? Math.floor(Math.log10(lowest)) : 0;
  const hi = Math.max(lo + 1, highest > 0 ? Math.ceil(Math.log10(highest)) : 1);
  const ticks = range(lo, hi, 1).map((power) => 10 ** power);
  return { from: 10 ** lo, to: 10 ** hi, log: true, ticks, format };
}

/** An axis from 0 that holds all values, with round ticks. */
export function linearAxis(values: readonly number[], format: (value: number) => string): Axis {
  const highest = values.reduce((max, value) => Math.max(max, value), 1);
  const magnitude = 10 ** Math.floor(Math.log10(highest));
  const step = [0.2, 0.5, 1, 2].map((m) => m * magnitude).find((s) => highest / s <= 5) ?? magnitude;
  const to = Math.ceil(highest / step) * step;
  return { from: 0, to, ticks: range(0, to, step), format };
}

/** Numbers from one to another, both included, by steps. */
export function range(from: number, to: number, step: number): number[] {
  return Array.from({ length: Math.floor((to - from) / step + 1e-9) + 1 }, (_, i) => from + i * step);
}
