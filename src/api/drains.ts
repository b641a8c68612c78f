import type { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { compareText } from '../base/text/compare-text.ts';
import type { OperationId } from '../contract/operations.ts';
import { type DrainEffect, drainContract } from '../contract/orders/drains.ts';
import { drainLimits, shownDrain } from '../model/drain.ts';
import type { ControlPlane } from '../plane/types.ts';
import type { DrainsSource } from '../registry/drains/drains-source.ts';
import type { ApiAnswer, ApiRequest, Handlers } from './handlers.ts';
import { waitFor } from './registrations.ts';

type Plane = Pick<ControlPlane, 'deletions' | 'drains' | 'events'>;

/** What the operations need. */
export interface DrainContext {
  readonly plane: Plane;
  readonly drains: DrainsSource;
  readonly clock: Clock;
}

type InstanceKey = Parameters<DrainsSource['undrain']>[0];
type Ids = keyof typeof drainContract & OperationId;

/** Handlers of the operations on drains; without a context they are read-only. */
export function drainHandlers(plane: Plane, context: DrainContext | undefined, clock: Clock): Handlers<Ids> {
  function kept(): DrainContext {
    if (context !== undefined) return context;
    throw new MeshError('unsupported', 'drains cannot be stored: start isthmus serve with --state DIR');
  }
  // Two requests must not each find the other's instance still there.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work);
    last = done.catch(() => {});
    return done;
  };
  return {
    listDrains: ({ query: { instance } }) => ({ status: 200, body: list(plane, instance) }),
    getDrain: (request) => look(request, plane, clock),
    drainInstance: (request) => drain(request, kept(), inTurn),
    undrainInstance: (request) => undrain(request, kept()),
    replicateDrains: () => ({ status: 200, body: kept().drains.records() }),
  };
}

function list({ drains }: Plane, instance: string | undefined) {
  const { idc, others, items } = drains.list();
  return {
    ...{ idc, others },
    items: items.map((one) => shownDrain(one, drains.isDeclared(one.meta))),
    ...(instance === undefined ? {} : named(drains, instance)),
  };
}

/** The instances that a text means; if it means none, the nearest name. */
function named(drains: Plane['drains'], text: string) {
  const instances = drains.findInstances(text);
  const nearest = instances.length > 0 ? undefined : drains.nearestTo(text);
  return { instances, ...(nearest === undefined ? {} : { nearest }) };
}

async function drain(
  { path: key, query, body, from, signal }: ApiRequest<'drainInstance'>,
  context: DrainContext,
  inTurn: <T>(work: () => Promise<T>) => Promise<T>,
): Promise<ApiAnswer<'drainInstance'>> {
  const { plane, drains, clock } = context;
  const words = wordsOf(body);
  const { namespace, name } = key;
  if (!plane.drains.isDeclared(key))
    throw new MeshError(
      'not-found',
      `no instance is ${namespace}/${name}: isthmus who HOST shows those of a host`,
    );
  const { idc, hosts, wasDrained } = await inTurn(async () => {
    const { idc } = plane.drains.list();
    const wasDrained = isDrained(plane, key);
    const { hosts } = await plane.drains.without(key);
    if (query.check === undefined) {
      if (!wasDrained && query.force === undefined) failIfLast(`${namespace}/${name}`, hosts);
      if (from !== undefined) plane.events.asks({ kind: 'Drain', namespace, name }, from);
      await drains.drain(key, { ...words, forMs: query.for });
    }
    return { idc, hosts, wasDrained };
  });
  const effect = { namespace, name, idc, hosts, wasDrained };
  if (query.check !== undefined) return { status: 200, body: effect };
  const acked = await waitFor({ clock }, plane.deletions.barrier(false), query, signal);
  if (acked.acked === undefined) return { status: 200, body: effect };
  const { inFlight } = await plane.drains.without(key);
  return { status: acked.acked ? 200 : 202, body: { ...effect, ...acked, ...(inFlight && { inFlight }) } };
}

function isDrained({ drains }: Plane, { namespace, name }: InstanceKey): boolean {
  return drains.list().items.some(({ meta }) => meta.namespace === namespace && meta.name === name);
}

/** What is left at a drained instance. */
async function look(
  { path: key, query, signal }: ApiRequest<'getDrain'>,
  plane: Plane,
  clock: Clock,
): Promise<ApiAnswer<'getDrain'>> {
  const { namespace, name } = key;
  if (!isDrained(plane, key)) throw new MeshError('not-found', `${namespace}/${name} is not drained`);
  const acked = await waitFor({ clock }, plane.deletions.barrier(false), query, signal);
  const { hosts, inFlight } = await plane.drains.without(key);
  const { idc } = plane.drains.list();
  const body = { namespace, name, idc, hosts, wasDrained: true, ...acked, ...(inFlight && { inFlight }) };
  return { status: acked.acked === false ? 202 : 200, body };
}

const input = drainContract.drainInstance.body;

function wordsOf(body: unknown): z.output<typeof input> {
  const read = input.safeParse(body ?? {});
  if (read.success) return read.data;
  const fields = read.error.issues.flatMap((one) =>
    one.code === 'unrecognized_keys'
      ? one.keys.map((key) => `${key} is no field`)
      : one.path.join('.') || 'no object',
  );
  const shape = `{"reason": TEXT, "by": TEXT} of at most ${drainLimits.reasonMax} and ${drainLimits.byMax} characters, or empty`;
  throw new MeshError('invalid', `wrong in the body: ${fields.join(', ')}. It is ${shape}`);
}

/** Throws MeshError `conflict` if hosts would have no instance left that can serve. */
function failIfLast(shown: string, hosts: DrainEffect['hosts']): void {
  const last = hosts
    .filter(({ isLast }) => isLast)
    // What nobody else serves first.
    .sort((a, b) => a.elsewhere.length - b.elsewhere.length || compareText(a.host, b.host));
  const [worst] = last;
  if (worst === undefined) return;
  const { host, port, idc, instances, elsewhere, isKnownBy } = worst;
  const rest =
    instances === 0
      ? 'no other instance is there'
      : `${instances === 1 ? 'the other one' : `none of the other ${instances}`} ${instances === 1 ? 'cannot' : 'can'}`;
  const then =
    elsewhere.length === 0 ? 'NOBODY would serve it' : `its requests would go to ${elsewhere.join(', ')}`;
  const more = last.length > 1 ? `; and ${last.length - 1} more ports of hosts` : '';
  const by = isKnownBy === 'registry' ? ', as far as the registry knows, as no proxy could be read' : '';
  throw new MeshError(
    'conflict',
    `${shown} is the last instance of ${host}:${port} that can serve in ${idc} (${rest}${by}): ${then}${more}. Add --force (force=true) if that is meant`,
  );
}

async function undrain(
  { path: key, query, from, signal }: ApiRequest<'undrainInstance'>,
  { plane, drains, clock }: DrainContext,
): Promise<ApiAnswer<'undrainInstance'>> {
  const { namespace, name } = key;
  if (from !== undefined) plane.events.asks({ kind: 'Drain', namespace, name }, from);
  const wasDrained = await drains.undrain(key);
  const acked = await waitFor({ clock }, plane.deletions.barrier(false), query, signal);
  const { idc } = plane.drains.list();
  return { status: acked.acked === false ? 202 : 200, body: { namespace, name, idc, wasDrained, ...acked } };
}
