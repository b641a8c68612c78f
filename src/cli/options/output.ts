import { createRequire } from 'node:module';
import { Option } from 'commander';
import { escapedInQuotes, needsEscapes } from '../../base/text/safe-excerpt.ts';

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

/** A value as text for programs, which cannot control a terminal. */
export function dataText(value: unknown, output: DataFormat): string {
  if (output === 'json') return `${escapedInQuotes(JSON.stringify(value, null, 2))}\n`;
  // Loaded on demand: all other output does without.
  const { Document, visit }: typeof import('yaml') = createRequire(import.meta.url)('yaml');
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_, scalar) {
      if (typeof scalar.value === 'string' && needsEscapes(scalar.value)) scalar.type = 'QUOTE_DOUBLE';
    },
  });
  return escapedInQuotes(document.toString());
}
