import type { Clock, Timer } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';

/** A proxy's stream, as the guard sees it. */
interface GuardedStream {
  readonly id: number;
  /** Node id, the same when the proxy reconnects. */
  readonly node: string;
}

/** How a deletion ended: all ACKs, or a limit for some proxy. */
type ReleaseCause = 'acked' | 'disconnected' | 'limit';

/** A finished deletion. */
export interface Release {
  readonly keys: readonly string[];
  readonly cause: ReleaseCause;
  /** Proxies that were no longer waited for. */
  readonly forgiven: readonly string[];
  readonly heldMs: number;
}

/** Limits, in milliseconds. */
export interface GuardLimits {
  /** How long a connected proxy may take to ACK. */
  readonly ackMsMax: number;
  /** How long a disconnected proxy may take to reconnect and be in sync. */
  readonly reconnectMsMax: number;
}

/** Stated in docs/registration.md. Our bootstrap makes an Envoy reconnect within 2 s. */
export const guardLimits: GuardLimits = { ackMsMax: 30_000, reconnectMsMax: 15_000 };

/** The guard's parts. `S` identifies the state that a deletion waits for: the one without the objects. */
interface GuardOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits?: Partial<GuardLimits>;
  /** False: proxies get no answers before `answering()`, and no limit runs until then. Default true. */
  readonly answering?: boolean;
  /** All proxies are without these objects, or were given up. Not called for a key that is held again. */
  readonly onRelease: (release: Release) => void;
  /**
   * A proxy has endpoints and is connected here, told again when it reconnects; or it has gone for good, or
   * to another control plane: whether an `expect` should name it.
   */
  readonly onProxy?: (node: string, isKnown: boolean) => void;
}

/** The confirmed state of a stream. `S` identifies the state that a deletion waits for. */
interface ConfirmedState<S> {
  /** Whether it has confirmed a state. */
  has(state: S): boolean;
  /** Whether it has endpoints at all. */
  holdsEndpoints(): boolean;
  /** Whether it has endpoints, and has answered everything due about them. */
  isInSync(): boolean;
}

/** Deletions that wait for proxies. */
interface DeletionGuard<S> {
  opened(stream: GuardedStream): void;
  closed(stream: GuardedStream): void;
  /** Whether nothing that the stream confirms now could matter: most ACKs need no further look. */
  isSettled(stream: Pick<GuardedStream, 'id'>): boolean;
  /** The stream has confirmed more than before. */
  confirmed(stream: GuardedStream, confirmed: ConfirmedState<S>): void;
  /** Holds a deletion until the streams given, and every disconnected proxy, have confirmed `state`. */
  hold(keys: readonly string[], state: S, unconfirmed: readonly GuardedStream[]): Deletion;
  /** Waits the same way without a deletion; `absent`: also for disconnected proxies. */
  wait(state: S, unconfirmed: readonly GuardedStream[], absent: boolean): Deletion;
  /** The deletion that currently holds a key. */
  find(key: string): Deletion | undefined;
  /** Proxies are answered from now on. */
  answering(): void;
  /** Proxies that were connected and are expected back, by node id. */
  expect(nodes: readonly string[]): void;
  /**
   * Proxies connected to another control plane that waits for them: if disconnected here, they are not waited
   * for.
   */
  handOver(nodes: readonly string[]): void;
  /** Number of pending deletions. */
  readonly pending: number;
  /** Number of disconnected proxies expected back. */
  readonly disconnected: number;
  close(): void;
}

/** The public view of a deletion. */
export interface Deletion {
  /** Node ids of the proxies that it still waits for. */
  waitingFor(): readonly string[];
  /** Calls back once when it is over, immediately if it is. Returns a function that cancels. */
  whenReleased(fn: (release: Release) => void): () => void;
}

interface PendingDeletion<S> extends Deletion {
  readonly keys: readonly string[];
  readonly state: S;
  readonly since: number;
  readonly unconfirmedBy: Set<PendingProxy<S>>;
  readonly forgiven: Set<string>;
  readonly watchers: Set<(release: Release) => void>;
  cause: ReleaseCause;
  timer: Timer | undefined;
  release: Release | undefined;
}

