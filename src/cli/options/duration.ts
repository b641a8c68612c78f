import { Option } from 'commander';
import { type DurationRange, readDuration } from '../../config/duration.ts';
import { readArgument } from './argument.ts';

/** A duration option; `byDefault` is text. */
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
