import type { FindingCode } from './finding-codes.ts';
import type { Ref } from './object.ts';

/** An error keeps what it is about from having effect; a note tells of a limit that no change can lift. */
export type Severity = 'error' | 'warning' | 'note';

/** What is wrong, probably not meant, or good to know of an object, a file, a proxy, or the control plane. */
export interface Finding {
  /** The kind of finding, as a condition's reason in Kubernetes. */
  readonly code: FindingCode;
  readonly severity: Severity;
  /** The object that it is about; absent where there is none, or none that can be told. */
  readonly ref?: Ref;
  /** `file.yaml:12:3`, a resource's path, or what else it is about, such as a node id. */
  readonly where: string;
  /** Path of the field inside the object, such as `spec.ports[0].protocol`; '' for the whole. */
  readonly path: string;
  /** What is wrong and what to do. */
  readonly message: string;
}

/** A finding of an object. */
export interface ObjectFinding extends Finding {
  readonly ref: Ref;
}
