import type { ObjectFinding } from '../model/finding.ts';
import type { FindingCode } from '../model/finding-codes.ts';
import { type Kind, type MeshObject, refOf } from '../model/object.ts';
import { type PathPart, renderPath } from '../model/values/field-path.ts';

/** Something that is allowed, and probably not meant. */
export interface Lint {
  readonly code: FindingCode;
  readonly object: MeshObject;
  readonly path: readonly PathPart[];
  readonly message: string;
  /** A warning unless given. A note tells of a limit that nobody can lift by a change of objects. */
  readonly severity?: 'note';
  /**
   * Kinds of objects that it lacks, or of which it counts too few: one of them may be missing for a fault of
   * its own.
   */
  readonly lacks?: readonly Kind[];
}

/** A lint as a finding of its object, at the place where that was read. */
export function findingOfLint({ code, object, path, message, severity }: Lint): ObjectFinding {
  return {
    ...{ code, severity: severity ?? 'warning', ref: refOf(object), where: object.meta.origin },
    ...{ path: renderPath(path), message },
  };
}
