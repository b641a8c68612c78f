import type { MeshObject } from '../model/object.ts';
import type { PathPart } from './fault.ts';

/** Something that is allowed, and probably not meant. */
export interface Lint {
  readonly object: MeshObject;
  readonly path: readonly PathPart[];
  readonly message: string;
}
