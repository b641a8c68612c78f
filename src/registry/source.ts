import type { Change, Kind, MeshObject, Ref } from '../model/object.ts';

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
  /**
   * All current problems of this source, replacing what it reported before. `doubtful`: kinds of which an object may be missing
   * for one of them.
   */
  problems(list: readonly Problem[], doubtful?: ReadonlySet<Kind>): void;
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
  /**
   * All objects that are to be in force now, as it would emit them, from what it knows. Compared from time to time
   * with what the index has: an event that was missed is found so. Absent: there is nothing to compare.
   */
  objects?(): Iterable<MeshObject>;
  /** Takes what a comparison found to differ, and emits it. Absent: it is taken as if the source had emitted it. */
  repair?(batch: readonly Change[]): void;
}

/** Which proxies had endpoints, over restarts: a deletion just after one waits for those that are not back yet. */
export interface ProxyMemory {
  /** Those of an earlier life, or of a peer that is lost, by node id; each is told once. */
  recall(): readonly string[];
  /** Those that have come to a peer, which waits for them; each is told once. */
  passedOn(): readonly string[];
  /** Remembers a proxy, or forgets it. Not waited for: it is one of those things that are better late than slow. */
  note(node: string, isKnown: boolean): void;
}
