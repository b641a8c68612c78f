import { breathe } from '../../base/breathe.ts';
import { MeshError } from '../../base/error.ts';
import type { LeaseState } from './lease-clock.ts';
import type { Registration, RegistrationKey } from './registration.ts';
import { decodeBody } from './registration-row.ts';

/** What one control plane asks another for. */
export interface ReplicaAsk {
  /** The id of who asks. */
  readonly from?: string | undefined;
  /** The IP address that it asks from. */
  readonly at?: string | undefined;
  /** The cursor of the last answer; absent: everything. */
  readonly since?: string | undefined;
  /** How long the answer may be held while nothing changes, in milliseconds. */
  readonly holdMs: number;
}

/** A registration as one control plane tells it to another. */
export interface ReplicaItem extends Registration {
  /** Of its lease there. */
  readonly lease: LeaseState;
  /** Drained, and no proxy there has it any more. */
  readonly isFree: boolean;
}

/** What one control plane tells another. */
export interface ReplicaAnswer {
  /** Names the file that it keeps registrations in, and the life of its process. */
  readonly id: string;
  readonly epoch: string;
  readonly idc: string;
  /** Whether it has once had all that there was to know. */
  readonly isComplete: boolean;
  /** All of its registrations, or only those that changed since the cursor that was asked for. */
  readonly isAll: boolean;
  readonly items: readonly ReplicaItem[];
  /** Names that it does not have any more. */
  readonly absent: readonly RegistrationKey[];
  /** Node ids of the proxies that have endpoints from it; absent: as before. */
  readonly proxies?: readonly string[];
  /** Asks for what changes after this. */
  readonly cursor: string;
}

/** Another control plane of the same IDC, as it can be asked. */
export interface PeerLink {
  /** Where its admin interface is, HOST:PORT. */
  readonly name: string;
  /** Throws MeshError when it does not answer, or refuses. */
  pull(ask: ReplicaAsk, signal: AbortSignal): Promise<unknown>;
}

const leaseStates: readonly LeaseState[] = ['running', 'unsure', 'none'];

/** So many items are read, or merged, before others have their turn. */
export const replicaSlice = 250;

/** Reads an answer, in slices; what another version added is left out. Throws MeshError `invalid`. */
export async function readReplicaAnswer(raw: unknown): Promise<ReplicaAnswer> {
  const { id, epoch, idc, isComplete, isAll, items, absent, proxies, cursor } = record(raw);
  if (![id, epoch, idc, cursor].every((one) => typeof one === 'string') || !Array.isArray(items))
    throw new MeshError('invalid', 'its answer is not that of a control plane of this version');
  const read: ReplicaItem[] = [];
  for (const [index, item] of items.entries()) {
    if (index % replicaSlice === replicaSlice - 1) await breathe();
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
  // What it alone can read stays its own: the others lack it, and it tells of it.
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
