import { z } from 'zod';
import { isMap } from '../../../base/raw-map.ts';
import { closest, didYouMean } from '../../../base/text/suggest.ts';
import type { FindingCode } from '../../../model/finding-codes.ts';
import { durationMeant } from '../../../model/values/duration.ts';
import type { PathPart } from '../../../model/values/field-path.ts';
import { type Fault, show } from '../fault.ts';

/**
 * Validates `raw` by a schema of Isthmus's own kinds. Returns the value, or undefined after adding all errors
 * to `faults`, with paths that begin with `below`.
 */
export function parseStrict<T>(
  schema: z.ZodType<T>,
  raw: unknown,
  parentPath: readonly PathPart[],
  faults: Fault[],
): T | undefined {
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  const mistyped = new Set<string>();
  const issues = result.error.issues.flatMap(ofBranch);
  const misspelt = misspeltAt(schema, issues);
  for (const issue of issues) {
    // A value of the wrong type is not also too long or too short.
    const at = JSON.stringify(issue.path);
    if (mistyped.has(at)) continue;
    if (issue.code === 'invalid_type') mistyped.add(at);
    const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
    const add = (code: FindingCode, message: string, ...rest: PathPart[]) =>
      faults.push({ code, severity: 'error', path: [...parentPath, ...path, ...rest], message });
    if (issue.code === 'unrecognized_keys') {
      const known = keysAt(schema, path);
      for (const key of issue.keys)
        add('UnknownField', `unknown field: correct or remove it.${hint(key, known)}`, key);
    } else if (valueAt(raw, path) === undefined) {
      // Present under a misspelt name, which is reported.
      if (!misspelt.has(at)) add('MissingField', 'is required: give it a value.');
    } else if (issue.code === 'invalid_type' && issue.message.startsWith('Invalid input')) {
      add(
        'InvalidField',
        `must be ${typeWords[issue.expected] ?? issue.expected}, not ${show(valueAt(raw, path))}.`,
      );
    } else {
      const value = valueAt(raw, path);
      const meant = issue.message.startsWith('must be a duration') ? durationMeant(value) : '';
      add(
        'InvalidField',
        typeof value === 'object' || value === ''
          ? issue.message
          : `${issue.message} It is ${show(value)}.${meant}`,
      );
    }
  }
  return undefined;
}

/** For a union the errors of the branch that accepts this kind of value; else the union's own. */
function ofBranch(issue: z.core.$ZodIssue): readonly z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const shaped = issue.errors.filter((list) =>
    list.every(({ code, path }) => code === 'unrecognized_keys' || path.length > 0),
  );
  const [branch] = shaped;
  if (branch === undefined || shaped.length > 1) return [issue];
  return branch.flatMap((inner) => ofBranch({ ...inner, path: [...issue.path, ...inner.path] }));
}

/** Paths, as JSON, of missing fields for which a misspelt one is present. */
function misspeltAt(schema: z.ZodType, issues: readonly z.core.$ZodIssue[]): ReadonlySet<string> {
  const meant = issues.flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys') return [];
    const known = keysAt(
      schema,
      issue.path.map((part) => (typeof part === 'number' ? part : String(part))),
    );
    return issue.keys.map((key) => JSON.stringify([...issue.path, closest(key, known)]));
  });
  return new Set(meant);
}

/**
 * The part of `raw` that matches a schema, so that its errors do not hide others: invalid fields, items and
 * values are left out; undefined if nothing is left.
 */
export function validPartOf<T>(schema: z.ZodType<T>, raw: unknown): T | undefined {
  return validPart(schema, raw) as T | undefined;
}

function validPart(schema: unknown, raw: unknown): unknown {
  const inner = unwrap(schema);
  if (!(inner instanceof z.ZodType)) return undefined;
  const whole = inner.safeParse(raw);
  if (whole.success) return whole.data;
  const parts = validParts(inner, raw);
  const result = parts === undefined ? undefined : inner.safeParse(parts);
  return result?.success ? result.data : undefined;
}

function validParts(schema: z.ZodType, raw: unknown): unknown {
  const without = (fields: [string, unknown][]) => {
    return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
  };
  if (schema instanceof z.ZodArray && Array.isArray(raw))
    return raw.map((item) => validPart(schema.element, item)).filter((item) => item !== undefined);
  if (!isMap(raw)) return undefined;
  if (schema instanceof z.ZodObject)
    return without(Object.entries(schema.shape).map(([key, of]) => [key, validPart(of, raw[key])]));
  if (schema instanceof z.ZodRecord)
    return without(Object.entries(raw).map(([key, value]) => [key, validPart(schema.valueType, value)]));
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

/** Field names of the schema at `path`; empty if it is not an object. */
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
