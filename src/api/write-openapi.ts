// Program: writes docs/openapi.yaml (make schemas).
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { openApiDocument } from './openapi.ts';

/** The document's path, relative to this file in the source tree. */
export const openApiFile = fileURLToPath(new URL('../../docs/openapi.yaml', import.meta.url));

/** The published document. */
export function openApiYaml(): string {
  const head = '# Made from src/contract by `make schemas`.\n';
  return head + stringify(openApiDocument(), { aliasDuplicateObjects: false, lineWidth: 140 });
}

if (import.meta.main) writeFileSync(openApiFile, openApiYaml());
