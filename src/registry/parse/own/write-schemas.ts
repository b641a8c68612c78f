import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { documentSchemas } from './schema.ts';

/** The folder of published schemas, relative to this file in the source tree. */
export const schemaFolder = fileURLToPath(new URL('../../../../docs/schemas', import.meta.url));

type Json = Record<string, unknown>;

/**
 * JSON Schemas (draft 7, the best supported by editors) of Isthmus's own kinds, by file name. `isthmus.json`
 * accepts files with Istio's kinds beside ours, and checks ours.
 */
export function generateSchemas(): Readonly<Record<string, string>> {
  const idc = toSchema(documentSchemas.Idc);
  const drGroup = toSchema(documentSchemas.DrGroup);
  const evacuation = toSchema(documentSchemas.Evacuation);
  const when = (kind: string, schema: Json) => {
    const { $schema: _, ...then } = schema;
    return { if: { type: 'object', required: ['kind'], properties: { kind: { const: kind } } }, then };
  };
  const combined = {
    $schema: idc.$schema,
    title: 'Objects of Isthmus, among others',
    type: 'object',
    required: ['apiVersion', 'kind'],
    allOf: [when('Idc', idc), when('DrGroup', drGroup), when('Evacuation', evacuation)],
  };
  return {
    'idc.json': print(idc),
    'drgroup.json': print(drGroup),
    'evacuation.json': print(evacuation),
    'isthmus.json': print(combined),
  };
}

function toSchema(schema: z.ZodType): Json {
  return z.toJSONSchema(schema, { target: 'draft-7', io: 'input' }) as Json;
}

function print(schema: Json): string {
  return `${JSON.stringify(schema, null, 2)}\n`;
}

// As a program: writes changed files.
if (import.meta.main) {
  mkdirSync(schemaFolder, { recursive: true });
  for (const [name, text] of Object.entries(generateSchemas())) {
    const path = join(schemaFolder, name);
    if (text !== readOrEmpty(path)) writeFileSync(path, text);
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
