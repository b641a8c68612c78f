import type { Clock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { Answer, Body } from '../contract/contract.ts';
import type { OperationId } from '../contract/operations.ts';
import { type ApiClient, type Reply, refusalOf } from './api-client.ts';

/** A control plane that a change is asked of, and the IDC that it decides for. */
export interface EvacuationPlane {
  readonly name: string;
  readonly idc: string;
  readonly idcs: readonly string[];
  /** How far its clock was ahead of this machine's, in milliseconds; NaN: it does not say. */
  readonly aheadMs: number;
  readonly client: ApiClient;
}

/** The spec of an Evacuation whose end is told by `for`. */
export type SpecWithoutEnd = Omit<Body<'evacuate'>, 'expires'>;

type Status = Exclude<Answer<'getStatus'>['body'], readonly unknown[]>;

/** What a control plane answered: how far the change has come. */
export interface PlaneAnswer {
  readonly plane: EvacuationPlane;
  /** Proxies that have not confirmed; empty: all have. */
  readonly waitingFor: readonly string[];
  /** Proxies that were not waited for any longer. */
  readonly forgiven: readonly string[];
  /** Groups that come home little by little, by NAMESPACE/HOST:PORT. */
  readonly comingHome: readonly string[];
}

/** The longest that a control plane may take beyond what it was asked to wait. Milliseconds. */
const answerMsMax = 5_000;

/** Asks each control plane what it decides for. Throws MeshError `unavailable` when one does not answer. */
export function findPlanes(
  clients: readonly { readonly name: string; readonly client: ApiClient }[],
  clock: Clock,
): Promise<readonly EvacuationPlane[]> {
  return Promise.all(
    clients.map(async ({ name, client }) => {
      const askedAt = clock.wall();
      const { idc, idcs, at = '' } = await listAt(client);
      // Said about halfway between the question and its answer.
      const saidAt = (askedAt + clock.wall()) / 2;
      return { name, idc, idcs, aheadMs: Date.parse(at) - saidAt, client };
    }),
  );
}

/** The evacuations that a control plane has. Throws MeshError `unavailable`. */
export async function listAt(client: ApiClient): Promise<Answer<'listEvacuations'>['body']> {
  return body(await client.call('listEvacuations', { timeoutMs: answerMsMax }));
}

/**
 * What a spec without an end would do at a control plane, for so long. Throws MeshError `conflict` when it is
 * refused, with the reason.
 */
export async function checkAt(
  plane: EvacuationPlane,
  name: string,
  spec: SpecWithoutEnd,
  forMs: number,
): Promise<Answer<'evacuate'>['body']> {
  const query = { check: 'only' as const, for: `${forMs}ms` };
  return body(
    await plane.client.call('evacuate', { path: { name }, query, body: spec, timeoutMs: answerMsMax }),
  );
}

/**
 * Puts a spec without an end for so long, by the control plane's own clock; with `isStanding` only where it
 * is in force already. Waits for no proxy. Throws MeshError as `checkAt`, and `unavailable`.
 */
export async function putAt(
  plane: EvacuationPlane,
  name: string,
  spec: SpecWithoutEnd,
  forMs: number,
  isStanding: boolean,
): Promise<void> {
  const query = { for: `${forMs}ms`, ...(isStanding ? { only: 'standing' as const } : {}) };
  body(await plane.client.call('evacuate', { path: { name }, query, body: spec, timeoutMs: answerMsMax }));
}

/**
 * Lets one that is in force last so long from now on. Throws MeshError `conflict` when it is not, and
 * `unavailable`.
 */
export async function renewAt(
  { client }: EvacuationPlane,
  name: string,
  forMs: number,
  timeoutMs: number,
): Promise<void> {
  const query = { for: `${forMs}ms` };
  body(await client.call('renewEvacuation', { path: { name }, query, timeoutMs }));
}

/** As `renewAt`, and waits for the proxies, which have to confirm what was put before. */
export async function confirmAt(
  plane: EvacuationPlane,
  name: string,
  forMs: number,
  waitMs: number,
  signal: AbortSignal,
): Promise<PlaneAnswer> {
  const { query, timeoutMs } = waiting(waitMs);
  const renewed = { ...query, for: `${forMs}ms` };
  const call = { path: { name }, query: renewed, timeoutMs, signal };
  return answerOf(plane, body(await plane.client.call('renewEvacuation', call)));
}

/** Ends an evacuation at a control plane, and waits for its proxies. Throws MeshError `unavailable`. */
export async function endAt(plane: EvacuationPlane, name: string, waitMs: number): Promise<PlaneAnswer> {
  return answerOf(
    plane,
    body(await plane.client.call('endEvacuation', { path: { name }, ...waiting(waitMs) })),
  );
}

/** How a call waits for proxies. */
function waiting(waitMs: number) {
  const query = { wait: 'acked', timeout: `${waitMs}ms` } as const;
  return { query, timeoutMs: waitMs + answerMsMax };
}

function answerOf(plane: EvacuationPlane, told: Partial<Omit<PlaneAnswer, 'plane'>>): PlaneAnswer {
  const { waitingFor = [], forgiven = [], comingHome = [] } = told;
  return { plane, waitingFor, forgiven, comingHome };
}

/** The proxies that are connected to a control plane. Throws MeshError `unavailable`. */
export async function proxiesAt({ client }: EvacuationPlane): Promise<Status['proxies']> {
  const status = body(await client.call('getStatus', { timeoutMs: answerMsMax }));
  return 'proxies' in status ? status.proxies : [];
}

/** What they refuse, as `NODE: RESOURCE`. Throws MeshError `unavailable`. */
export async function refusedAt(plane: EvacuationPlane): Promise<readonly string[]> {
  const proxies = await proxiesAt(plane);
  return proxies.flatMap(({ id, types }) =>
    Object.entries(types).flatMap(([type, { nack }]) =>
      nack === undefined ? [] : `${id}: ${type} ${nack.names.join(', ')}: ${nack.message.split('\n')[0]}`,
    ),
  );
}

function body<Id extends OperationId>(reply: Reply<Id>): Answer<Id>['body'] {
  if (reply.isRefused)
    throw new MeshError(reply.status >= 500 ? 'unavailable' : 'conflict', refusalOf(reply));
  return reply.body;
}
