import { InvalidArgumentError, Option } from 'commander';
import { contentHash } from '../base/hash.ts';
import type { ListenAddress } from '../model/node.ts';
import { addAddress } from './address.ts';

/** On what a change is given up, where nothing is said. */
export const abortOnDefault = 'errors>1% or no-idc>1% or spill-limit>1%';

/** What conditions may say, for help texts. */
export const abortOnText =
  'p50, p90, p99 or p999>500ms; errors, no-idc or spill-limit>1%; tries>1.5; several with or, and, ( )';

/** The name of an Evacuation by what leaves. */
export function evacuationName(idc: string, groups: readonly string[]): string {
  return groups.length === 0 ? idc : `${idc}-${contentHash(groups.join(' ')).slice(0, 8)}`;
}

/** `--envoy`: repeated, by comma, or from ISTHMUS_ENVOY. */
export function envoyOption(words: string): Option {
  return new Option('--envoy <host:port>', `${words} (env: ISTHMUS_ENVOY, several by comma)`)
    .env('ISTHMUS_ENVOY')
    .argParser((text: string, list: readonly ListenAddress[] | undefined) => addAddress(text, list));
}

/** One more of a list of texts. */
export function addGroup(text: string, list: readonly string[] = []): readonly string[] {
  return [...list, text];
}

/** A share in percent: 1 to 100. Throws what commander shows. */
export function parsePercent(text: string): number {
  const percent = Number(text);
  if (!/^[0-9]+$/.test(text) || percent < 1 || percent > 100)
    throw new InvalidArgumentError(`'${text}' is no share: a whole number from 1 to 100.`);
  return percent;
}

/** Shares that rise, by comma. Throws what commander shows. */
export function parseSteps(text: string): readonly number[] {
  const steps = text.split(',').map(parsePercent);
  const isRising = steps.every((step, i) => step > (steps[i - 1] ?? 0));
  if (!isRising) throw new InvalidArgumentError(`'${text}' does not rise: write 1,10,50,100.`);
  return steps;
}
