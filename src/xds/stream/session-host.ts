import type { MeshError } from '../../base/error.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { Budget } from '../admission/budget.ts';
import type { Ack, Nack, Stats } from '../events.ts';
import type { Slices } from '../slices.ts';
import type { NameSets } from '../state/name-sets.ts';
import type { Snapshot } from '../state/snapshot.ts';
import type { Unsettled } from '../state/unsettled.ts';

/** Where a session writes. */
export interface SessionStream {
  write(bytes: Buffer): void;
  /** Bytes that were written and have not gone out: the client does not read them. */
  unreadBytes(): number;
  /** Calls `fn` once all of them have. */
  whenRead(fn: () => void): void;
  refuse?(error: MeshError): void;
  /** Does work in slices, before anything else is read of the stream. Without it, work is done at once. */
  inSlices?(work: Slices): void;
}

/** What a session `S` needs of the server; `M` is what it has of each type. */
export interface SessionHost<S, M> {
  readonly sets: NameSets;
  readonly budget: Budget;
  readonly stats: Stats;
  readonly log: Logger;
  /** How long the other types wait for an answer, in milliseconds. */
  readonly answerWaitMsMax: number;
  now(): number;
  readonly random: Random;
  revision(): number;
  nextSequence(): number;
  readonly unsettled: Unsettled;
  /** The resources of a type for the session's class. */
  snapshot(nodeClass: string, typeUrl: string): Snapshot<M>;
  /** Whether the class may be answered. */
  isOpen(nodeClass: string): boolean;
  acked(ack: Ack): void;
  nacked(nack: Nack): void;
  /** `advance` is to be called soon. */
  due(session: S): void;
  /** The session has confirmed more than before. */
  confirmed(session: S): void;
}
