import type { Clock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { Answer, Body } from '../contract/contract.ts';
import type { OperationId } from '../contract/operations.ts';
import { type ApiClient, type Reply, refusalOf } from './api-client.ts';

/** A control plane that applies a change, and its IDC. */
export interface EvacuationPlane {
  readonly name: string;
  readonly idc: string;
  readonly idcs: readonly string[];
  /** How far its clock is ahead of this machine's, in milliseconds; NaN: unknown. */
  readonly aheadMs: number;
  readonly client: ApiClient;
}

/** The spec of an Evacuation whose end is given by `for`. */
export type SpecWithoutEnd = Omit<Body<'evacuate'>, 'expires'>;

type Status = Exclude<Answer<'getStatus'>['body'], readonly unknown[]>;

/** A control plane's answer: progress of the change. */
export interface PlaneAnswer {
  readonly plane: EvacuationPlane;
  /** Proxies that have not confirmed; empty: all have. */
  readonly waitingFor: readonly string[];
  /** Proxies that are no longer waited for. */
  readonly forgiven: readonly string[];
  /** Groups in gradual failback, by NAMESPACE/HOST:PORT. */
  readonly comingHome: readonly string[];
}

/**
 * Clocks of control planes that differ by more, in milliseconds, are reported: Evacuations in YAML begin and
 * end by each one's own clock.
 */
export const clocksApartMsMax = 5_000;

/** Time limit of an answer beyond the wait it includes. Milliseconds. */
const answerMsMax = 5_000;

/** How far the clock of a control plane is ahead of this machine's; it is that, give or take `exactMs`. */
export interface ClockReading {
  readonly aheadMs: number;
  /** Half of the round trip. */
  readonly exactMs: number;
}

/**
 * Reads the clock of a control plane `times` times, one after another: the reading with the shortest round
 * trip; undefined: it does not say. Throws MeshError as `listAt`.
 */
export async function readClock(
  client: ApiClient,
  clock: Clock,
  times: number,
): Promise<ClockReading | undefined> {
  let best: ClockReading | undefined;
  for (let i = 0; i < times; i += 1) {
    const began = clock.now();
    const askedAt = clock.wall();
    const { at = '' } = await listAt(client);
    const exactMs = (clock.now() - began) / 2;
    // Its time was read about halfway between request and answer.
    const aheadMs = Date.parse(at) - (askedAt + exactMs);
    if (!Number.isNaN(aheadMs) && (best === undefined || exactMs < best.exactMs)) best = { aheadMs, exactMs };
  }
  return best;
}

/** Asks each control plane for its IDC. Throws MeshError `unavailable` if one does not answer. */
export function findPlanes(
  clients: readonly { readonly name: string; readonly client: ApiClient }[],
  clock: Clock,
): Promise<readonly EvacuationPlane[]> {
  return Promise.all(
    clients.map(async ({ name, client }) => {
      const askedAt = clock.wall();
      const { idc, idcs, at = '' } = await listAt(client);
      // Its time was read about halfway between request and answer.
      const saidAt = (askedAt + clock.wall()) / 2;
      return { name, idc, idcs, aheadMs: Date.parse(at) - saidAt, client };
    }),
  );
}

/** The evacuations at a control plane. Throws MeshError `unavailable`. */
export async function listAt(client: ApiClient): Promise<Answer<'listEvacuations'>['body']> {
  return body(await client.call('listEvacuations', { timeoutMs: answerMsMax }));
}

/**
 * The effect of a spec for this duration at a control plane. Throws MeshError `conflict` with the reason if
 * it is refused.
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
 * Puts a spec for this duration, by the control plane's clock; with `isStanding` only if it is in force
 * already. Does not wait for proxies. Throws MeshError as `checkAt`, and `unavailable`.
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
 * Extends one in force to this duration from now. Throws MeshError `conflict` if it is not in force, and
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

/** As `renewAt`, and waits until proxies have confirmed the last change. */
export async function confirmAt(
  plane: EvacuationPlane,
  name: string,
  forMs: number,
  waitMs: number,
  signal: AbortSignal,
): Promise<PlaneAnswer> {
  const { query, ...limits } = waiting(waitMs);
  const renewed = { ...query, for: `${forMs}ms` };
  const call = { path: { name }, query: renewed, ...limits, signal };
  return answerOf(plane, body(await plane.client.call('renewEvacuation', call)));
}

/** Ends an evacuation at a control plane, and waits for its proxies. Throws MeshError `unavailable`. */
export async function endAt(plane: EvacuationPlane, name: string, waitMs: number): Promise<PlaneAnswer> {
  return answerOf(
    plane,
    body(await plane.client.call('endEvacuation', { path: { name }, ...waiting(waitMs) })),
  );
}

/** Query parameters of a wait for proxies. */
function waiting(waitMs: number) {
  const query = { wait: 'acked', timeout: `${waitMs}ms` } as const;
  return { query, timeoutMs: waitMs + answerMsMax, heldMs: waitMs };
}

function answerOf(plane: EvacuationPlane, told: Partial<Omit<PlaneAnswer, 'plane'>>): PlaneAnswer {
  const { waitingFor = [], forgiven = [], comingHome = [] } = told;
  return { plane, waitingFor, forgiven, comingHome };
}

/** Proxies connected to a control plane. Throws MeshError `unavailable`. */
export async function proxiesAt({ client }: EvacuationPlane): Promise<Status['proxies']> {
  const status = body(await client.call('getStatus', { timeoutMs: answerMsMax }));
  return 'proxies' in status ? status.proxies : [];
}

/** Their refusals, as `NODE: RESOURCE`. Throws MeshError `unavailable`. */
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
