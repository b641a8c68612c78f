import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Keeps a bench's results as JSON. */
export function keepJson(file: string, results: object): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
}
