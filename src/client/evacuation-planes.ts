import type { Clock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { EvacuationStatus } from '../model/evacuation.ts';
import type { EvacuationEffect } from '../plan/evacuation/evacuation-effect.ts';
import type { ControlPlaneStatus, ProxyStatus } from '../plane/status.ts';
import { type ClientAnswer, type JsonClient, refusalOf } from './json-client.ts';

/** A control plane that a change is asked of, and the IDC that it decides for. */
export interface EvacuationPlane {
  readonly name: string;
  readonly idc: string;
  readonly idcs: readonly string[];
  /** How far its clock was ahead of this machine's, in milliseconds; NaN: it does not say. */
  readonly aheadMs: number;
  readonly client: JsonClient;
}

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
  clients: readonly { readonly name: string; readonly client: JsonClient }[],
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
export async function listAt(
  client: JsonClient,
): Promise<{ idc: string; idcs: readonly string[]; items: readonly EvacuationStatus[]; at?: string }> {
  return body(await client.call('GET', '/v1/evacuations', { timeoutMs: answerMsMax }));
}

/** What a spec without an end would do at a control plane, for so long. Throws MeshError `conflict` when it is refused, with the reason. */
export async function checkAt(
  plane: EvacuationPlane,
  name: string,
  spec: object,
  forMs: number,
): Promise<EvacuationEffect> {
  const query = { check: 'only', for: `${forMs}ms` };
  return body(await plane.client.call('PUT', pathOf(name), { query, body: spec, timeoutMs: answerMsMax }));
}

/**
 * Puts a spec without an end for so long, by the control plane's own clock; with `isStanding` only where it is in force already.
 * Waits for no proxy. Throws MeshError as `checkAt`, and `unavailable`.
 */
export async function putAt(
  plane: EvacuationPlane,
  name: string,
  spec: object,
  forMs: number,
  isStanding: boolean,
): Promise<void> {
  const query = { for: `${forMs}ms`, ...(isStanding ? { only: 'standing' } : {}) };
  body(await plane.client.call('PUT', pathOf(name), { query, body: spec, timeoutMs: answerMsMax }));
}

/** Lets one that is in force last so long from now on. Throws MeshError `conflict` when it is not, and `unavailable`. */
export async function renewAt(
  { client }: EvacuationPlane,
  name: string,
  forMs: number,
  timeoutMs: number,
): Promise<void> {
  const query = { for: `${forMs}ms` };
  body(await client.call('POST', `${pathOf(name)}/renew`, { query, timeoutMs }));
}

/** As `renewAt`, and waits for the proxies, which have to confirm what was put before. */
export function confirmAt(
  plane: EvacuationPlane,
  name: string,
  forMs: number,
  waitMs: number,
  signal: AbortSignal,
): Promise<PlaneAnswer> {
  return changeAt(plane, 'POST', name, waitMs, { suffix: '/renew', query: { for: `${forMs}ms` }, signal });
}

/** Ends an evacuation at a control plane, and waits for its proxies. Throws MeshError `unavailable`. */
export function endAt(plane: EvacuationPlane, name: string, waitMs: number): Promise<PlaneAnswer> {
  return changeAt(plane, 'DELETE', name, waitMs);
}

async function changeAt(
  plane: EvacuationPlane,
  method: 'POST' | 'DELETE',
  name: string,
  waitMs: number,
  more: {
    readonly suffix?: string;
    readonly query?: Readonly<Record<string, string>>;
    readonly signal?: AbortSignal;
  } = {},
): Promise<PlaneAnswer> {
  const answer = await plane.client.call(method, `${pathOf(name)}${more.suffix ?? ''}`, {
    query: { wait: 'acked', timeout: `${waitMs}ms`, ...more.query },
    ...(more.signal === undefined ? {} : { signal: more.signal }),
    timeoutMs: waitMs + answerMsMax,
  });
  const { waitingFor = [], forgiven = [], comingHome = [] } = body<Omit<PlaneAnswer, 'plane'>>(answer);
  return { plane, waitingFor, forgiven, comingHome };
}

/** The proxies that are connected to a control plane. Throws MeshError `unavailable`. */
export async function proxiesAt({ client }: EvacuationPlane): Promise<readonly ProxyStatus[]> {
  const answer = await client.call('GET', '/status', { timeoutMs: answerMsMax });
  return body<ControlPlaneStatus>(answer).proxies;
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

function body<T>(answer: ClientAnswer): T {
  if (answer.status >= 300)
    throw new MeshError(answer.status >= 500 ? 'unavailable' : 'conflict', refusalOf(answer));
  return answer.body as T;
}

function pathOf(name: string): string {
  return `/v1/evacuations/${encodeURIComponent(name)}`;
}
