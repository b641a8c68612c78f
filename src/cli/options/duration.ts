import { Option } from 'commander';
import { type DurationRange, readDuration } from '../../config/duration.ts';
import { readArgument } from './argument.ts';

/** An option that takes a duration; `byDefault` is written as one. */
export function durationOption(
  flags: string,
  words: string,
  byDefault: string,
  range?: DurationRange,
): Option {
  return new Option(flags, words)
    .argParser((text: string) => readArgument(() => readDuration(text, range)))
    .default(readDuration(byDefault, range), byDefault);
}
