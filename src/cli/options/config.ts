import { type Command, InvalidArgumentError, Option } from 'commander';
import type { PlacedOption } from '../../config/option.ts';
import { optionList } from '../../config/options.ts';
import { type ResolvedConfig, resolveConfig } from '../../config/resolve.ts';
import { readArgument } from './argument.ts';

/** Adds `--file`, and a flag for each option of a control plane. */
export function addConfigFlags(command: Command): Command {
  command.option(
    '--file <file>',
    'take from this YAML file what no flag and no environment variable gives',
    onlyOne,
  );
  for (const placed of optionList) command.addOption(flagOf(placed));
  return command;
}

/**
 * The configuration from parsed flags, environment and the file of `--file`. Rejects with MeshError
 * `unavailable` if the file cannot be read, `invalid` if anything is wrong.
 */
export async function configOf(command: Command, environment: NodeJS.ProcessEnv): Promise<ResolvedConfig> {
  const flags = new Map<string, unknown>();
  for (const placed of optionList) {
    const name = flagOf(placed).attributeName();
    if (command.getOptionValueSource(name) === 'cli') flags.set(placed.name, command.getOptionValue(name));
  }
  const { file } = command.opts<{ file?: string }>();
  if (file === undefined) return resolveConfig({ environment, flags });
  // Loaded on demand: without a file no YAML is needed.
  const { readConfigFile } = await import('../../config/config-file.ts');
  return resolveConfig({ file: readConfigFile(file), environment, flags });
}

/** A second file would replace the first. */
function onlyOne(file: string, before: string | undefined): string {
  if (before !== undefined) throw new InvalidArgumentError(`give one file: there is ${before} already.`);
  return file;
}

function flagOf({ row }: PlacedOption): Option {
  const { kind, flag, words, byDefault, derived, presence } = row;
  const isNeeded = presence === 'always' && byDefault === undefined;
  const more = derived === undefined ? (isNeeded ? ' (required)' : '') : ` (default: ${derived.words})`;
  const option = new Option(`${flag} ${kind.placeholder}`, `${words}${more}`);
  if (kind.choices !== undefined) option.choices(kind.choices);
  option.argParser((text: string, before: unknown) => readArgument(() => kind.fromText(text, before)));
  return byDefault === undefined ? option : option.default(kind.fromText(byDefault), byDefault);
}
