import { randomUUID } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { yieldToEventLoop } from '../../base/yield-to-event-loop.ts';
import { createJournal } from './journal.ts';
import { createLeaseClock, type LeaseClock } from './lease-clock.ts';
import { createPeers, type Peers, type PeerTimes } from './peers.ts';
import { keyOfText, keyText, type Registration } from './registration.ts';
import { isLive, type RegistrationOp, type RuleContext } from './registration-rules.ts';
import { type PeerLink, type ReplicaAnswer, type ReplicaAsk, replicaSlice } from './replica.ts';

/** The other control planes of an IDC, and their times. */
export interface ReplicationSettings {
  readonly idc: string;
  readonly links: readonly PeerLink[];
  readonly times?: Partial<PeerTimes>;
}

/** What the replication needs from the registrations. */
interface ReplicationOptions extends ReplicationSettings {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Current registrations by key, and those drained and at no proxy. */
  readonly registrations: ReadonlyMap<string, Registration>;
  readonly drainedEverywhere: ReadonlySet<string>;
  /** Resolves when it is on disk. */
  submit(op: RegistrationOp): Promise<unknown>;
  /** No control plane holds its lease. */
  expire(key: string, registration: Registration): void;
  /** A peer that had these proxies no longer answers. */
  peerLost(proxies: readonly string[]): void;
  /** A peer that answers has these proxies. */
  peerHasProxies(proxies: readonly string[]): void;
}

/** Leases of instances, some of which peers hold, and the answers to peers. */
interface Replication {
  readonly leases: Pick<LeaseClock, 'remainingMs' | 'close'>;
  readonly peers: Pick<Peers, 'statuses' | 'waiting'>;
  /** Number of changes remembered for peers. */
  changes(): number;
  /** The peer that holds a lease, if not this control plane. */
  keptBy(key: string): string | undefined;
  /** A registration changed, or was removed. */
  touch(key: string): void;
  /** A lease was renewed here. */
  renew(key: string, ttlMs: number): void;
  /** A registration without a renewal here: a peer holds its lease, or it gets time for one. */
  beginLease(key: string, registration: Registration): void;
  /** It is no longer registered. */
  drop(key: string): void;
  /** The context of a decision on a peer's record. */
  contextOf(op: RegistrationOp, key: string, current: Registration | undefined): Partial<RuleContext>;
  /** A proxy has endpoints from here, or has gone. */
  noteProxy(node: string, isKnown: boolean): void;
  /** Begins to follow the peers; resolves when their state is here. */
  follow(store: { readonly id: string; readonly isComplete: boolean }, signal: AbortSignal): Promise<void>;
  /** The answer to a peer. */
  replica(ask: ReplicaAsk, signal: AbortSignal): Promise<ReplicaAnswer>;
  /** See `Peers.rid`; for the current registration. */
  waitUntilRemoved(
    key: string,
    generation: number,
    timeoutMs: number,
    signal: AbortSignal,
  ): ReturnType<Peers['waitUntilRemoved']>;
}

/** Shortest lease without a renewal: clients pause between attempts. Milliseconds. */
const unrenewedLeaseMsMin = 15_000;
/** Time in which new proxies are collected before peers are told of them. Milliseconds. */
const tellProxiesMs = 100;
/** Interval of checking leases that peers hold. Milliseconds. */
const keptLookMs = 1_000;

