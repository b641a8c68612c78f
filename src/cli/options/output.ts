import { createRequire } from 'node:module';
import { Option } from 'commander';

const formats = ['table', 'wide', 'json', 'yaml'] as const;

/** A format of `--output`. */
export type OutputFormat = (typeof formats)[number];

/** `-o, --output`, by default a table; `help`: what the formats contain. */
export function outputOption(help: string, choices: readonly OutputFormat[] = formats): Option {
  return new Option('-o, --output <format>', help).choices(choices).default('table');
}

/** A format for programs. */
type DataFormat = Extract<OutputFormat, 'json' | 'yaml'>;

/** Whether a format is one for programs. */
export function isData(output: OutputFormat): output is DataFormat {
  return output === 'json' || output === 'yaml';
}

/** A value as text for programs. */
export function dataText(value: unknown, output: DataFormat): string {
  if (output === 'json') return `${JSON.stringify(value, null, 2)}\n`;
  // Loaded on demand: all other output does without.
  const { stringify }: typeof import('yaml') = createRequire(import.meta.url)('yaml');
  return stringify(value, { aliasDuplicateObjects: false });
}
