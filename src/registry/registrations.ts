import type { Clock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { type Logger, silentLogger } from '../base/log.ts';
import type { Change, Ref } from '../model/object.ts';
import { createLeaseClock } from './lease-clock.ts';
import { type LeaseStore, openLeaseStore } from './lease-store.ts';
import {
  keyText,
  type Registration,
  type RegistrationKey,
  type RegistrationState,
  workloadOf,
} from './registration.ts';
import { decodeRow, encodeRow } from './registration-row.ts';
import { type Decision, decide, isLive, type RegistrationOp, requireLive } from './registration-rules.ts';
import type { Problem, ProxyMemory, Sink, Source } from './source.ts';

/** A registration, and how long its lease still runs. */
export interface Registered {
  readonly registration: Registration;
  /** Milliseconds; undefined when it is not live. */
  readonly leaseMs: number | undefined;
  /** Whether the op changed anything. */
  readonly changed: boolean;
}

/** Instances that register themselves, as a source. */
export interface RegistrationsSource extends Source {
  /**
   * Does what is asked; resolves once it is on the disk and the mesh has been told. Ops on one name happen in the
   * order of the calls. Undefined: there is no such registration (any more). Throws MeshError: those of `decide`, or
   * `unavailable` when the disk fails or before `start`; then nothing has changed.
   */
  submit(op: ClientOp): Promise<Registered | undefined>;
  /**
   * A sign of life. Not written to disk: a restart begins all leases anew. Throws MeshError `not-found` when it
   * must register (again), `conflict` when a newer life has the name.
   */
  renew(key: RegistrationKey, generation: number | undefined): Registered;
  /** Throws MeshError `unavailable` before `start`, as `list` does: what is not read yet is not absent. */
  get(key: RegistrationKey): Registered | undefined;
  /** All that are registered or leaving, by namespace and name. */
  list(): readonly Registered[];
  /** How many there are, by state. */
  counts(): Readonly<Record<Exclude<RegistrationState, 'gone'>, number>>;
  readonly proxies: ProxyMemory;
}

/** What may be asked from outside. */
export type ClientOp = Extract<RegistrationOp, { type: 'register' | 'drain' | 'resume' | 'deregister' }>;

/** What the source needs. */
export interface RegistrationsOptions {
  /** The SQLite file; created when it is not there. */
  readonly file: string;
  readonly clock: Clock;
  readonly logger?: Logger;
}

/** A lease after a restart is at least this long: clients wait between their tries. Milliseconds. */
const freshLeaseMsMin = 15_000;
/** How long it is remembered that a life has deregistered. Milliseconds. */
const rememberMs = 600_000;
/** Most ops that one transaction takes. */
const batchMax = 1_000;

interface Waiting {
  readonly op: RegistrationOp;
  /** When it was asked: where the ACK clock starts. */
  readonly at: number;
  readonly resolve: (result: Registered | undefined) => void;
  readonly reject: (reason: MeshError) => void;
}

/** Creates the `registrations` source. `start` opens the file, and rejects with what to do when it cannot. */
export function createRegistrationsSource(options: RegistrationsOptions): RegistrationsSource {
  const { clock, logger = silentLogger } = options;
  const standing = new Map<string, Registration>();
  /** Drained, and no proxy has it any more. */
  const free = new Set<string>();
  const queue: Waiting[] = [];
  const notes = new Map<string, boolean>();
  const leases = createLeaseClock(clock, (keys) => {
    for (const key of keys) expire(key);
  });
  let live: { readonly store: LeaseStore; readonly sink: Sink } | undefined;
  let writing = false;
  let recalled = false;

  function ask(op: RegistrationOp): Promise<Registered | undefined> {
    return new Promise((resolve, reject) => {
      if (live === undefined) return reject(notRunning());
      queue.push({ op, at: clock.now(), resolve, reject });
      void write();
    });
  }

  /** One transaction at a time; what comes meanwhile goes together into the next. */
  async function write(): Promise<void> {
    if (writing) return;
    writing = true;
    // What else is asked in this turn of the loop goes into the same transaction.
    await Promise.resolve();
    while (live !== undefined && queue.length + notes.size > 0)
      await writeBatch(live, queue.splice(0, batchMax));
    writing = false;
    for (const { reject } of queue.splice(0)) reject(notRunning());
  }

  async function writeBatch({ store, sink }: NonNullable<typeof live>, batch: Waiting[]): Promise<void> {
    const before = new Map<string, Registration | undefined>();
    const after = new Map<string, Registration | undefined>();
    const decided: { readonly one: Waiting; readonly decision: Decision }[] = [];
    for (const one of batch) {
      const key = keyText(one.op.key);
      const current = after.has(key) ? after.get(key) : standing.get(key);
      try {
        const context = { wallMs: Math.floor(clock.wall()), isFree: free.has(key) };
        const decision = decide(current, one.op, context);
        decided.push({ one, decision });
        if (!decision.changed) continue;
        if (!before.has(key)) before.set(key, standing.get(key));
        after.set(key, decision.next);
      } catch (reason) {
        one.reject(MeshError.from(reason));
      }
    }
    try {
      const proxies = [...notes];
      notes.clear();
      if (after.size + proxies.length > 0) await store.commit({ ...commitOf(after, standing), proxies });
    } catch (reason) {
      const error = MeshError.from(reason);
      logger.error('registrations could not be written; nothing of them was changed', {
        error: error.message,
      });
      for (const { one } of decided) one.reject(error);
      return;
    }
    for (const [key, next] of after) {
      if (next === undefined) standing.delete(key);
      else standing.set(key, next);
      free.delete(key);
    }
    const at = decided.reduce((earliest, { one }) => Math.min(earliest, one.at), clock.now());
    if (live?.sink === sink) tell(sink, before, at);
    for (const { one, decision } of decided) settle(one, decision);
  }

  /** What the mesh must know of: all that a batch did to a name is one change. */
  function tell(sink: Sink, before: ReadonlyMap<string, Registration | undefined>, at: number): void {
    const changes: Change[] = [];
    for (const [key, was] of before) {
      const is = standing.get(key);
      if (is?.state === 'ready') {
        if (was?.state !== 'ready' || JSON.stringify(was.spec) !== JSON.stringify(is.spec))
          changes.push({ type: 'upsert', object: workloadOf(is), at });
      } else if (was?.state === 'ready' || (is?.state === 'leaving' && was?.state !== 'leaving'))
        changes.push({ type: 'delete', ref: refOf((is ?? was) as Registration), at });
    }
    if (changes.length > 0) sink.changes(changes);
  }

  function settle({ op, resolve }: Waiting, decision: Decision): void {
    const key = keyText(op.key);
    const is = standing.get(key);
    if (!isLive(is)) leases.drop(key);
    else if (op.type === 'register') leases.renew(key, is.ttlMs);
    if (op.type === 'release' && is?.state === 'draining') free.add(key);
    if (decision.changed && is?.state === 'gone')
      clock.after(rememberMs, () => void ask({ type: 'forget', key: op.key }).catch(() => {}));
    resolve(is === undefined ? undefined : { ...shown(is), changed: decision.changed });
  }

  function expire(key: string): void {
    const registration = standing.get(key);
    if (!isLive(registration)) return;
    const { namespace, name, generation } = registration;
    logger.warn('lease ran out; the instance is taken out', { registration: key, generation });
    ask({ type: 'expire', key: { namespace, name }, generation }).catch(() => {
      // The disk fails, and this was logged: try again with the next lease.
      if (live !== undefined) leases.renew(key, registration.ttlMs);
    });
  }

  function shown(registration: Registration): Registered {
    return { registration, leaseMs: leases.remainingMs(keyText(registration)), changed: false };
  }

  async function start(sink: Sink, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const store = await openLeaseStore(options.file, clock);
    if (signal.aborted) return store.close();
    signal.addEventListener('abort', () => {
      live = undefined;
      leases.close();
      void store.close();
    });
    const problems: Problem[] = [];
    const changes: Change[] = [];
    const at = clock.now();
    for (const row of store.rows) {
      const decoded = decodeRow(row);
      if ('problem' in decoded) {
        problems.push(decoded.problem);
        continue;
      }
      const { registration } = decoded;
      const key = keyText(registration);
      standing.set(key, registration);
      if (isLive(registration)) leases.renew(key, Math.max(registration.ttlMs, freshLeaseMsMin));
      if (registration.state === 'ready')
        changes.push({ type: 'upsert', object: workloadOf(registration), at });
      // Proxies may still have it: it is a deletion again, until they are rid of it.
      else if (registration.state !== 'gone') changes.push({ type: 'delete', ref: refOf(registration), at });
      else clock.after(rememberMs, () => void ask({ type: 'forget', key: registration }).catch(() => {}));
    }
    live = { store, sink };
    if (problems.length > 0) sink.problems(problems);
    if (changes.length > 0) sink.changes(changes);
    sink.changes([{ type: 'synced', source: 'registrations', at: clock.now() }]);
  }

  return {
    name: 'registrations',
    proxies: {
      recall() {
        const nodes = recalled ? [] : (live?.store.proxies ?? []);
        recalled ||= live !== undefined;
        return nodes;
      },
      note(node, isKnown) {
        notes.set(node, isKnown);
        void write();
      },
    },
    start,
    // The file is this process's alone, and what stands here changes with each commit and only then.
    *objects() {
      for (const registration of standing.values())
        if (registration.state === 'ready') yield workloadOf(registration);
    },
    submit: ask,
    async release(ref) {
      const op = { type: 'release', key: { namespace: ref.namespace, name: ref.name } } as const;
      if (live !== undefined && standing.has(keyText(op.key))) await ask(op);
    },
    renew(key, generation) {
      if (live === undefined) throw notRunning();
      const registration = requireLive(standing.get(keyText(key)), key, generation);
      leases.renew(keyText(key), registration.ttlMs);
      return shown(registration);
    },
    get(key) {
      if (live === undefined) throw notRunning();
      const registration = standing.get(keyText(key));
      return registration === undefined || registration.state === 'gone' ? undefined : shown(registration);
    },
    counts() {
      const counts = { ready: 0, draining: 0, leaving: 0 };
      for (const { state } of standing.values()) if (state !== 'gone') counts[state] += 1;
      return counts;
    },
    list() {
      if (live === undefined) throw notRunning();
      return [...standing.values()]
        .filter(({ state }) => state !== 'gone')
        .sort((a, b) => (keyText(a) < keyText(b) ? -1 : 1))
        .map(shown);
    },
  };
}

function commitOf(
  after: ReadonlyMap<string, Registration | undefined>,
  standing: ReadonlyMap<string, Registration>,
) {
  const puts = [...after.values()].filter((next) => next !== undefined).map(encodeRow);
  const drops = [...after]
    .filter(([, next]) => next === undefined)
    .map(([key]) => standing.get(key))
    .filter((was) => was !== undefined);
  return { puts, drops };
}

function refOf({ namespace, name }: RegistrationKey): Ref {
  return { kind: 'WorkloadEntry', namespace, name };
}

function notRunning(): MeshError {
  return new MeshError('unavailable', 'registrations are not open: the control plane is starting or closing');
}
