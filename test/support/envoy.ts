import { accessSync, constants, globSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The Envoy binary that tests run: ENVOY_BIN, else `envoy` on PATH, else the one that `make setup` installs.
 */
export function findEnvoy(): string {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const candidates = [
    ...(process.env.ENVOY_BIN ? [process.env.ENVOY_BIN] : []),
    ...(process.env.PATH ?? '').split(delimiter).map((dir) => join(dir, 'envoy')),
    ...globSync(join(root, '.venv/lib/python3*/site-packages/envoy/_bin/envoy')),
  ];
  const found = candidates.find(isExecutable);
  if (found === undefined) throw new Error('There is no Envoy: run `make setup`, or set ENVOY_BIN.');
  return found;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
