import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { scenarioSchema } from './document/document.ts';

/** Where the schema is published, from this file in the source tree. */
const folder = fileURLToPath(new URL('../../../docs/schemas', import.meta.url));

/** The JSON Schema (draft 7) of scenario files, by file name, for editors. */
export function generateScenarioSchema(): Readonly<Record<string, string>> {
  const schema = z.toJSONSchema(scenarioSchema, { target: 'draft-7', io: 'input' });
  return { 'scenario.json': `${JSON.stringify(schema, null, 2)}\n` };
}

// Run as a program.
if (import.meta.main) {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(generateScenarioSchema()))
    writeFileSync(join(folder, name), text);
}