/** Creates the replication; without links all leases are held here. */
export function createReplication(options: ReplicationOptions): Replication {
  const { clock, logger, idc, links, times, registrations, drainedEverywhere } = options;
  const leaseHolders = new Map<string, string>();
  const journal = createJournal(clock);
  const epoch = randomUUID();
  const proxies = new Set<string>();
  let proxiesRevision = 0;
  let isTelling = false;
  let self = { id: '', epoch, isComplete: false };

  const touch = (key: string) => journal.touch(key, registrations.size);
  const leases = createLeaseClock(clock, {
    expired(keys) {
      for (const key of keys) {
        touch(key);
        runOut(key);
      }
    },
    changed: touch,
  });
  const peers = createPeers({
    ...{ links, idc, clock, logger, merge },
    ...(times === undefined ? {} : { times }),
    peerLost: options.peerLost,
    peerHasProxies: options.peerHasProxies,
    keptAlone: (name) => [...leaseHolders.values()].filter((one) => one === name).length,
  });

  /** Merges a peer's answer, in slices. */
  async function merge({ id: from, isAll, items, absent }: ReplicaAnswer): Promise<void> {
    const names = new Set(items.map(keyText));
    const missing = isAll ? [...registrations.values()].filter((one) => !names.has(keyText(one))) : absent;
    const ops = [
      ...items.map(({ lease: theirLease, isFree: _, ...theirs }): RegistrationOp => {
        return { type: 'merge', key: theirs, theirs, from, theirLease };
      }),
      ...missing.map(({ namespace, name }): RegistrationOp => {
        const key = { namespace, name };
        return { type: 'merge', key, theirs: undefined, from, theirLease: 'none' };
      }),
    ];
    for (let at = 0; at < ops.length; at += replicaSlice) {
      await Promise.all(ops.slice(at, at + replicaSlice).map(options.submit));
      await yieldToEventLoop();
    }
  }

  function runOut(key: string): void {
    const registration = registrations.get(key);
    if (!isLive(registration)) return;
    const keeper = peers.leaseHolder(key, registration.generation, leases.runsUntil(key));
    if (keeper !== undefined) leaseHolders.set(key, keeper);
    // The peer that held it no longer knows it, or was away for too long: it may not have heard of us.
    else if (leaseHolders.delete(key)) grant(key, registration);
    else options.expire(key, registration);
  }

  function grant(key: string, { ttlMs }: Registration): void {
    leases.grant(key, Math.max(ttlMs, unrenewedLeaseMsMin));
  }

  function checkHeldByPeers(signal: AbortSignal): void {
    if (signal.aborted) return;
    for (const key of [...leaseHolders.keys()]) runOut(key);
    clock.after(keptLookMs, () => checkHeldByPeers(signal));
  }

  return {
    leases,
    peers,
    changes: () => journal.size,
    keptBy: (key) => leaseHolders.get(key),
    touch,
    renew(key, ttlMs) {
      leaseHolders.delete(key);
      leases.renew(key, ttlMs);
    },
    beginLease(key, registration) {
      leases.drop(key);
      const keeper = peers.leaseHolder(key, registration.generation, undefined);
      if (keeper === undefined) grant(key, registration);
      else leaseHolders.set(key, keeper);
    },
    drop(key) {
      leases.drop(key);
      leaseHolders.delete(key);
    },
    contextOf(op, key, current) {
      if (op.type !== 'merge') return {};
      const { generation } = op.theirs ?? current ?? { generation: 0 };
      const runsElsewhere = leases.state(key) === 'running' || peers.leaseRuns(key, generation, op.from);
      return { self: self.id, runsElsewhere };
    },
    noteProxy(node, isKnown) {
      if (proxies.has(node) === isKnown) return;
      if (isKnown) proxies.add(node);
      else proxies.delete(node);
      proxiesRevision += 1;
      // Many connect at once: they are told together.
      if (isTelling) return;
      isTelling = true;
      clock.after(tellProxiesMs, () => {
        isTelling = false;
        journal.wake();
      });
    },
    async follow({ id, isComplete }, signal) {
      self = { id, epoch, isComplete };
      if (links.length > 0) {
        checkHeldByPeers(signal);
        await peers.follow(self, signal);
      }
      self = { id, epoch, isComplete: true };
    },
    async replica({ from, at, since, holdMs }, signal) {
      if (from !== undefined && at !== undefined) peers.noteRequest(from, at);
      const [sinceEpoch, ...counts] = since?.split(' ') ?? [];
      const [had, hadProxies = 0] = sinceEpoch === epoch ? counts.map(Number) : [];
      if (had !== undefined) {
        if (from !== undefined) peers.confirmed(from, had);
        await journal.waitForChange(had, holdMs, signal);
      }
      const changed = had === undefined ? undefined : journal.changedSince(had);
      const keys = changed ?? [...registrations.keys()];
      return {
        ...{ ...self, idc, isAll: changed === undefined },
        items: keys.flatMap((key) => {
          const registration = registrations.get(key);
          return registration === undefined
            ? []
            : { ...registration, lease: leases.state(key), isFree: drainedEverywhere.has(key) };
        }),
        absent: keys.filter((key) => !registrations.has(key)).map(keyOfText),
        ...(had === undefined || hadProxies < proxiesRevision ? { proxies: [...proxies] } : {}),
        cursor: `${epoch} ${journal.revision} ${proxiesRevision}`,
      };
    },
    waitUntilRemoved: (key, generation, timeoutMs, signal) =>
      peers.waitUntilRemoved(
        { key: keyOfText(key), generation, revision: journal.revision },
        timeoutMs,
        signal,
      ),
  };
}
