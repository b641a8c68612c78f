import type { Clock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { Query } from '../contract/contract.ts';
import type { evacuationContract } from '../contract/evacuations.ts';
import type { OperationId } from '../contract/operations.ts';
import { type Evacuation, evacuationLimits } from '../model/evacuation.ts';
import type { ControlPlane } from '../plane/types.ts';
import { describeEvacuationFaults, parseEvacuationSpec } from '../registry/evacuations/evacuation-record.ts';
import type { EvacuationsSource } from '../registry/evacuations/evacuations-source.ts';
import type { ApiAnswer, ApiRequest, Handlers } from './handlers.ts';
import { Refusal, toldFaults } from './refusal.ts';
import { waitFor } from './registrations.ts';

/** What the operations need. */
export interface EvacuationContext {
  readonly plane: Pick<ControlPlane, 'deletions' | 'evacuations' | 'events'>;
  readonly evacuations: EvacuationsSource;
  readonly clock: Clock;
}

type Ids = keyof typeof evacuationContract & OperationId;

/** Handlers of the operations on evacuations; without a context they are read-only. */
export function evacuationHandlers(
  plane: Pick<ControlPlane, 'evacuations'>,
  context: EvacuationContext | undefined,
): Handlers<Ids> {
  function kept(): EvacuationContext {
    if (context !== undefined) return context;
    const message =
      'evacuations cannot be stored: start isthmus serve with --state DIR, or put one into the folder';
    throw new MeshError('unsupported', message);
  }
  return {
    listEvacuations: () => ({ status: 200, body: plane.evacuations.list() }),
    evacuate: (request) => put(request, kept()),
    renewEvacuation: (request) => renew(request, kept()),
    endEvacuation: (request) => end(request, kept()),
    replicateEvacuations: () => ({ status: 200, body: kept().evacuations.records() }),
  };
}

async function put(
  { path: { name }, query, body, from, signal }: ApiRequest<'evacuate'>,
  context: EvacuationContext,
): Promise<ApiAnswer<'evacuate'>> {
  const { plane, evacuations, clock } = context;
  const asked = withEnd(body, query, clock.wall());
  const object = evacuationFrom(name, asked);
  const { idc, expiresAt } = object.spec;
  const leftMs = expiresAt - clock.wall();
  if (leftMs <= 0) throw new MeshError('invalid', `evacuation ${name}: spec.expires has passed`);
  if (leftMs > evacuationLimits.lastsMsMax && object.spec.startsAt === undefined)
    throw new MeshError('invalid', `evacuation ${name}: spec.expires is more than 72 hours away`);
  failOnStart(object, clock.wall());
  const known = plane.evacuations.list();
  const others = known.items.filter((item) => item.name !== name && item.endsInMs > 0);
  if (others.length >= evacuationLimits.standingMax) {
    const message = `there are ${evacuationLimits.standingMax} evacuations already: end some, or name several Groups in one`;
    throw new MeshError('exhausted', message);
  }
  if (!known.idcs.includes(idc))
    throw new MeshError('invalid', `no Idc is named '${idc}': there are ${known.idcs.join(', ')}`);
  failInFolder(name, context, 'change it there, or choose another name');
  const effect = effectOf(object, context);
  if (query.check !== undefined) return { status: 200, body: { name, own: known.idc, ...effect } };
  asks(context, name, from);
  await evacuations.put(name, asked, query.only !== undefined);
  return confirmed(context, query, signal, () => ({ name, own: known.idc, ...effect }));
}

/** Notes who asks for the change that follows. */
function asks({ plane }: EvacuationContext, name: string, from: string | undefined): void {
  if (from !== undefined) plane.events.asks({ kind: 'Evacuation', namespace: '', name }, from);
}

/** The evacuation of a request. Throws `Refusal` with all faults of the body. */
function evacuationFrom(name: string, spec: unknown): Evacuation {
  const parsed = parseEvacuationSpec(name, spec);
  if ('kind' in parsed) return parsed;
  // In the body the fields of `spec` are at the top, and the name is in the path.
  const faults = parsed.map((fault) => ({ ...fault, path: fault.path.slice(1) }));
  throw new Refusal('invalid', describeEvacuationFaults(name, parsed), { faults: toldFaults(faults) });
}

/** Throws MeshError `invalid` for a start implausibly far in the future. */
function failOnStart({ meta, spec: { startsAt } }: Evacuation, wallMs: number): void {
  if (startsAt === undefined || startsAt - wallMs <= evacuationLimits.aheadMsMax) return;
  throw new MeshError(
    'invalid',
    `evacuation ${meta.name}: spec.starts is more than 30 days away: put it later`,
  );
}

/** Its effect. Throws MeshError `conflict` if a Group would lose its last IDC. */
function effectOf(object: Evacuation, { plane }: EvacuationContext) {
  const effect = plane.evacuations.effect(object);
  const last = effect.stay.filter(({ why }) => why === 'last').map(({ host }) => host);
  if (last.length === 0) return effect;
  const message = `for ${last.slice(0, 5).join(', ')}${last.length > 5 ? ', …' : ''} ${object.spec.idc} is the last IDC left: every other one of the DR group is being evacuated. End that first, or name other Groups`;
  throw new MeshError('conflict', message);
}

/** Throws MeshError `conflict` for one that is in the folder. */
function failInFolder(name: string, { plane, evacuations }: EvacuationContext, todo: string): void {
  const standing = plane.evacuations.list().items.find((item) => item.name === name);
  if (standing === undefined || evacuations.has(name)) return;
  throw new MeshError('conflict', `evacuation ${name} is in ${standing.origin}: ${todo}`);
}

/** A spec with the end given by `for=15s`, by this process's clock. Throws MeshError `invalid`. */
function withEnd(spec: unknown, { for: forMs }: Query<'evacuate'>, wallMs: number): unknown {
  if (forMs === undefined || typeof spec !== 'object' || spec === null) return spec;
  if (Object.hasOwn(spec, 'expires'))
    throw new MeshError('invalid', 'the spec has `expires`, and the request for=: give one of the two');
  return { ...spec, expires: new Date(Math.ceil(wallMs + forMs)).toISOString() };
}

async function renew(
  { path: { name }, query, from, signal }: ApiRequest<'renewEvacuation'>,
  context: EvacuationContext,
): Promise<ApiAnswer<'renewEvacuation'>> {
  const { plane, evacuations } = context;
  failInFolder(name, context, 'change it there');
  asks(context, name, from);
  await evacuations.renew(name, query.for);
  return confirmed(context, query, signal, () => ({ name, own: plane.evacuations.list().idc }));
}

async function end(
  { path: { name }, query, from, signal }: ApiRequest<'endEvacuation'>,
  context: EvacuationContext,
): Promise<ApiAnswer<'endEvacuation'>> {
  const { plane, evacuations } = context;
  const own = plane.evacuations.list().idc;
  failInFolder(name, context, 'delete it there');
  asks(context, name, from);
  const ended = await evacuations.end(name);
  return confirmed(context, query, signal, () => {
    const comingHome = [...plane.evacuations.limitedShares().keys()].sort();
    return { name, own, ended, comingHome };
  });
}

/**
 * The answer once every proxy has confirmed a change, or the timeout is over (202); `body` is called then.
 */
async function confirmed<Body extends object>(
  { plane, clock }: EvacuationContext,
  wait: Parameters<typeof waitFor>[2],
  signal: AbortSignal,
  body: () => Body,
) {
  const acked = await waitFor({ clock }, plane.deletions.barrier(false), wait, signal);
  return { status: acked.acked === false ? 202 : 200, body: { ...body(), ...acked } } as const;
}
