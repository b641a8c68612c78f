import { type Clock, sleep } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import type { Logger } from '../../base/log.ts';
import type { PeerStatus } from '../source.ts';
import { keyText, type RegistrationKey } from './registration.ts';
import { type PeerLink, type ReplicaAnswer, type ReplicaItem, readReplicaAnswer } from './replica.ts';

/** Times, in milliseconds. */
export const peerTimes = {
  /** How long a peer holds its answer without changes. */
  hold: 1_000,
  /** Beyond that time without an answer the peer does not answer. */
  silent: 2_000,
  /** Pauses between attempts while it does not answer: first, and longest. */
  retryFirst: 100,
  retryMost: 1_000,
  /** How long a start waits for peers that do not answer. */
  startWait: 15_000,
  /** How long instances are kept whose lease is held only by a peer that does not answer. */
  keepAlone: 3_600_000,
} as const;

/** `peerTimes`, or others. */
export type PeerTimes = Readonly<Record<keyof typeof peerTimes, number>>;

/** A start that waits for other control planes. */
export interface PeerWait {
  /** Whether its own file has once had the complete state. */
  readonly isComplete: boolean;
  /** Names of those that have answered. */
  readonly heard: readonly string[];
  readonly silent: readonly { readonly name: string; readonly why: string }[];
  /** Milliseconds until it continues with those that have answered. */
  readonly leftMs: number;
}

/** What the peers need from the registrations. */
interface PeersOptions {
  readonly links: readonly PeerLink[];
  readonly idc: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly times?: Partial<PeerTimes>;
  /** Merges a peer's answer, complete or changes; resolves when it is on disk. */
  merge(answer: ReplicaAnswer): Promise<void>;
  /** A peer is lost: these proxies, by node id, had their endpoints from it. */
  peerLost(proxies: readonly string[]): void;
  /** A peer reported again which proxies have endpoints from it. */
  peerHasProxies(proxies: readonly string[]): void;
  /** Number of instances that only a peer keeps. */
  keptAlone(name: string): number;
}

/** This control plane, as the others see it. */
interface OwnIdentity {
  readonly id: string;
  readonly epoch: string;
  readonly isComplete: boolean;
}

