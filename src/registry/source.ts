import type { Change, Ref } from '../model/object.ts';

/** A fault or a warning about an object or a file; printed as `where: path: message`. */
export interface Problem {
  readonly severity: 'error' | 'warning';
  /** `file.yaml:12:3`, or the resource's path. */
  readonly where: string;
  /** Path of the field inside the object, such as `spec.ports[0].protocol`; '' for the whole. */
  readonly path: string;
  /** What is wrong and what to do. */
  readonly message: string;
}

/** Where a source puts what it reads. Called in order, never concurrently. */
export interface Sink {
  /** Changes that were read together; applied together. */
  changes(batch: readonly Change[]): void;
  /** All current problems of this source, replacing what it reported before. */
  problems(list: readonly Problem[]): void;
}

/**
 * Where registry objects come from. `start` reads everything, emits it, then one `synced`, then goes on
 * until `signal` aborts; it resolves once the watch is set up and `synced` was emitted.
 */
export interface Source {
  readonly name: string;
  start(sink: Sink, signal: AbortSignal): Promise<void>;
  /** Called when no proxy has the object any more: a source with finalizers lets it go now. */
  release(ref: Ref): Promise<void>;
}
