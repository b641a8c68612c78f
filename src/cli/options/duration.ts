import { InvalidArgumentError, Option } from 'commander';
import { parseDurationMs } from '../../model/duration.ts';

/** The least and the most that a duration may be, in milliseconds. */
export interface DurationRange {
  readonly minMs: number;
  readonly maxMs: number;
}

/** Reads a duration such as `15s`, in milliseconds. Throws what commander shows. */
function parseDuration(text: string, range: DurationRange | undefined): number {
  const ms = parseDurationMs(text);
  if (ms === undefined)
    throw new InvalidArgumentError(`'${text}' is no duration: write it as 500ms, 15s, 10m, 4h or 1h30m.`);
  if (range !== undefined && (ms < range.minMs || ms > range.maxMs))
    throw new InvalidArgumentError(`give ${words(range.minMs)} to ${words(range.maxMs)}, not '${text}'.`);
  return ms;
}

function words(ms: number): string {
  return ms % 3_600_000 === 0 ? `${ms / 3_600_000}h` : `${ms / 1_000}s`;
}

/** An option that takes a duration; `byDefault` is written as one. */
export function duration(flags: string, words: string, byDefault: string, range?: DurationRange): Option {
  return new Option(flags, words)
    .argParser((text: string) => parseDuration(text, range))
    .default(parseDuration(byDefault, range), byDefault);
}