/** The other control planes of this IDC, whose registrations are replicated while this one runs. */
export interface Peers {
  /**
   * Begins to pull. Resolves when their state is here: each has answered, or `startWait` has passed. A
   * control plane that has never had the complete state waits for one that has; without any, until one
   * answers and `startWait` has passed.
   */
  follow(self: OwnIdentity, signal: AbortSignal): Promise<void>;
  /** What `follow` still waits for; undefined when it has resolved, or was not called. */
  waiting(): PeerWait | undefined;
  /**
   * The peer that holds this generation's lease, as of its last answer, if it was not renewed here since.
   * `runsUntil`: when the last renewal here expires.
   */
  leaseHolder(key: string, generation: number, runsUntil: number | undefined): string | undefined;
  /** Whether the lease of this generation runs at a peer that answers, other than the one with this id. */
  leaseRuns(key: string, generation: number, exceptId: string): boolean;
  /** A control plane asks from an IP address. */
  noteRequest(id: string, address: string): void;
  /** A peer has applied all changes of this control plane up to a revision. */
  confirmed(id: string, revision: number): void;
  /**
   * Waits until each peer that answers has applied `revision`, and none of its proxies has this generation;
   * at most `timeoutMs`. Resolves to those that still have it, and to those that do not answer.
   */
  waitUntilRemoved(
    what: { readonly key: RegistrationKey; readonly generation: number; readonly revision: number },
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<{ readonly unconfirmed: readonly string[]; readonly unreachable: readonly string[] }>;
  statuses(): readonly PeerStatus[];
}

interface Peer {
  readonly link: PeerLink;
  readonly items: Map<string, ReplicaItem>;
  proxies: readonly string[];
  id: string | undefined;
  cursor: string | undefined;
  isSelf: boolean;
  isComplete: boolean;
  heardAt: number | undefined;
  /** Why it does not answer; undefined while it does. */
  why: string | undefined;
}

/** Creates the peers; none is asked yet. */
export function createPeers(options: PeersOptions): Peers {
  const { idc, clock, logger } = options;
  const times = { ...peerTimes, ...options.times };
  const peers = options.links.map(
    (link): Peer => ({
      ...{ link, items: new Map(), proxies: [], id: undefined, cursor: undefined },
      ...{ isSelf: false, isComplete: false, heardAt: undefined, why: 'it was not asked yet' },
    }),
  );
  const confirmedBy = new Map<string, number>();
  const askers = new Map<string, { readonly address: string; readonly askedAt: number }>();
  const watchers = new Set<() => void>();
  let following: { readonly self: OwnIdentity; readonly since: number } | undefined;

  function notify(): void {
    for (const fn of [...watchers]) fn();
  }

  const otherPeers = () => peers.filter(({ isSelf }) => !isSelf);
  const isReachable = ({ why }: Peer) => why === undefined;

  async function followPeer(peer: Peer, self: OwnIdentity, signal: AbortSignal): Promise<void> {
    let pauseMs = times.retryFirst;
    while (!signal.aborted && !peer.isSelf) {
      try {
        await pull(peer, self, signal);
        pauseMs = times.retryFirst;
      } catch (reason) {
        if (signal.aborted) return;
        noteFailure(peer, MeshError.from(reason).message);
        await sleep(clock, pauseMs, signal).catch(() => {});
        pauseMs = Math.min(2 * pauseMs, times.retryMost);
      }
    }
  }

  async function pull(peer: Peer, self: OwnIdentity, signal: AbortSignal): Promise<void> {
    const late = new AbortController();
    const timer = clock.after(times.hold + times.silent, () =>
      late.abort(new MeshError('unavailable', `no answer in ${times.hold + times.silent} ms`)),
    );
    let answer: ReplicaAnswer;
    try {
      const { cursor: since } = peer;
      const within = AbortSignal.any([signal, late.signal]);
      answer = await readReplicaAnswer(
        await peer.link.pull({ from: self.id, since, holdMs: since ? times.hold : 0 }, within),
      );
    } catch (reason) {
      throw late.signal.aborted ? late.signal.reason : reason;
    } finally {
      timer.cancel();
    }
    if (answer.epoch === self.epoch) {
      peer.isSelf = true;
      peer.id = answer.id;
    } else if (answer.id === self.id)
      throw new MeshError('conflict', 'it has a copy of this registrations file: remove the copy there');
    else if (answer.idc !== idc)
      throw new MeshError('conflict', `it is a control plane of ${answer.idc}: name those of ${idc} alone`);
    else await applyAnswer(peer, answer);
    noteAnswer(peer);
  }

  async function applyAnswer(peer: Peer, answer: ReplicaAnswer): Promise<void> {
    if (answer.isAll) peer.items.clear();
    for (const item of answer.items) peer.items.set(keyText(item), item);
    for (const key of answer.absent) peer.items.delete(keyText(key));
    peer.id = answer.id;
    peer.isComplete = answer.isComplete;
    await options.merge(answer);
    peer.cursor = answer.cursor;
    if (answer.proxies === undefined) return;
    peer.proxies = answer.proxies;
    options.peerHasProxies(answer.proxies);
  }

  function noteAnswer(peer: Peer): void {
    if (peer.heardAt === undefined || peer.why !== undefined)
      logger.info('in sync with another control plane', { peer: peer.link.name, self: peer.isSelf });
    peer.heardAt = clock.now();
    peer.why = undefined;
    notify();
  }

  function noteFailure(peer: Peer, why: string): void {
    const isNews = peer.why === undefined || (peer.heardAt === undefined && peer.why !== why);
    const was = peer.why;
    peer.why = why;
    // Registrations dropped here meanwhile may still exist there unchanged: pull everything.
    peer.cursor = undefined;
    if (!isNews) return;
    logger.warn('another control plane does not answer', { peer: peer.link.name, why });
    if (was === undefined) options.peerLost(peer.proxies);
    notify();
  }

  function isCaughtUp(self: OwnIdentity, waited: boolean): boolean {
    const all = otherPeers();
    const heard = all.filter(({ heardAt }) => heardAt !== undefined);
    if (self.isComplete) return waited || heard.length === all.length;
    if (all.length === 0) return true;
    const knows = heard.some(({ isComplete }) => isComplete);
    return (waited && heard.length > 0) || (knows && heard.length === all.length);
  }

  function holdsLease(peer: Peer, key: string, generation: number, runsUntil: number | undefined): boolean {
    const item = peer.items.get(key);
    if (item === undefined || item.generation !== generation || item.lease === 'none') return false;
    if (isReachable(peer)) return true;
    const { heardAt = Number.NEGATIVE_INFINITY } = peer;
    return clock.now() - heardAt < times.keepAlone && (runsUntil ?? Number.NEGATIVE_INFINITY) < heardAt;
  }

  return {
    follow(self, signal) {
      const since = clock.now();
      following = { self, since };
      for (const peer of peers) void followPeer(peer, self, signal);
      return new Promise((resolve) => {
        const look = () => {
          if (!isCaughtUp(self, clock.now() - since >= times.startWait)) return;
          watchers.delete(look);
          following = undefined;
          resolve();
        };
        watchers.add(look);
        clock.after(times.startWait, look);
        look();
      });
    },
    waiting() {
      if (following === undefined) return undefined;
      const { self, since } = following;
      const isHeard = ({ heardAt }: Peer) => heardAt !== undefined;
      return {
        isComplete: self.isComplete,
        heard: otherPeers()
          .filter(isHeard)
          .map(({ link }) => link.name),
        silent: otherPeers()
          .filter((peer) => !isHeard(peer))
          .map(({ link, why = '' }) => ({ name: link.name, why })),
        leftMs: Math.max(0, since + times.startWait - clock.now()),
      };
    },
    leaseHolder: (key, generation, runsUntil) =>
      otherPeers().find((peer) => holdsLease(peer, key, generation, runsUntil))?.link.name,
    leaseRuns: (key, generation, exceptId) =>
      otherPeers().some((peer) => {
        const item = peer.items.get(key);
        return (
          isReachable(peer) &&
          peer.id !== exceptId &&
          item?.generation === generation &&
          item.lease === 'running'
        );
      }),
    noteRequest: (id, address) => void askers.set(id, { address, askedAt: clock.now() }),
    confirmed(id, revision) {
      confirmedBy.set(id, revision);
      notify();
    },
    waitUntilRemoved({ key, generation, revision }, timeoutMs, signal) {
      const isUnconfirmed = (peer: Peer) => {
        const item = peer.items.get(keyText(key));
        const has = item !== undefined && item.generation <= generation && !isRemoved(item);
        // A peer that does not ask gets nothing: it does not name this one.
        return has || (confirmedBy.get(peer.id ?? '') ?? revision) < revision;
      };
      return new Promise((resolve) => {
        const state = () => ({
          unconfirmed: otherPeers().filter((peer) => isReachable(peer) && isUnconfirmed(peer)),
          unreachable: otherPeers().filter((peer) => !isReachable(peer)),
        });
        const end = () => {
          timer.cancel();
          watchers.delete(look);
          signal.removeEventListener('abort', end);
          const names = (list: readonly Peer[]) => list.map(({ link }) => link.name);
          const { unconfirmed, unreachable } = state();
          resolve({ unconfirmed: names(unconfirmed), unreachable: names(unreachable) });
        };
        const look = () => {
          if (state().unconfirmed.length === 0) end();
        };
        const timer = clock.after(timeoutMs, end);
        watchers.add(look);
        signal.addEventListener('abort', end);
        if (signal.aborted) end();
        else look();
      });
    },
    statuses: () => [
      ...peers.map(
        ({ link, isSelf, heardAt, why }): PeerStatus => ({
          name: link.name,
          state: isSelf ? 'self' : why === undefined ? 'in step' : 'away',
          ...(heardAt === undefined ? {} : { heardAgoMs: clock.now() - heardAt }),
          ...(why === undefined ? {} : { why }),
          keptThereAlone: options.keptAlone(link.name),
        }),
      ),
      ...strangers(),
    ],
  };

  /** Control planes that asked recently and are not peers; a peer never heard may be one of them. */
  function strangers(): readonly PeerStatus[] {
    if (otherPeers().some(({ id }) => id === undefined)) return [];
    const known = new Set(peers.map(({ id }) => id));
    return [...askers].flatMap(([id, { address, askedAt }]): readonly PeerStatus[] =>
      known.has(id) || clock.now() - askedAt > 5 * times.hold
        ? []
        : [{ name: address, state: 'stranger', keptThereAlone: 0 }],
    );
  }
}

function isRemoved(item: ReplicaItem): boolean {
  return item.state === 'gone' || (item.state === 'draining' && item.isFree);
}
