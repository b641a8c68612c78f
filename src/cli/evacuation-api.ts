import type { IncomingMessage } from 'node:http';
import type { Clock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { ControlPlane } from '../controlplane.ts';
import { evacuationLimits } from '../model/evacuation.ts';
import { evacuationOf } from '../registry/evacuation-record.ts';
import type { EvacuationsSource } from '../registry/evacuations.ts';
import { type ApiReply, errorReply, readJson } from './json-api.ts';
import { readWait } from './registration-query.ts';
import { settled } from './registration-routes.ts';
import { evacuationReplicaPath } from './replica-path.ts';

/** What the API works on. */
export interface EvacuationContext {
  readonly plane: Pick<ControlPlane, 'deletions' | 'evacuations'>;
  readonly evacuations: EvacuationsSource;
  readonly clock: Clock;
}

const all = '/v1/evacuations';

/** Pages of the API, for those who list what there is. */
export const evacuationPages: readonly {
  readonly method: string;
  readonly path: string;
  readonly help: string;
}[] = [
  { method: 'GET', path: all, help: 'evacuations, those of the folder too (JSON)' },
  { method: 'PUT', path: `${all}/{name}`, help: 'put or replace one; ?check=only says what it would do' },
  {
    method: 'DELETE',
    path: `${all}/{name}`,
    help: 'end one; ?wait=acked answers when every proxy has confirmed',
  },
  { method: 'GET', path: evacuationReplicaPath, help: 'for other control planes of the IDC (JSON)' },
];

/** Whether a path belongs to the API. */
export function isEvacuationPath(path: string): boolean {
  return path === all || path.startsWith(`${all}/`) || path === evacuationReplicaPath;
}

/**
 * Answers a request of the API; never throws. `isAllowed` says whether it may write, `why` what to do when it may not;
 * `signal` aborts when the client is gone. Without a context nothing can be put.
 */
export async function answerEvacuation(
  request: IncomingMessage,
  plane: Pick<ControlPlane, 'evacuations'>,
  context: EvacuationContext | undefined,
  access: { readonly isAllowed: boolean; readonly why: string },
  signal: AbortSignal,
): Promise<ApiReply> {
  try {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://admin');
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    if (pathname === all && method === 'GET') return { status: 200, body: plane.evacuations.list() };
    if (!access.isAllowed) return { status: 403, body: { error: 'forbidden', message: access.why } };
    if (context === undefined) {
      const message =
        'evacuations cannot be kept: start isthmus serve with --state DIR, or put one into the folder';
      throw new MeshError('unsupported', message);
    }
    if (pathname === evacuationReplicaPath) return { status: 200, body: context.evacuations.records() };
    const name = decodeURIComponent(pathname.slice(all.length + 1));
    if (name !== '' && method === 'PUT')
      return await put(name, await readJson(request), searchParams, context, signal);
    if (name !== '' && method === 'DELETE') return await end(name, searchParams, context, signal);
    return { status: 405, body: { error: 'invalid', message: `${pathname} does not take ${method}` } };
  } catch (reason) {
    return errorReply(reason);
  }
}

async function put(
  name: string,
  spec: unknown,
  query: URLSearchParams,
  context: EvacuationContext,
  signal: AbortSignal,
): Promise<ApiReply> {
  const { plane, evacuations, clock } = context;
  const wait = readWait(query);
  const object = evacuationOf(name, spec);
  const { idc, expiresAt } = object.spec;
  const leftMs = expiresAt - clock.wall();
  if (leftMs <= 0) throw new MeshError('invalid', `evacuation ${name}: spec.expires has passed`);
  if (leftMs > evacuationLimits.lastsMsMax && object.spec.startsAt === undefined)
    throw new MeshError('invalid', `evacuation ${name}: spec.expires is more than 72 hours away`);
  const known = plane.evacuations.list();
  if (!known.idcs.includes(idc))
    throw new MeshError('invalid', `no Idc is named '${idc}': there are ${known.idcs.join(', ')}`);
  const standing = known.items.find((item) => item.name === name);
  if (standing !== undefined && !evacuations.has(name)) {
    const message = `evacuation ${name} stands in ${standing.origin}: change it there, or choose another name`;
    throw new MeshError('conflict', message);
  }
  const effect = plane.evacuations.effect(object);
  const last = effect.stay.filter(({ why }) => why === 'last').map(({ host }) => host);
  if (last.length > 0) {
    const message = `${last.slice(0, 5).join(', ')}${last.length > 5 ? ', …' : ''} would be left by ${idc} as the last IDC: every other one of the DR group is being evacuated. End that first, or name other Groups`;
    throw new MeshError('conflict', message);
  }
  if (query.get('check') === 'only') return { status: 200, body: { name, own: known.idc, ...effect } };
  await evacuations.put(name, spec);
  const acked = await settled({ clock }, plane.deletions.barrier(false), wait, signal);
  return { status: acked.acked === false ? 202 : 200, body: { name, own: known.idc, ...effect, ...acked } };
}

async function end(
  name: string,
  query: URLSearchParams,
  { plane, evacuations, clock }: EvacuationContext,
  signal: AbortSignal,
): Promise<ApiReply> {
  const wait = readWait(query);
  const { idc: own, items } = plane.evacuations.list();
  const standing = items.find((item) => item.name === name);
  if (standing !== undefined && !evacuations.has(name))
    throw new MeshError('conflict', `evacuation ${name} stands in ${standing.origin}: delete it there`);
  const ended = await evacuations.end(name);
  const acked = await settled({ clock }, plane.deletions.barrier(false), wait, signal);
  return { status: acked.acked === false ? 202 : 200, body: { name, own, ended, ...acked } };
}
