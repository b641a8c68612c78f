import { MeshError } from '../base/error.ts';
import { durationMeant, parseDurationMs } from '../model/values/duration.ts';

/** The range of a duration, in milliseconds. */
export interface DurationRange {
  readonly minMs: number;
  readonly maxMs: number;
}

/** Parses a duration such as `15s` to milliseconds. Throws MeshError `invalid`, also outside of `range`. */
export function readDuration(text: string, range?: DurationRange): number {
  const ms = parseDurationMs(text);
  if (ms === undefined)
    throw new MeshError(
      'invalid',
      `'${text}' is not a duration: write it as 500ms, 15s, 10m, 4h or 1h30m.${durationMeant(text)}`,
    );
  if (range !== undefined && (ms < range.minMs || ms > range.maxMs))
    throw new MeshError(
      'invalid',
      `give ${showDuration(range.minMs)} to ${showDuration(range.maxMs)}, not '${text}'.`,
    );
  return ms;
}

const units = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const;

/** Milliseconds in the form of `readDuration`, in the largest unit without a fraction: `90s`, `1h`, `0s`. */
export function showDuration(ms: number): string {
  if (ms === 0) return '0s';
  const [unit, length] = units.find(([, each]) => ms % each === 0) ?? ['ms', 1];
  return `${ms / length}${unit}`;
}
