import { z } from 'zod';
import { didYouMean } from '../model/suggest.ts';
import { type Fault, type PathPart, show } from './fault.ts';

/**
 * Checks `raw` against a schema of Isthmus's own kinds. Returns the value, or undefined after all faults
 * were put into `faults`, each with its path below `at`.
 */
export function parseStrict<T>(
  schema: z.ZodType<T>,
  raw: unknown,
  at: readonly PathPart[],
  faults: Fault[],
): T | undefined {
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
    const add = (message: string, ...rest: PathPart[]) =>
      faults.push({ severity: 'error', path: [...at, ...path, ...rest], message });
    if (issue.code === 'unrecognized_keys') {
      const known = keysAt(schema, path);
      for (const key of issue.keys) add(`unknown field: correct or remove it.${hint(key, known)}`, key);
    } else if (valueAt(raw, path) === undefined) {
      add('is required: give it a value.');
    } else if (issue.code === 'invalid_type' && issue.message.startsWith('Invalid input')) {
      add(`must be ${typeWords[issue.expected] ?? issue.expected}, not ${show(valueAt(raw, path))}.`);
    } else {
      const value = valueAt(raw, path);
      add(typeof value === 'object' ? issue.message : `${issue.message} It is ${show(value)}.`);
    }
  }
  return undefined;
}

const typeWords: Readonly<Record<string, string>> = {
  object: 'a mapping',
  record: 'a mapping',
  array: "a list: write each item on a line of its own, after '- '",
  string: 'text, in quotes',
};

function hint(key: string, known: readonly string[]): string {
  return didYouMean(key, known) || (known.length > 0 ? ` Known here: ${known.join(', ')}.` : '');
}

function valueAt(raw: unknown, path: readonly PathPart[]): unknown {
  let value = raw;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = Reflect.get(value, part);
  }
  return value;
}

/** The fields that the schema knows at `path`; empty where it is no object. */
function keysAt(schema: z.ZodType, path: readonly PathPart[]): readonly string[] {
  let here: unknown = unwrap(schema);
  for (const part of path) {
    if (here instanceof z.ZodObject) here = unwrap(here.shape[part]);
    else if (here instanceof z.ZodArray) here = unwrap(here.element);
    else return [];
  }
  return here instanceof z.ZodObject ? Object.keys(here.shape) : [];
}

function unwrap(schema: unknown): unknown {
  return schema instanceof z.ZodOptional ? unwrap(schema.unwrap()) : schema;
}
