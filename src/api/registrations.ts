import type { Clock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { OperationId } from '../contract/operations.ts';
import type { ProblemDetails } from '../contract/problem.ts';
import type { registrationContract } from '../contract/registrations.ts';
import type { Deletion } from '../delivery/deletion/guard.ts';
import { waitForRelease } from '../delivery/deletion/wait-for-release.ts';
import type { WorkloadSpec } from '../model/service.ts';
import { renderPath } from '../model/values/field-path.ts';
import { splitLocality } from '../model/values/locality.ts';
import type { ControlPlane } from '../plane/types.ts';
import { parseRegistration, type RegistrationKey } from '../registry/registrations/registration.ts';
import type {
  ClientOp,
  Registered,
  RegistrationsSource,
} from '../registry/registrations/registrations-source.ts';
import type { ApiAnswer, ApiRequest, Handlers } from './handlers.ts';
import { Refusal, toldFaults } from './refusal.ts';

/** What the operations need. */
export interface RegistrationContext {
  /** The control plane's IDC. */
  readonly idc: string;
  readonly plane: Pick<ControlPlane, 'deletions' | 'disagreementsOf' | 'events'>;
  readonly registrations: RegistrationsSource;
  readonly clock: Clock;
}

type Ids = keyof typeof registrationContract & OperationId;

/**
 * Handlers of the operations on registrations. `context` is called for each; throws MeshError if
 * registrations are off.
 */
export function registrationHandlers(context: () => RegistrationContext): Handlers<Ids> {
  return {
    listRegistrations({ query: { namespace } }) {
      const listed = context().registrations.list();
      const items = listed.filter(
        ({ registration }) => (namespace ?? registration.namespace) === registration.namespace,
      );
      return { status: 200, body: { items: items.map((item) => show(item, context())) } };
    },
    getRegistration({ path: key }) {
      const found = context().registrations.get(key);
      if (found === undefined)
        throw new MeshError('not-found', `registration ${key.namespace}/${key.name} does not exist`);
      return { status: 200, body: show(found, context()) };
    },
    register: (request) => register(request, context()),
    renew({ path: key, query }) {
      const { registrations } = context();
      return { status: 200, body: show(registrations.renew(key, query.generation), context()) };
    },
    drain: (request) => drainOrResume('drain', request, context()),
    resume: (request) => drainOrResume('resume', request, context()),
    deregister: (request) => deregister(request, context()),
    async replicate({ query: { from, since, hold = 0 }, from: at, signal }) {
      const asked = { at, from, since, holdMs: Math.min(hold, holdMsMax) };
      return { status: 200, body: await context().registrations.replica(asked, signal) };
    },
  };
}

async function register(
  { path: key, query, body, from, signal }: ApiRequest<'register'>,
  context: RegistrationContext,
): Promise<ApiAnswer<'register'>> {
  const { input, faults } = parseRegistration(key, body ?? {});
  const told = toldFaults(faults);
  if (input === undefined) throw refusal(key, told);
  const done = await submit(context, { type: 'register', key, input }, from);
  const acked = await waitFor(context, context.plane.deletions.barrier(false), query, signal);
  const status = acked.acked === false ? 202 : done?.changed ? 201 : 200;
  const peers = context.registrations.facets.peers.statuses();
  const others = peers.filter(({ state }) => state === 'in step' || state === 'away');
  const disagreeing = context.plane.disagreementsOf({ kind: 'WorkloadEntry', ...key });
  const warnings = [
    ...told,
    ...disagreeing.map(({ code, path, message }) => ({ code, ...warning, path: renderPath(path), message })),
    // An unknown IDC is reported already.
    ...(disagreeing.some(({ path }) => path[0] === 'locality') ? [] : elsewhere(input.spec, context.idc)),
  ];
  const controlPlanes = others.map(({ name }) => name);
  const found = controlPlanes.length > 0 ? { controlPlanes } : {};
  return { status, body: { ...show(done as Registered, context), ...acked, ...found, warnings } };
}

async function drainOrResume(
  type: 'drain' | 'resume',
  { path: key, query, from, signal }: ApiRequest<'drain'>,
  context: RegistrationContext,
): Promise<ApiAnswer<'drain'>> {
  const { generation } = query;
  const done = await submit(context, { type, key, generation }, from);
  const waited =
    type === 'drain'
      ? await removedEverywhere(context, key, generation, query, signal)
      : await waitFor(context, context.plane.deletions.barrier(false), query, signal);
  const status = waited.acked === false ? 202 : 200;
  return { status, body: { ...show(done as Registered, context), ...waited } };
}

async function deregister(
  { path: key, query, from, signal }: ApiRequest<'deregister'>,
  context: RegistrationContext,
): Promise<ApiAnswer<'deregister'>> {
  const { generation } = query;
  const was = context.registrations.get(key)?.registration.state ?? 'absent';
  await submit(context, { type: 'deregister', key, generation }, from);
  const waited = await removedEverywhere(context, key, generation, query, signal);
  const standing = context.registrations.get(key)?.registration;
  const isOver = standing?.state !== 'leaving' || standing.generation !== (generation ?? standing.generation);
  const isGone = waited.acked === true || (waited.acked === undefined && isOver);
  return {
    status: isGone ? 200 : 202,
    body: { ...key, was, state: isGone ? 'gone' : 'leaving', ...waited },
  };
}

const warning = { severity: 'warning' } as const;

/** The warning for an instance that declares another IDC, whose control planes do not get it. */
function elsewhere({ locality }: WorkloadSpec, own: string) {
  const idc = locality === undefined ? own : splitLocality(locality).idc;
  if (idc === own) return [];
  const message = `'${locality}' is in IDC ${idc}, and this control plane decides for ${own}: the proxies of ${idc} do not get it. Register it at a control plane of ${idc}, or correct the locality.`;
  return [{ code: 'OtherIdc', ...warning, path: 'locality', message }];
}

/** Longest time that an answer to a peer is held. */
const holdMsMax = 60_000;

/** A wait for proxies, with its timeout in milliseconds. */
interface Wait {
  readonly wait?: 'acked' | undefined;
  readonly timeout: number;
}

/** The result of a wait. Fields are absent without a wait. */
interface Waited {
  /** Whether every proxy has confirmed. */
  readonly acked?: boolean;
  /** Proxies that have not confirmed. */
  readonly waitingFor?: readonly string[];
  /** Proxies no longer waited for: disconnected or silent for too long. */
  readonly forgiven?: readonly string[];
  /** Other control planes that do not answer: their proxies were waited for if they connected here. */
  readonly away?: readonly string[];
}

/** Waits until no proxy has an instance, at this control plane or at others that answer. */
async function removedEverywhere(
  context: RegistrationContext,
  key: RegistrationKey,
  generation: number | undefined,
  wait: Wait,
  signal: AbortSignal,
): Promise<Waited> {
  const { clock, registrations } = context;
  const { deletions } = context.plane;
  const ref = { kind: 'WorkloadEntry', namespace: key.namespace, name: key.name } as const;
  const until = clock.now() + wait.timeout;
  const left = () => ({ ...wait, timeout: Math.max(1, until - clock.now()) });
  const here = await waitFor(context, deletions.of(ref) ?? deletions.barrier(true), left(), signal);
  if (here.acked !== true || registrations.facets.peers.statuses().length === 0) return here;
  const { unconfirmed, unreachable } = await registrations.waitUntilRemovedElsewhere(
    key,
    generation,
    left().timeout,
    signal,
  );
  if (unconfirmed.length > 0)
    return { acked: false, waitingFor: unconfirmed.map((name) => `proxies of the control plane at ${name}`) };
  if (unreachable.length === 0) return here;
  // Proxies of one that has just died connect here, with its configuration.
  const again = await waitFor(context, deletions.barrier(true), left(), signal);
  const forgiven = [...(here.forgiven ?? []), ...(again.forgiven ?? [])];
  return { ...again, ...(forgiven.length > 0 ? { forgiven } : {}), away: unreachable };
}

/** Waits, if requested, until every proxy has confirmed. */
export async function waitFor(
  { clock }: Pick<RegistrationContext, 'clock'>,
  deletion: Deletion,
  { wait, timeout }: Wait,
  signal: AbortSignal,
): Promise<Waited> {
  if (wait !== 'acked') return {};
  const release = await waitForRelease(deletion, { clock, timeoutMs: timeout, signal });
  if (release === undefined) return { acked: false, waitingFor: deletion.waitingFor() };
  return { acked: true, ...(release.forgiven.length > 0 ? { forgiven: release.forgiven } : {}) };
}

function submit(
  { registrations, plane }: RegistrationContext,
  op: ClientOp,
  from: string | undefined,
): Promise<Registered | undefined> {
  if (from !== undefined) plane.events.asks({ kind: 'WorkloadEntry', ...op.key }, from);
  return registrations.submit(op);
}

/** A registration in the API's form. */
function show({ registration, leaseMs, keptBy, status }: Registered, { plane }: RegistrationContext) {
  const { namespace, name, generation, state, ttlMs, spec } = registration;
  const deletion = plane.deletions.of({ kind: 'WorkloadEntry', namespace, name });
  return {
    ...{ namespace, name, generation, state },
    ...spec,
    ttl: `${ttlMs / 1000}s`,
    ...(leaseMs === undefined ? {} : { leaseEndsIn: `${Math.round(leaseMs) / 1000}s` }),
    ...(keptBy === undefined ? {} : { keptBy }),
    ...(status === undefined ? {} : { status: { inForce: status.inForce, findings: [...status.findings] } }),
    ...(deletion === undefined ? {} : { waitingFor: deletion.waitingFor() }),
  };
}

function refusal(
  { namespace, name }: RegistrationKey,
  faults: NonNullable<ProblemDetails['faults']>,
): Refusal {
  const words = faults.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join(' ');
  return new Refusal('invalid', `registration ${namespace}/${name}: ${words}`, { faults: [...faults] });
}
