import type { MeshError } from '../../base/error.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { Budget } from '../admission/budget.ts';
import type { Ack, Nack, Stats } from '../events.ts';
import type { Slices } from '../slices.ts';
import type { NameSets } from '../state/name-sets.ts';
import type { Snapshot } from '../state/snapshot.ts';
import type { Unsettled } from '../state/unsettled.ts';

/** The output of a session. */
export interface SessionStream {
  write(bytes: Buffer): void;
  /** Calls `work`, and passes on together what that writes. If absent, each by itself. */
  together?(work: () => void): void;
  /** Bytes written and not yet taken by the client. */
  unreadBytes(): number;
  /** Calls `fn` once all of them are. */
  whenRead(fn: () => void): void;
  refuse?(error: MeshError): void;
  /** Runs work in slices before anything else is read from the stream. If absent, work runs at once. */
  inSlices?(work: Slices): void;
}

/** Whether a resource may be sent before the answers to what it names. */
export type SendAhead = (nodeClass: string, typeUrl: string, name: string) => boolean;

/** What a session `S` needs from the server; `M` is its member of each type. */
export interface SessionHost<S, M> {
  readonly sets: NameSets;
  readonly budget: Budget;
  readonly stats: Stats;
  readonly log: Logger;
  /** How long other types wait for an overdue answer, in milliseconds. */
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
  /** See `XdsServerOptions`; undefined: nothing is sent before it is asked for. */
  readonly sendAhead: SendAhead | undefined;
  acked(ack: Ack): void;
  nacked(nack: Nack): void;
  /** Schedules a call of `advance`. */
  due(session: S): void;
  /** A session with a move before it has done its work: it can be moved. */
  mayMove(session: S): void;
  /** The session has confirmed more than before. */
  confirmed(session: S): void;
  /** The session has requested a type for the first time. */
  subscribed(session: S, member: M): void;
}
