import type { Clock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { ControlPlane } from '../controlplane.ts';
import type { Deletion } from '../delivery/guard.ts';
import { waitForRelease } from '../delivery/release.ts';
import { renderPath } from '../registry/fault.ts';
import { parseRegistration, type RegistrationKey } from '../registry/registration.ts';
import type { ClientOp, Registered, RegistrationsSource } from '../registry/registrations.ts';
import { positive, readWait, type Wait } from './registration-query.ts';

/** What the routes work on. */
export interface RegistrationContext {
  readonly plane: Pick<ControlPlane, 'deletions'>;
  readonly registrations: RegistrationsSource;
  readonly clock: Clock;
}

/** One request, taken apart. */
export interface ApiRequest {
  /** From the path; empty where the route has none. */
  readonly key: RegistrationKey;
  readonly query: URLSearchParams;
  /** The body as JSON; undefined where there is none. */
  readonly body: unknown;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
}

/** An answer: a status and JSON. */
export interface ApiReply {
  readonly status: number;
  readonly body: unknown;
}

/** One operation. docs/openapi.yaml describes each, and a test holds the two against each other. */
export interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** As in OpenAPI: `{…}` is a parameter. */
  readonly path: string;
  readonly operationId: string;
  /** Needs the token. */
  readonly write: boolean;
  readonly help: string;
  answer(request: ApiRequest, context: RegistrationContext): Promise<ApiReply>;
}

const all = '/v1/registrations';
const one = `${all}/{namespace}/{name}`;

/** All operations. */
export const registrationRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: all,
    operationId: 'listRegistrations',
    write: false,
    help: 'instances that registered themselves (JSON)',
    async answer({ query }, context) {
      const namespace = query.get('namespace');
      const listed = context.registrations.list();
      const items = listed.filter(
        ({ registration }) => (namespace ?? registration.namespace) === registration.namespace,
      );
      return { status: 200, body: { items: items.map((item) => show(item, context)) } };
    },
  },
  {
    method: 'GET',
    path: one,
    operationId: 'getRegistration',
    write: false,
    help: 'one of them',
    async answer({ key }, context) {
      const found = context.registrations.get(key);
      if (found === undefined)
        throw new MeshError('not-found', `registration ${key.namespace}/${key.name}: there is none`);
      return { status: 200, body: show(found, context) };
    },
  },
  {
    method: 'PUT',
    path: one,
    operationId: 'register',
    write: true,
    help: 'register an instance, or say what it is anew',
    async answer({ key, query, body, signal }, context) {
      const wait = readWait(query);
      const { input, faults } = parseRegistration(key, body ?? {});
      const told = faults.map(({ severity, path, message }) => ({
        severity,
        path: renderPath(path),
        message,
      }));
      if (input === undefined) return { status: 400, body: refusal(key, told) };
      const done = await submit(context, { type: 'register', key, input });
      const acked = await settled(context, context.plane.deletions.barrier(false), wait, signal);
      const status = acked.acked === false ? 202 : done?.changed ? 201 : 200;
      return { status, body: { ...show(done as Registered, context), ...acked, warnings: told } };
    },
  },
  {
    method: 'POST',
    path: `${one}/renew`,
    operationId: 'renew',
    write: true,
    help: 'a sign of life: the lease begins anew',
    async answer({ key, query }, context) {
      return { status: 200, body: show(context.registrations.renew(key, generationIn(query)), context) };
    },
  },
  ...(['drain', 'resume'] as const).map(
    (type): Route => ({
      method: 'POST',
      path: `${one}/${type}`,
      operationId: type,
      write: true,
      help: type === 'drain' ? 'no new requests; stays registered' : 'take requests again after a drain',
      async answer({ key, query, signal }, context) {
        const wait = readWait(query);
        const done = await submit(context, { type, key, generation: generationIn(query) });
        const waited =
          type === 'drain'
            ? await gone(context, key, wait, signal)
            : await settled(context, context.plane.deletions.barrier(false), wait, signal);
        const status = waited.acked === false ? 202 : 200;
        return { status, body: { ...show(done as Registered, context), ...waited } };
      },
    }),
  ),
  {
    method: 'DELETE',
    path: one,
    operationId: 'deregister',
    write: true,
    help: 'take an instance out; ?wait=acked answers when no proxy has it any more',
    async answer({ key, query, signal }, context) {
      const wait = readWait(query);
      const generation = generationIn(query);
      await submit(context, { type: 'deregister', key, generation });
      const waited = await gone(context, key, wait, signal);
      const standing = context.registrations.get(key)?.registration;
      const isOver =
        standing?.state !== 'leaving' || standing.generation !== (generation ?? standing.generation);
      const isGone = waited.acked === true || (waited.acked === undefined && isOver);
      return { status: isGone ? 200 : 202, body: { ...key, state: isGone ? 'gone' : 'leaving', ...waited } };
    },
  },
];

/** How a wait ended. Absent fields: nobody waited. */
interface Waited {
  /** Whether every proxy has confirmed. */
  readonly acked?: boolean;
  /** Proxies that have not. */
  readonly waitingFor?: readonly string[];
  /** Proxies that were not waited for any longer, being away or silent for too long. */
  readonly forgiven?: readonly string[];
}

/** Waits until no proxy has an instance any more. */
async function gone(
  context: RegistrationContext,
  { namespace, name }: RegistrationKey,
  wait: Wait,
  signal: AbortSignal,
): Promise<Waited> {
  const { deletions } = context.plane;
  const deletion = deletions.of({ kind: 'WorkloadEntry', namespace, name }) ?? deletions.barrier(true);
  return settled(context, deletion, wait, signal);
}

async function settled(
  { clock }: RegistrationContext,
  deletion: Deletion,
  wait: Wait,
  signal: AbortSignal,
): Promise<Waited> {
  if (!wait.acked) return {};
  const release = await waitForRelease(deletion, { clock, timeoutMs: wait.timeoutMs, signal });
  if (release === undefined) return { acked: false, waitingFor: deletion.waitingFor() };
  return { acked: true, ...(release.forgiven.length > 0 ? { forgiven: release.forgiven } : {}) };
}

function submit({ registrations }: RegistrationContext, op: ClientOp): Promise<Registered | undefined> {
  return registrations.submit(op);
}

function generationIn(query: URLSearchParams): number | undefined {
  return positive(query, 'generation');
}

/** A registration as the API shows it. */
function show({ registration, leaseMs }: Registered, { plane }: RegistrationContext) {
  const { namespace, name, generation, state, ttlMs, spec } = registration;
  const deletion = plane.deletions.of({ kind: 'WorkloadEntry', namespace, name });
  return {
    ...{ namespace, name, generation, state },
    ...spec,
    ttl: `${ttlMs / 1000}s`,
    ...(leaseMs === undefined ? {} : { leaseEndsIn: `${Math.round(leaseMs) / 1000}s` }),
    ...(deletion === undefined ? {} : { waitingFor: deletion.waitingFor() }),
  };
}

function refusal({ namespace, name }: RegistrationKey, faults: readonly { path: string; message: string }[]) {
  const words = faults.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join(' ');
  return { error: 'invalid', message: `registration ${namespace}/${name}: ${words}`, faults };
}