/** A stream, or a disconnected proxy. */
interface PendingProxy<S> {
  readonly node: string;
  readonly deletions: Set<PendingDeletion<S>>;
  /** Whether it may have endpoints. */
  hasEndpoints: boolean;
  /** Reconnected: until this time (clock ms) only a full sync confirms its deletions. */
  reconnectUntil: number;
}

/**
 * Creates the guard. An object is gone when every stream that had it has confirmed a state without it. A
 * proxy that disconnects goes on routing by what it had, so it is waited for until it is back in sync, or for
 * `reconnectMsMax`; one that is connected and never confirms is waited for during `ackMsMax`. Both limits
 * are counted and logged by name.
 */
export function createDeletionGuard<S>(options: GuardOptions): DeletionGuard<S> {
  return new GuardedDeletions(options);
}

class GuardedDeletions<S> implements DeletionGuard<S> {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #onRelease: (release: Release) => void;
  readonly #onProxy: (node: string, isKnown: boolean) => void;
  readonly #limits: { ackMsMax: number; reconnectMsMax: number };
  readonly #streams = new Map<number, PendingProxy<S>>();
  readonly #byNode = new Map<string, Set<PendingProxy<S>>>();
  readonly #disconnected = new Map<string, PendingProxy<S> & { timer: Timer | undefined }>();
  readonly #pending = new Set<PendingDeletion<S>>();
  readonly #byKey = new Map<string, PendingDeletion<S>>();
  #answering: boolean;

  constructor(options: GuardOptions) {
    const { clock, logger, onRelease, onProxy = () => {} } = options;
    this.#clock = clock;
    this.#logger = logger;
    this.#onRelease = onRelease;
    this.#onProxy = onProxy;
    this.#limits = { ...guardLimits, ...options.limits };
    this.#answering = options.answering ?? true;
  }

  opened({ id, node }: GuardedStream): void {
    const absent = this.#disconnected.get(node);
    const others = this.#byNode.get(node) ?? new Set();
    const proxy: PendingProxy<S> = { node, deletions: new Set(), hasEndpoints: false, reconnectUntil: 0 };
    // An Envoy has one stream: a second one means that the first is dead, even if it has not closed yet.
    if (absent !== undefined || others.size > 0) this.#noteBack(proxy);
    for (const other of others) this.#addDeletions(proxy, other.deletions);
    if (absent !== undefined) {
      this.#addDeletions(proxy, absent.deletions);
      this.#clearDeletions(absent);
      absent.timer?.cancel();
      this.#disconnected.delete(node);
    }
    this.#streams.set(id, proxy);
    this.#byNode.set(node, others.add(proxy));
  }

  closed({ id, node }: GuardedStream): void {
    const proxy = this.#streams.get(id);
    if (proxy === undefined) return;
    this.#streams.delete(id);
    const others = this.#byNode.get(node);
    others?.delete(proxy);
    if (others?.size === 0) {
      this.#byNode.delete(node);
      if (proxy.hasEndpoints || proxy.deletions.size > 0) this.#addDisconnected(node, proxy.deletions);
    }
    const deletions = [...proxy.deletions];
    this.#clearDeletions(proxy);
    for (const deletion of deletions) this.#finish(deletion);
  }

  isSettled({ id }: Pick<GuardedStream, 'id'>): boolean {
    const proxy = this.#streams.get(id);
    if (proxy === undefined) return true;
    return proxy.hasEndpoints && proxy.reconnectUntil === 0 && proxy.deletions.size === 0;
  }

  confirmed({ id }: GuardedStream, confirmed: ConfirmedState<S>): void {
    const proxy = this.#streams.get(id);
    if (proxy === undefined) return;
    if (!proxy.hasEndpoints && confirmed.holdsEndpoints()) {
      proxy.hasEndpoints = true;
      this.#onProxy(proxy.node, true);
    }
    const isBack = proxy.reconnectUntil > this.#clock.now();
    if (isBack && !confirmed.isInSync()) return;
    proxy.reconnectUntil = 0;
    for (const deletion of [...proxy.deletions])
      if (confirmed.has(deletion.state)) this.#remove(proxy, deletion);
  }

