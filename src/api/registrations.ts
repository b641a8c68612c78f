import type { Clock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { replicaPath } from '../contract/replica-path.ts';
import type { Deletion } from '../delivery/deletion/guard.ts';
import { waitForRelease } from '../delivery/deletion/wait-for-release.ts';
import type { WorkloadSpec } from '../model/service.ts';
import type { ControlPlane } from '../plane/types.ts';
import { renderPath } from '../registry/parse/fault.ts';
import { parseRegistration, type RegistrationKey } from '../registry/registrations/registration.ts';
import type {
  ClientOp,
  Registered,
  RegistrationsSource,
} from '../registry/registrations/registrations-source.ts';
import type { ApiReply } from './json-api.ts';
import { positive, readWait, type Wait } from './query.ts';

/** What the routes work on. */
export interface RegistrationContext {
  /** The IDC that the control plane decides for. */
  readonly idc: string;
  readonly plane: Pick<ControlPlane, 'deletions' | 'disagreementsOf'>;
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
  /** The IP address of the client, where it is known. */
  readonly from: string | undefined;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
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
  /** Names of its query's parameters. */
  readonly parameters: readonly string[];
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
    parameters: ['namespace'],
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
    parameters: [],
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
    parameters: ['wait', 'timeout'],
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
      const peers = context.registrations.peers();
      const others = peers.filter(({ state }) => state === 'in step' || state === 'away');
      const disagreeing = context.plane.disagreementsOf({ kind: 'WorkloadEntry', ...key });
      const warnings = [
        ...told,
        ...disagreeing.map(({ path, message }) => ({ severity: 'warning', path: renderPath(path), message })),
        // Of an IDC that there is not, that is told already.
        ...(disagreeing.some(({ path }) => path[0] === 'locality') ? [] : elsewhere(input.spec, context.idc)),
      ];
      const controlPlanes = others.map(({ name }) => name);
      const found = controlPlanes.length > 0 ? { controlPlanes } : {};
      return { status, body: { ...show(done as Registered, context), ...acked, ...found, warnings } };
    },
  },
  {
    method: 'POST',
    path: `${one}/renew`,
    operationId: 'renew',
    write: true,
    help: 'a sign of life: the lease begins anew',
    parameters: ['generation'],
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
      parameters: ['generation', 'wait', 'timeout'],
      async answer({ key, query, signal }, context) {
        const wait = readWait(query);
        const generation = generationIn(query);
        const done = await submit(context, { type, key, generation });
        const waited =
          type === 'drain'
            ? await gone(context, key, generation, wait, signal)
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
    parameters: ['generation', 'wait', 'timeout'],
    async answer({ key, query, signal }, context) {
      const wait = readWait(query);
      const generation = generationIn(query);
      const was = context.registrations.get(key)?.registration.state ?? 'absent';
      await submit(context, { type: 'deregister', key, generation });
      const waited = await gone(context, key, generation, wait, signal);
      const standing = context.registrations.get(key)?.registration;
      const isOver =
        standing?.state !== 'leaving' || standing.generation !== (generation ?? standing.generation);
      const isGone = waited.acked === true || (waited.acked === undefined && isOver);
      return {
        status: isGone ? 200 : 202,
        body: { ...key, was, state: isGone ? 'gone' : 'leaving', ...waited },
      };
    },
  },
  {
    method: 'GET',
    path: replicaPath,
    operationId: 'replicate',
    write: true,
    help: 'for other control planes of the IDC: registrations, or what changed since (JSON)',
    parameters: ['from', 'since', 'hold'],
    async answer({ query, from: at, signal }, { registrations }) {
      const asked = {
        at,
        from: query.get('from') ?? undefined,
        since: query.get('since') ?? undefined,
        holdMs: Math.min(positive(query, 'hold') ?? 0, holdMsMax),
      };
      return { status: 200, body: await registrations.replica(asked, signal) };
    },
  },
];

/** A warning of an instance that says to stand in another IDC: the control planes of that one do not hear of it. */
function elsewhere({ locality }: WorkloadSpec, own: string) {
  const [idc = own] = locality?.split('/', 1) ?? [];
  if (idc === own) return [];
  const message = `'${locality}' is in IDC ${idc}, and this control plane decides for ${own}: the proxies of ${idc} do not hear of it. Register it at a control plane of ${idc}, or correct the locality.`;
  return [{ severity: 'warning', path: 'locality', message }];
}

/** The longest that an answer to another control plane is held. */
const holdMsMax = 60_000;

/** How a wait ended. Absent fields: nobody waited. */
export interface Waited {
  /** Whether every proxy has confirmed. */
  readonly acked?: boolean;
  /** Proxies that have not. */
  readonly waitingFor?: readonly string[];
  /** Proxies that were not waited for any longer, being away or silent for too long. */
  readonly forgiven?: readonly string[];
  /** Other control planes that do not answer: their proxies were waited for here, as far as they came. */
  readonly away?: readonly string[];
}

/** Waits until no proxy has an instance any more, of this control plane or of another one that answers. */
async function gone(
  context: RegistrationContext,
  key: RegistrationKey,
  generation: number | undefined,
  wait: Wait,
  signal: AbortSignal,
): Promise<Waited> {
  const { clock, registrations } = context;
  const { deletions } = context.plane;
  const ref = { kind: 'WorkloadEntry', namespace: key.namespace, name: key.name } as const;
  const until = clock.now() + wait.timeoutMs;
  const left = () => ({ ...wait, timeoutMs: Math.max(1, until - clock.now()) });
  const here = await settled(context, deletions.of(ref) ?? deletions.barrier(true), left(), signal);
  if (here.acked !== true || registrations.peers().length === 0) return here;
  const { owing, away } = await registrations.ridElsewhere(key, generation, left().timeoutMs, signal);
  if (owing.length > 0)
    return { acked: false, waitingFor: owing.map((name) => `proxies of the control plane at ${name}`) };
  if (away.length === 0) return here;
  // The proxies of one that has just died come here, with what they had from it.
  const again = await settled(context, deletions.barrier(true), left(), signal);
  const forgiven = [...(here.forgiven ?? []), ...(again.forgiven ?? [])];
  return { ...again, ...(forgiven.length > 0 ? { forgiven } : {}), away };
}

export async function settled(
  { clock }: Pick<RegistrationContext, 'clock'>,
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
function show({ registration, leaseMs, keptBy }: Registered, { plane }: RegistrationContext) {
  const { namespace, name, generation, state, ttlMs, spec } = registration;
  const deletion = plane.deletions.of({ kind: 'WorkloadEntry', namespace, name });
  return {
    ...{ namespace, name, generation, state },
    ...spec,
    ttl: `${ttlMs / 1000}s`,
    ...(leaseMs === undefined ? {} : { leaseEndsIn: `${Math.round(leaseMs) / 1000}s` }),
    ...(keptBy === undefined ? {} : { keptBy }),
    ...(deletion === undefined ? {} : { waitingFor: deletion.waitingFor() }),
  };
}

function refusal({ namespace, name }: RegistrationKey, faults: readonly { path: string; message: string }[]) {
  const words = faults.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join(' ');
  return { error: 'invalid', message: `registration ${namespace}/${name}: ${words}`, faults };
}
