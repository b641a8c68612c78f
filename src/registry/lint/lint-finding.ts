import type { FindingCode } from '../../model/finding-codes.ts';
import type { Kind, MeshObject } from '../../model/object.ts';
import type { PathPart } from '../parse/fault.ts';

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