  hold(keys: readonly string[], state: S, unconfirmed: readonly GuardedStream[]): Deletion {
    return this.#hold(keys, state, unconfirmed, true);
  }

  wait(state: S, unconfirmed: readonly GuardedStream[], absent: boolean): Deletion {
    return this.#hold([], state, unconfirmed, absent);
  }

  find(key: string): PendingDeletion<S> | undefined {
    return this.#byKey.get(key);
  }

  answering(): void {
    if (this.#answering) return;
    this.#answering = true;
    const backUntil = this.#clock.now() + this.#limits.reconnectMsMax;
    for (const proxy of this.#streams.values())
      proxy.reconnectUntil = Math.min(proxy.reconnectUntil, backUntil);
    for (const deletion of this.#pending)
      deletion.timer = this.#limit(this.#limits.ackMsMax, () => this.#overdue(deletion));
    for (const absent of this.#disconnected.values())
      absent.timer = this.#limit(this.#limits.reconnectMsMax, () => this.#giveUp(absent.node));
  }

  expect(nodes: readonly string[]): void {
    for (const node of nodes) {
      const connected = this.#byNode.get(node);
      if (connected !== undefined) for (const proxy of connected) this.#noteBack(proxy);
      else if (!this.#disconnected.has(node)) this.#addDisconnected(node, []);
    }
  }

  handOver(nodes: readonly string[]): void {
    for (const node of nodes) {
      const absent = this.#disconnected.get(node);
      if (absent === undefined) continue;
      this.#disconnected.delete(node);
      absent.timer?.cancel();
      this.#onProxy(node, false);
      for (const deletion of [...absent.deletions]) this.#remove(absent, deletion);
    }
  }

  get pending() {
    return this.#pending.size;
  }

  get disconnected() {
    return this.#disconnected.size;
  }

  close(): void {
    for (const { timer } of this.#pending) timer?.cancel();
    for (const { timer } of this.#disconnected.values()) timer?.cancel();
  }

  /**
   * A connected proxy has endpoints from before: from an earlier stream, an earlier process, or another
   * control plane, which no longer waits for it. From now on this one does.
   */
  #noteBack(proxy: PendingProxy<S>): void {
    if (proxy.hasEndpoints) return;
    proxy.hasEndpoints = true;
    proxy.reconnectUntil = this.#answering
      ? this.#clock.now() + this.#limits.reconnectMsMax
      : Number.POSITIVE_INFINITY;
    this.#onProxy(proxy.node, true);
  }

  /** Limits run only while proxies are answered. */
  #limit(afterMs: number, fn: () => void): Timer | undefined {
    return this.#answering ? this.#clock.after(afterMs, fn) : undefined;
  }

  #remove(proxy: PendingProxy<S>, deletion: PendingDeletion<S>): void {
    proxy.deletions.delete(deletion);
    deletion.unconfirmedBy.delete(proxy);
    this.#finish(deletion);
  }

  #stopWaiting(proxy: PendingProxy<S>, deletion: PendingDeletion<S>, cause: 'disconnected' | 'limit'): void {
    deletion.forgiven.add(proxy.node);
    if (deletion.cause !== 'limit') deletion.cause = cause;
    this.#remove(proxy, deletion);
  }

  #finish(deletion: PendingDeletion<S>): void {
    if (deletion.unconfirmedBy.size > 0 || deletion.release !== undefined) return;
    deletion.timer?.cancel();
    this.#pending.delete(deletion);
    // Keys that a newer deletion holds are released by that.
    const keys = deletion.keys.filter((key) => this.#byKey.get(key) === deletion);
    for (const key of keys) this.#byKey.delete(key);
    const heldMs = this.#clock.now() - deletion.since;
    const { cause } = deletion;
    const release: Release = { keys, cause, forgiven: [...deletion.forgiven].sort(), heldMs };
    deletion.release = release;
    if (deletion.keys.length > 0) this.#onRelease(release);
    for (const fn of deletion.watchers) fn(release);
    deletion.watchers.clear();
  }

  #overdue(deletion: PendingDeletion<S>): void {
    const nodes = waitingFor(deletion);
    this.#logger.warn(
      'deletion released at its limit: these proxies have not confirmed it, and may still send requests there',
      {
        objects: deletion.keys.slice(0, 20),
        nodes: nodes.slice(0, 20),
        afterMs: this.#limits.ackMsMax,
      },
    );
    for (const proxy of [...deletion.unconfirmedBy]) this.#stopWaiting(proxy, deletion, 'limit');
  }

  #addDeletions(proxy: PendingProxy<S>, deletions: Iterable<PendingDeletion<S>>): void {
    for (const deletion of deletions) {
      proxy.deletions.add(deletion);
      deletion.unconfirmedBy.add(proxy);
    }
  }

