import { MeshError } from '../../base/error.ts';
import { yieldToEventLoop } from '../../base/yield-to-event-loop.ts';
import type { LeaseState } from './lease-clock.ts';
import type { Registration, RegistrationKey } from './registration.ts';
import { decodeBody } from './registration-row.ts';

/** What one control plane asks another. */
export interface ReplicaAsk {
  /** The id of the requesting control plane. */
  readonly from?: string | undefined;
  /** Its IP address. */
  readonly at?: string | undefined;
  /** The cursor of the last answer; absent: everything. */
  readonly since?: string | undefined;
  /** How long to hold an answer without changes, in milliseconds. */
  readonly holdMs: number;
}

/** A registration in an answer to a peer. */
export interface ReplicaItem extends Registration {
  /** The lease at the sender. */
  readonly lease: LeaseState;
  /** Drained, and no proxy there has it any more. */
  readonly isFree: boolean;
}

/** An answer to a peer. */
export interface ReplicaAnswer {
  /** Identifies the sender's file of registrations, and the run of its process. */
  readonly id: string;
  readonly epoch: string;
  readonly idc: string;
  /** Whether it has once had the complete state. */
  readonly isComplete: boolean;
  /** All registrations, or only those changed since the request's cursor. */
  readonly isAll: boolean;
  readonly items: readonly ReplicaItem[];
  /** Names that it no longer has. */
  readonly absent: readonly RegistrationKey[];
  /** Node ids of the proxies with endpoints from it; absent: unchanged. */
  readonly proxies?: readonly string[];
  /** Requests changes after this answer. */
  readonly cursor: string;
}

/** Another control plane of the same IDC, as a source of records. */
export interface PeerLink {
  /** Its admin address, HOST:PORT. */
  readonly name: string;
  /** Throws MeshError if it does not answer, or refuses. */
  pull(ask: ReplicaAsk, signal: AbortSignal): Promise<unknown>;
}

const leaseStates: readonly LeaseState[] = ['running', 'unsure', 'none'];

/** Items parsed or merged before yielding. */
export const replicaSlice = 250;

/** Parses an answer, in slices; unknown fields are dropped. Throws MeshError `invalid`. */
export async function readReplicaAnswer(raw: unknown): Promise<ReplicaAnswer> {
  const { id, epoch, idc, isComplete, isAll, items, absent, proxies, cursor } = record(raw);
  if (![id, epoch, idc, cursor].every((one) => typeof one === 'string') || !Array.isArray(items))
    throw new MeshError('invalid', 'its answer is not that of a control plane of this version');
  const read: ReplicaItem[] = [];
  for (const [index, item] of items.entries()) {
    if (index % replicaSlice === replicaSlice - 1) await yieldToEventLoop();
    read.push(...readItem(record(item)));
  }
  return {
    ...{ id: String(id), epoch: String(epoch), idc: String(idc), cursor: String(cursor) },
    ...{ isComplete: isComplete === true, isAll: isAll === true },
    items: read,
    absent: (Array.isArray(absent) ? absent : []).map(keyOf),
    ...(Array.isArray(proxies) ? { proxies: proxies.map(String) } : {}),
  };
}

function readItem(raw: Readonly<Record<string, unknown>>): readonly ReplicaItem[] {
  const decoded = decodeBody(keyOf(raw), raw);
  // A record that only the sender can read is left to it: it reports the problem.
  if ('problem' in decoded) return [];
  const lease = leaseStates.find((one) => one === raw.lease) ?? 'none';
  return [{ ...decoded.registration, lease, isFree: raw.isFree === true }];
}

function keyOf(raw: unknown): RegistrationKey {
  const { namespace, name } = record(raw);
  return { namespace: String(namespace), name: String(name) };
}

function record(raw: unknown): Readonly<Record<string, unknown>> {
  return typeof raw === 'object' && raw !== null ? (raw as Record<string, unknown>) : {};
}
