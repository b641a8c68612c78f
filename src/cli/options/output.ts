import { Option } from 'commander';
import { stringify } from 'yaml';

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
  return output === 'json'
    ? `${JSON.stringify(value, null, 2)}\n`
    : stringify(value, { aliasDuplicateObjects: false });
}