  /** Removes a proxy whose deletions another one has taken over. */
  #clearDeletions(proxy: PendingProxy<S>): void {
    for (const deletion of proxy.deletions) deletion.unconfirmedBy.delete(proxy);
    proxy.deletions.clear();
  }

  #addDisconnected(node: string, deletions: Iterable<PendingDeletion<S>>): void {
    const timer = this.#limit(this.#limits.reconnectMsMax, () => this.#giveUp(node));
    const absent = {
      node,
      deletions: new Set<PendingDeletion<S>>(),
      hasEndpoints: true,
      reconnectUntil: 0,
      timer,
    };
    this.#addDeletions(absent, deletions);
    this.#disconnected.get(node)?.timer?.cancel();
    this.#disconnected.set(node, absent);
  }

  /** A proxy has not reconnected in time. */
  #giveUp(node: string): void {
    const absent = this.#disconnected.get(node);
    if (absent === undefined) return;
    this.#disconnected.delete(node);
    this.#onProxy(node, false);
    if (absent.deletions.size > 0)
      this.#logger.warn('proxy did not reconnect in time; deletions no longer wait for it', {
        node,
        deletions: absent.deletions.size,
        afterMs: this.#limits.reconnectMsMax,
      });
    for (const deletion of [...absent.deletions]) this.#stopWaiting(absent, deletion, 'disconnected');
  }

  #hold(keys: readonly string[], state: S, unconfirmed: readonly GuardedStream[], absent: boolean): Deletion {
    const deletion: PendingDeletion<S> = {
      keys,
      state,
      since: this.#clock.now(),
      unconfirmedBy: new Set(),
      forgiven: new Set(),
      watchers: new Set(),
      cause: 'acked',
      timer: undefined,
      release: undefined,
      waitingFor: () => waitingFor(deletion),
      whenReleased(fn) {
        if (deletion.release !== undefined) fn(deletion.release);
        else deletion.watchers.add(fn);
        return () => deletion.watchers.delete(fn);
      },
    };
    const now = this.#clock.now();
    const returning = absent ? [...this.#streams.values()].filter((proxy) => proxy.reconnectUntil > now) : [];
    const connected = unconfirmed
      .map(({ id }) => this.#streams.get(id))
      .filter((proxy) => proxy !== undefined);
    for (const proxy of [...connected, ...returning, ...(absent ? this.#disconnected.values() : [])])
      this.#addDeletions(proxy, [deletion]);
    for (const key of keys) this.#byKey.set(key, deletion);
    this.#pending.add(deletion);
    if (deletion.unconfirmedBy.size === 0) this.#finish(deletion);
    else deletion.timer = this.#limit(this.#limits.ackMsMax, () => this.#overdue(deletion));
    return deletion;
  }
}

function waitingFor<S>(deletion: PendingDeletion<S>): string[] {
  return [...new Set([...deletion.unconfirmedBy].map(({ node }) => node))].sort();
}
