import type { Clock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { type Logger, silentLogger } from '../../base/log.ts';
import type { Finding } from '../../model/finding.ts';
import type { Change, Ref } from '../../model/object.ts';
import { createProxyMemory } from '../proxy-memory.ts';
import {
  type Finalizers,
  noFacets,
  type ObjectStatus,
  type ProxyMemory,
  type RegistrationCounts,
  type Sink,
  type Source,
  type SourceFacets,
  type SourcePeers,
} from '../source.ts';
import { createStatusMemory } from '../status-memory.ts';
import { createDeparted } from './departed.ts';
import { describeWait } from './describe-peers.ts';
import { type LeaseStore, openLeaseStore } from './lease-store.ts';
import type { Peers } from './peers.ts';
import { keyOfText, keyText, type Registration, type RegistrationKey, workloadOf } from './registration.ts';
import { logRegistration } from './registration-log.ts';
import { decodeRow, encodeRow } from './registration-row.ts';
import { type Decision, decideOp, isLive, type RegistrationOp, requireLive } from './registration-rules.ts';
import type { ReplicaAnswer, ReplicaAsk } from './replica.ts';
import { createReplication, type ReplicationSettings } from './replication.ts';

/** A registration, and the rest of its lease. */
export interface Registered {
  readonly registration: Registration;
  /** Milliseconds; undefined if not live, or if another control plane holds the lease. */
  readonly leaseMs: number | undefined;
  /** The control plane that holds its lease, if not this one. */
  readonly keptBy?: string;
  /** What became of it, as was found last; absent: it is in force, and nothing is wrong. */
  readonly status?: ObjectStatus;
  /** Whether the operation changed anything. */
  readonly changed: boolean;
}

/** Self-registered instances, as a source. */
export interface RegistrationsSource extends Source {
  /**
   * Applies an operation; resolves once it is on disk and the mesh was told. Operations on a name apply in
   * the order of calls. Undefined: there is no such registration (any more). Throws MeshError: those of
   * `decideOp`, or `unavailable` if the disk fails or before `start`; then nothing has changed.
   */
  submit(op: ClientOp): Promise<Registered | undefined>;
  /**
   * Renews a lease. Not written to disk: a restart renews all leases. Throws MeshError `not-found` if it must
   * register (again), `conflict` if a newer generation has the name.
   */
  renew(key: RegistrationKey, generation: number | undefined): Registered;
  /** Throws MeshError `unavailable` before `start`, as `list` does: unread is not absent. */
  get(key: RegistrationKey): Registered | undefined;
  /** All registered or leaving instances, by namespace and name. */
  list(): readonly Registered[];
  readonly facets: SourceFacets & {
    readonly finalizers: Finalizers;
    readonly proxies: ProxyMemory;
    readonly registrations: RegistrationCounts;
    readonly peers: SourcePeers;
  };
  /** The answer to a peer. Throws MeshError `unavailable` before `start`. */
  replica(ask: ReplicaAsk, signal: AbortSignal): Promise<ReplicaAnswer>;
  /**
   * Waits until no proxy of the other control planes has a generation removed here, at most `timeoutMs`.
   * Resolves to the control planes with a proxy that still has it, and to those that do not answer.
   */
  waitUntilRemovedElsewhere(
    key: RegistrationKey,
    generation: number | undefined,
    timeoutMs: number,
    signal: AbortSignal,
  ): ReturnType<Peers['waitUntilRemoved']>;
}

/** Operations of clients. */
export type ClientOp = Extract<RegistrationOp, { type: 'register' | 'drain' | 'resume' | 'deregister' }>;

/** What the source needs. */
interface RegistrationsOptions {
  /** The SQLite file, created if missing. */
  readonly file: string;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** The other control planes of this IDC, whose registrations are replicated; default none. */
  readonly replication?: ReplicationSettings;
}

/** Most operations per transaction. */
const batchMax = 1_000;

interface Decided {
  readonly queued: Queued;
  readonly decision: Decision;
  /** The generation that it begins, if any. */
  readonly begins: boolean;
}

interface Queued {
  readonly op: RegistrationOp;
  /** When it was requested: the start of the ACK clock. */
  readonly at: number;
  readonly resolve: (result: Registered | undefined) => void;
  readonly reject: (reason: MeshError) => void;
}

/** Creates the `registrations` source. `start` opens the file, and rejects with what to do if it cannot. */
export function createRegistrationsSource(options: RegistrationsOptions): RegistrationsSource {
  const { clock, logger = silentLogger } = options;
  const registrations = new Map<string, Registration>();
  /** Drained, and no proxy has it any more. */
  const drainedEverywhere = new Set<string>();
  const queue: Queued[] = [];
  let live: { readonly store: LeaseStore; readonly sink: Sink } | undefined;
  let writing = false;
  const statuses = createStatusMemory();
  let isCompleteNew = false;
  const { idc = '', links = [], ...times } = options.replication ?? {};
  const replication = createReplication({
    ...{ idc, links, ...times, clock, logger, registrations, drainedEverywhere, submit, expire },
    peerLost(proxies) {
      proxyMemory.lost(proxies);
      live?.sink.changes([]);
    },
    peerHasProxies(proxies) {
      proxyMemory.moved(proxies);
      live?.sink.changes([]);
    },
  });

  const proxyMemory = createProxyMemory((node, isKnown) => {
    replication.noteProxy(node, isKnown);
    void write();
  });
  const departed = createDeparted(clock, (key) => submit({ type: 'forget', key: keyOfText(key) }));

  function submit(op: RegistrationOp): Promise<Registered | undefined> {
    return new Promise((resolve, reject) => {
      if (live === undefined) return reject(notRunning());
      queue.push({ op, at: clock.now(), resolve, reject });
      void write();
    });
  }

  /** One transaction at a time; operations that arrive meanwhile share the next. */
  async function write(): Promise<void> {
    if (writing) return;
    writing = true;
    // Operations of the same turn of the event loop share the transaction.
    await Promise.resolve();
    while (live !== undefined && (queue.length > 0 || proxyMemory.isDue || isCompleteNew))
      await writeBatch(live, queue.splice(0, batchMax));
    writing = false;
    for (const { reject } of queue.splice(0)) reject(notRunning());
  }

  async function writeBatch({ store, sink }: NonNullable<typeof live>, batch: Queued[]): Promise<void> {
    const before = new Map<string, Registration | undefined>();
    const after = new Map<string, Registration | undefined>();
    const decided: Decided[] = [];
    for (const queued of batch) {
      const key = keyText(queued.op.key);
      const current = after.has(key) ? after.get(key) : registrations.get(key);
      try {
        const decision = decideOp(current, queued.op, {
          ...{ wallMs: Math.floor(clock.wall()), isFree: drainedEverywhere.has(key) },
          ...replication.contextOf(queued.op, key, current),
        });
        const begins = !isLive(current) || current.generation !== decision.next?.generation;
        decided.push({ queued, decision, begins });
        if (!decision.changed) continue;
        if (!before.has(key)) before.set(key, registrations.get(key));
        after.set(key, decision.next);
      } catch (reason) {
        queued.reject(MeshError.from(reason));
      }
    }
    const proxies = proxyMemory.takeNotes();
    try {
      const isComplete = isCompleteNew;
      isCompleteNew = false;
      if (after.size + proxies.length > 0 || isComplete)
        await store.commit({ ...commitOf(after, registrations), proxies, isComplete });
    } catch (reason) {
      const error = MeshError.from(reason);
      logger.error('registrations could not be written; nothing was changed', {
        error: error.message,
      });
      for (const { queued } of decided) queued.reject(error);
      proxyMemory.notWritten(proxies);
      return;
    }
    for (const [key, next] of after) {
      if (next === undefined) registrations.delete(key);
      else registrations.set(key, next);
      drainedEverywhere.delete(key);
      replication.touch(key);
    }
    const at = decided.reduce((earliest, { queued }) => Math.min(earliest, queued.at), clock.now());
    if (live?.sink === sink) emitChanges(sink, before, at);
    for (const operation of decided) finish(operation);
  }

  /** Tells the mesh: a batch makes one change per name. */
  function emitChanges(sink: Sink, before: ReadonlyMap<string, Registration | undefined>, at: number): void {
    const changes: Change[] = [];
    for (const [key, old] of before) {
      const current = registrations.get(key);
      if (current?.state === 'ready') {
        if (old?.state !== 'ready' || JSON.stringify(old.spec) !== JSON.stringify(current.spec))
          changes.push({ type: 'upsert', object: workloadOf(current, idc), at });
      } else if (old?.state === 'ready' || (current?.state === 'leaving' && old?.state !== 'leaving'))
        changes.push({ type: 'delete', ref: refOf((current ?? old) as Registration), at });
    }
    if (changes.length > 0) sink.changes(changes);
  }

  function finish({ queued: { op, resolve }, decision: { changed }, begins }: Decided): void {
    const key = keyText(op.key);
    const current = registrations.get(key);
    if (!isLive(current)) replication.drop(key);
    else if (op.type === 'register') replication.renew(key, current.ttlMs);
    else if (op.type === 'merge' && changed && begins) replication.beginLease(key, current);
    if (op.type === 'release' && current?.state === 'draining') {
      drainedEverywhere.add(key);
      replication.touch(key);
    }
    if (current?.state !== 'gone') departed.drop(key);
    else if (changed) departed.add(key, current.ttlMs);
    if (changed) logRegistration(logger, op, current);
    resolve(current === undefined ? undefined : { ...shown(current), changed });
  }

  function expire(key: string, registration: Registration): void {
    const { namespace, name, generation } = registration;
    logger.warn('lease expired; the instance is removed', { registration: key, generation });
    submit({ type: 'expire', key: { namespace, name }, generation }).catch(() => {
      // The disk fails, which was logged: try again with the next lease.
      if (live !== undefined) replication.beginLease(key, registration);
    });
  }

  function shown(registration: Registration): Registered {
    const key = keyText(registration);
    const keptBy = replication.keptBy(key);
    const leaseMs = replication.leases.remainingMs(key);
    const status = statuses.statusOf(refOf(registration));
    return {
      ...{ registration, leaseMs, changed: false },
      ...(keptBy === undefined ? {} : { keptBy }),
      ...(status && { status }),
    };
  }

  async function start(sink: Sink, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const store = await openLeaseStore(options.file, clock);
    if (signal.aborted) return store.close();
    signal.addEventListener('abort', () => {
      live = undefined;
      replication.leases.close();
      departed.close();
      void store.close();
    });
    const problems: Finding[] = [];
    const changes: Change[] = [];
    const at = clock.now();
    const { rows, proxies, id, isComplete } = store.opened;
    proxyMemory.opened(proxies);
    for (const row of rows) {
      const decoded = decodeRow(row);
      if ('problem' in decoded) {
        problems.push(decoded.problem);
        continue;
      }
      const { registration } = decoded;
      const key = keyText(registration);
      registrations.set(key, registration);
      replication.touch(key);
      if (isLive(registration)) replication.beginLease(key, registration);
      if (registration.state === 'ready')
        changes.push({ type: 'upsert', object: workloadOf(registration, idc), at });
      // Proxies may still have it: deleted again, until they have confirmed.
      else if (registration.state !== 'gone') changes.push({ type: 'delete', ref: refOf(registration), at });
      else departed.add(key, registration.ttlMs);
    }
    live = { store, sink };
    if (problems.length > 0) sink.problems(problems);
    if (changes.length > 0) sink.changes(changes);
    const following = replication.follow({ id, isComplete }, signal).then(() => {
      if (live?.sink !== sink) return;
      isCompleteNew = !isComplete;
      void write();
      sink.changes([{ type: 'synced', source: 'registrations', at: clock.now() }]);
    });
    if (links.length === 0) await following;
  }

  function counts() {
    const found = { ready: 0, draining: 0, leaving: 0 };
    for (const { state } of registrations.values()) if (state !== 'gone') found[state] += 1;
    return found;
  }

  async function release(ref: Ref): Promise<void> {
    const op = { type: 'release', key: { namespace: ref.namespace, name: ref.name } } as const;
    if (live !== undefined && registrations.has(keyText(op.key))) await submit(op);
  }

  return {
    name: 'registrations',
    start,
    // The file is exclusive, and the state here changes only with each commit.
    *objects() {
      for (const registration of registrations.values())
        if (registration.state === 'ready') yield workloadOf(registration, idc);
    },
    submit,
    repair: (batch) => live?.sink.changes(batch),
    facets: {
      ...noFacets,
      status: statuses,
      finalizers: { release },
      proxies: proxyMemory,
      registrations: { counts, remembered: () => ({ gone: departed.size, changes: replication.changes() }) },
      peers: {
        statuses: () => replication.peers.statuses(),
        waitsFor: () => describeWait(replication.peers.waiting()),
      },
    },
    renew(key, generation) {
      if (live === undefined) throw notRunning();
      const registration = requireLive(registrations.get(keyText(key)), key, generation);
      replication.renew(keyText(key), registration.ttlMs);
      return shown(registration);
    },
    get(key) {
      if (live === undefined) throw notRunning();
      const registration = registrations.get(keyText(key));
      return registration === undefined || registration.state === 'gone' ? undefined : shown(registration);
    },
    async replica(asked, signal) {
      if (live === undefined) throw notRunning();
      return replication.replica(asked, signal);
    },
    waitUntilRemovedElsewhere(key, generation, timeoutMs, signal) {
      const meant = generation ?? registrations.get(keyText(key))?.generation ?? 0;
      return replication.waitUntilRemoved(keyText(key), meant, timeoutMs, signal);
    },
    list() {
      if (live === undefined) throw notRunning();
      return [...registrations.values()]
        .filter(({ state }) => state !== 'gone')
        .sort((a, b) => (keyText(a) < keyText(b) ? -1 : 1))
        .map(shown);
    },
  };
}

function commitOf(
  after: ReadonlyMap<string, Registration | undefined>,
  registrations: ReadonlyMap<string, Registration>,
) {
  const puts = [...after.values()].filter((next) => next !== undefined).map(encodeRow);
  const drops = [...after]
    .filter(([, next]) => next === undefined)
    .map(([key]) => registrations.get(key))
    .filter((was) => was !== undefined);
  return { puts, drops };
}

function refOf({ namespace, name }: RegistrationKey): Ref {
  return { kind: 'WorkloadEntry', namespace, name };
}

function notRunning(): MeshError {
  return new MeshError('unavailable', 'registrations are not open: the control plane is starting or closing');
}
