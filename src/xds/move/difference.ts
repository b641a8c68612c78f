import type { Cause } from '../cause.ts';
import type { EncodedResource } from '../codec/codec.ts';

/** A removal held back: its revision, cause and last content, if known. */
export interface HeldRemoval {
  readonly revision?: number;
  readonly cause?: Cause;
  readonly last?: EncodedResource;
  /** `last` may not be what the client has. */
  readonly isUnsure?: boolean;
  /**
   * The difference that it came with, if the stream came from a class that has the resource: the snapshot of
   * its own may never have had it.
   */
  readonly moved?: number;
}

/** What a client has of a name: a resource, one of unknown content, or nothing. */
export type Had = EncodedResource | 'unknown' | undefined;

/**
 * How what a stream was sent of a type differs from the resources of the class that it is moved to. Shared by
 * all streams in the same state; never changed.
 */
export interface ClassDifference {
  /** Stands for it in the keys of shared responses. */
  readonly id: number;
  /** Changes of the new class after this revision may not be in it. */
  readonly revision: number;
  /** Resources of the new class of which the client has other content, or none. */
  readonly changed: ReadonlySet<string>;
  /** What the client has, and the new class has not. */
  readonly removed: ReadonlyMap<string, HeldRemoval>;
  /** Of each name in `changed`, the revision from which on the client has not confirmed it. */
  readonly since: ReadonlyMap<string, number>;
  /** What the client has of all these names, once it has accepted what it was sent. */
  readonly had: ReadonlyMap<string, Had>;
  /** Until a stream has ACKed the difference, no revision after this one counts as confirmed. */
  readonly confirmedMax: number;
  readonly causes: readonly Cause[];
  readonly superseded: readonly Cause[];
}

/** Whether there is no difference. */
export function isSame({ changed, removed }: ClassDifference): boolean {
  return changed.size === 0 && removed.size === 0;
}
