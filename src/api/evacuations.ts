import type { IncomingMessage } from 'node:http';
import type { Clock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { evacuationReplicaPath } from '../contract/replica-path.ts';
import { type Evacuation, evacuationLimits } from '../model/evacuation.ts';
import { parseDurationMs } from '../model/values/duration.ts';
import type { ControlPlane } from '../plane/types.ts';
import { evacuationOf } from '../registry/evacuations/evacuation-record.ts';
import type { EvacuationsSource } from '../registry/evacuations/evacuations-source.ts';
import { type ApiReply, errorReply, readJson } from './json-api.ts';
import { failOnUnknown, readWait } from './query.ts';
import { settled } from './registrations.ts';

/** What the API works on. */
export interface EvacuationContext {
  readonly plane: Pick<ControlPlane, 'deletions' | 'evacuations'>;
  readonly evacuations: EvacuationsSource;
  readonly clock: Clock;
}

/** One request, taken apart. */
interface EvacuationRequest {
  /** From the path; empty where the route has none. */
  readonly name: string;
  readonly query: URLSearchParams;
  /** Reads the body as JSON. Throws MeshError `invalid`. */
  body(): Promise<unknown>;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
}

/** One operation. docs/openapi.yaml describes each, and a test holds the two against each other. */
interface EvacuationRoute {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** As in OpenAPI: `{…}` is a parameter. */
  readonly path: string;
  readonly operationId: string;
  /** Needs the token. */
  readonly write: boolean;
  readonly help: string;
  /** Names of its query's parameters. */
  readonly parameters: readonly string[];
  /** `context`: asks for the one thing without which nothing is kept; throws MeshError `unsupported`. */
  answer(
    request: EvacuationRequest,
    plane: Pick<ControlPlane, 'evacuations'>,
    context: () => EvacuationContext,
  ): Promise<ApiReply>;
}

const all = '/v1/evacuations';
const one = `${all}/{name}`;
const renewal = `${one}/renew`;

/** All operations. */
export const evacuationRoutes: readonly EvacuationRoute[] = [
  {
    ...{ method: 'GET', path: all, operationId: 'listEvacuations', write: false },
    help: 'evacuations, those of the folder too (JSON)',
    parameters: [],
    answer: async (_, plane) => ({ status: 200, body: plane.evacuations.list() }),
  },
  {
    ...{ method: 'PUT', path: one, operationId: 'evacuate', write: true },
    help: 'put or replace one; ?check=only says what it would do',
    parameters: ['for', 'check', 'only', 'wait', 'timeout'],
    answer: async ({ name, query, body, signal }, _, context) =>
      await put(name, await body(), query, context(), signal),
  },
  {
    ...{ method: 'POST', path: renewal, operationId: 'renewEvacuation', write: true },
    help: 'let one that is in force last so long from now on: ?for=15s',
    parameters: ['for', 'wait', 'timeout'],
    answer: async ({ name, query, signal }, _, context) => await renew(name, query, context(), signal),
  },
  {
    ...{ method: 'DELETE', path: one, operationId: 'endEvacuation', write: true },
    help: 'end one; ?wait=acked answers when every proxy has confirmed',
    parameters: ['wait', 'timeout'],
    answer: async ({ name, query, signal }, _, context) => await end(name, query, context(), signal),
  },
  {
    ...{ method: 'GET', path: evacuationReplicaPath, operationId: 'replicateEvacuations', write: true },
    help: 'for other control planes of the IDC (JSON)',
    parameters: [],
    answer: async (_request, _plane, context) => ({ status: 200, body: context().evacuations.records() }),
  },
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
    const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://admin');
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const [, part = '', more = ''] = /^\/v1\/evacuations\/([^/]*)(.*)$/.exec(pathname) ?? [];
    const name = decoded(part);
    const isPlain = pathname === all || pathname === evacuationReplicaPath;
    const template = isPlain ? pathname : name === '' ? '' : `${one}${more}`;
    const here = evacuationRoutes.filter(({ path }) => path === template);
    if (here.length === 0) throw new MeshError('not-found', `no such page: ${pathname}; / lists them`);
    const route = here.find((known) => known.method === method);
    if (route === undefined) {
      const methods = here.map((known) => known.method).join(', ');
      return { status: 405, body: { error: 'invalid', message: `${pathname} takes ${methods}` } };
    }
    if (route.write && !access.isAllowed)
      return { status: 403, body: { error: 'forbidden', message: access.why } };
    failOnUnknown(query, route.parameters);
    return await route.answer({ name, query, body: () => readJson(request), signal }, plane, () => {
      if (context !== undefined) return context;
      const message =
        'evacuations cannot be kept: start isthmus serve with --state DIR, or put one into the folder';
      throw new MeshError('unsupported', message);
    });
  } catch (reason) {
    return errorReply(reason);
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new MeshError('invalid', `'${text}' is no name: '%' is followed by two hex digits`, { cause });
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
  const asked = withEnd(spec, query, clock.wall());
  const isStanding = readFlag(query, 'only', 'standing');
  const isCheck = readFlag(query, 'check', 'only');
  const object = evacuationOf(name, asked);
  const { idc, expiresAt } = object.spec;
  const leftMs = expiresAt - clock.wall();
  if (leftMs <= 0) throw new MeshError('invalid', `evacuation ${name}: spec.expires has passed`);
  if (leftMs > evacuationLimits.lastsMsMax && object.spec.startsAt === undefined)
    throw new MeshError('invalid', `evacuation ${name}: spec.expires is more than 72 hours away`);
  failOnStart(object, clock.wall());
  const known = plane.evacuations.list();
  const others = known.items.filter((item) => item.name !== name && item.endsInMs > 0);
  if (others.length >= evacuationLimits.standingMax) {
    const message = `${evacuationLimits.standingMax} evacuations stand already: end some, or name several Groups in one`;
    throw new MeshError('exhausted', message);
  }
  if (!known.idcs.includes(idc))
    throw new MeshError('invalid', `no Idc is named '${idc}': there are ${known.idcs.join(', ')}`);
  failInFolder(name, context, 'change it there, or choose another name');
  const effect = effectOf(object, context);
  if (isCheck) return { status: 200, body: { name, own: known.idc, ...effect } };
  await evacuations.put(name, asked, isStanding);
  return confirmed(context, wait, signal, () => ({ name, own: known.idc, ...effect }));
}

/** Throws MeshError `invalid` for a start that is too far ahead to be meant. */
function failOnStart({ meta, spec: { startsAt } }: Evacuation, wallMs: number): void {
  if (startsAt === undefined || startsAt - wallMs <= evacuationLimits.aheadMsMax) return;
  throw new MeshError('invalid', `evacuation ${meta.name}: spec.starts is more than 30 days away: ask then`);
}

/** What it would do. Throws MeshError `conflict` where a Group would be left by its last IDC. */
function effectOf(object: Evacuation, { plane }: EvacuationContext) {
  const effect = plane.evacuations.effect(object);
  const last = effect.stay.filter(({ why }) => why === 'last').map(({ host }) => host);
  if (last.length === 0) return effect;
  const message = `${last.slice(0, 5).join(', ')}${last.length > 5 ? ', …' : ''} would be left by ${object.spec.idc} as the last IDC: every other one of the DR group is being evacuated. End that first, or name other Groups`;
  throw new MeshError('conflict', message);
}

/** Throws MeshError `conflict` for one that did not come by the API. */
function failInFolder(name: string, { plane, evacuations }: EvacuationContext, todo: string): void {
  const standing = plane.evacuations.list().items.find((item) => item.name === name);
  if (standing === undefined || evacuations.has(name)) return;
  throw new MeshError('conflict', `evacuation ${name} stands in ${standing.origin}: ${todo}`);
}

/** A spec with the end that `for=15s` gives it: by this clock, whatever the client's says. Throws MeshError `invalid`. */
function withEnd(spec: unknown, query: URLSearchParams, wallMs: number): unknown {
  if (query.get('for') === null || typeof spec !== 'object' || spec === null) return spec;
  const forMs = readFor(query);
  if (Object.hasOwn(spec, 'expires'))
    throw new MeshError('invalid', 'the spec has `expires`, and the request for=: give one of the two');
  return { ...spec, expires: new Date(Math.ceil(wallMs + forMs)).toISOString() };
}

function readFor(query: URLSearchParams): number {
  const text = query.get('for') ?? '';
  const forMs = parseDurationMs(text);
  if (forMs !== undefined && forMs > 0 && forMs <= evacuationLimits.lastsMsMax) return forMs;
  throw new MeshError('invalid', `for=${text}: give a duration of at most 72h, such as 15s`);
}

/** Whether a parameter is there, which has one value. Throws MeshError `invalid` for another one. */
function readFlag(query: URLSearchParams, name: string, value: string): boolean {
  const text = query.get(name);
  if (text === null || text === value) return text !== null;
  throw new MeshError('invalid', `${name}=${text}: give ${name}=${value}, or leave it out`);
}

async function renew(
  name: string,
  query: URLSearchParams,
  context: EvacuationContext,
  signal: AbortSignal,
): Promise<ApiReply> {
  const { plane, evacuations } = context;
  const wait = readWait(query);
  const forMs = readFor(query);
  failInFolder(name, context, 'change it there');
  await evacuations.renew(name, forMs);
  return confirmed(context, wait, signal, () => ({ name, own: plane.evacuations.list().idc }));
}

async function end(
  name: string,
  query: URLSearchParams,
  context: EvacuationContext,
  signal: AbortSignal,
): Promise<ApiReply> {
  const { plane, evacuations } = context;
  const wait = readWait(query);
  const own = plane.evacuations.list().idc;
  failInFolder(name, context, 'delete it there');
  const ended = await evacuations.end(name);
  return confirmed(context, wait, signal, () => {
    const comingHome = [...plane.evacuations.held().keys()].sort();
    return { name, own, ended, comingHome };
  });
}

/** What is said once every proxy has confirmed a change, or the time to wait is over (202); `body` is asked for then. */
async function confirmed(
  { plane, clock }: EvacuationContext,
  wait: ReturnType<typeof readWait>,
  signal: AbortSignal,
  body: () => object,
): Promise<ApiReply> {
  const acked = await settled({ clock }, plane.deletions.barrier(false), wait, signal);
  return { status: acked.acked === false ? 202 : 200, body: { ...body(), ...acked } };
}
