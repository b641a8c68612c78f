import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configJsonSchema } from './schema.ts';
import { optionsTable } from './table.ts';

/**
 * Files generated from the options, by path below the root of the source tree; each function gets the current
 * content.
 */
export const madeFromOptions: Readonly<Record<string, (now: string) => string>> = {
  'docs/schemas/control-plane-config.json': configJsonSchema,
  'docs/defaults.md': withTable,
};

const [begin, end] = [
  '<!-- Made by `make schemas` from src/config/options.ts. -->\n',
  '\n<!-- The end of what is made. -->',
];

function withTable(page: string): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from)
    throw new Error(`docs/defaults.md lacks the lines ${begin.trim()} and ${end.trim()}`);
  return `${page.slice(0, from + begin.length)}\n${optionsTable()}${page.slice(to)}`;
}

// As a program: writes changed files.
if (import.meta.main) {
  for (const [path, make] of Object.entries(madeFromOptions)) {
    const file = fileURLToPath(new URL(`../../${path}`, import.meta.url));
    const now = readOrEmpty(file);
    const made = make(now);
    if (made !== now) writeFileSync(file, made);
  }
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
