import type { Kind } from '../../model/object.ts';

/** One step into an object: a field's name or a list's index. */
export type PathPart = string | number;

/** A fault or a warning about one field, before it is known where in a file the field stands. */
export interface Fault {
  readonly severity: 'error' | 'warning';
  /** From the object's root; empty for the whole. */
  readonly path: readonly PathPart[];
  /** What is wrong and what to do. */
  readonly message: string;
  /** The kind of object that it lacks: its absence may be the fault of that object. */
  readonly lacks?: Kind;
}

/** True when at least one of the faults rejects the object. */
export function hasErrors(faults: readonly Fault[]): boolean {
  return faults.some((fault) => fault.severity === 'error');
}

/** A path as people write it: `spec.ports[0].protocol`, `metadata.annotations["isthmus.dev/timeout"]`. */
export function renderPath(path: readonly PathPart[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (!/^[A-Za-z0-9_-]+$/.test(part)) text += `[${JSON.stringify(part)}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

/** A value as a message shows it: short, on one line. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a mapping';
  const text = typeof value === 'string' ? `'${value}'` : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
