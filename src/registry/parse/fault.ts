import { printable } from '../../base/text/safe-excerpt.ts';
import type { Finding } from '../../model/finding.ts';
import type { FindingCode } from '../../model/finding-codes.ts';
import type { Kind, Ref } from '../../model/object.ts';
import { type PathPart, renderPath } from '../../model/values/field-path.ts';

/**
 * A parser's fault or warning about one field, before it is known where in a file the field stands.
 * `findingOf` makes a finding of it.
 */
export interface Fault {
  /** Absent: `InvalidField` of an error, `UnsupportedField` of a warning. */
  readonly code?: FindingCode;
  readonly severity: 'error' | 'warning';
  /** From the object's root; empty for the whole. */
  readonly path: readonly PathPart[];
  /** What is wrong and what to do. */
  readonly message: string;
  /** The kind of the missing object, whose absence may be caused by its own error. */
  readonly lacks?: Kind;
}

/** The code of a fault's finding. */
export function codeOf({ code, severity }: Pick<Fault, 'code' | 'severity'>): FindingCode {
  return code ?? (severity === 'error' ? 'InvalidField' : 'UnsupportedField');
}

/** A fault as a finding: of the object `ref`, where it is known which, at `where`. */
export function findingOf(fault: Fault, where: string, ref?: Ref): Finding {
  const { severity, path, message } = fault;
  return { code: codeOf(fault), severity, ...(ref && { ref }), where, path: renderPath(path), message };
}

/** Whether any of the findings is an error, which rejects the object. */
export function hasErrors(faults: readonly Fault[]): boolean {
  return faults.some((fault) => fault.severity === 'error');
}

/** A value for a message: short, on one line, printable. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a mapping';
  const text = typeof value === 'string' ? `'${printable(value)}'` : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
