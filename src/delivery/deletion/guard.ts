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
   * A proxy has received endpoints for the first time, or has gone for good: whether an `expect` should name
   * it.
   */
  readonly onProxy?: (node: string, isKnown: boolean) => void;
}

/** The confirmed state of a stream. `S` identifies the state that a deletion waits for. */
interface Showing<S> {
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
  /** The stream has confirmed more than before. */
  confirmed(stream: GuardedStream, shows: Showing<S>): void;
  /** Holds a deletion until the streams given, and every disconnected proxy, have confirmed `state`. */
  hold(keys: readonly string[], state: S, owing: readonly GuardedStream[]): Deletion;
  /** Waits the same way without a deletion; `absent`: also for disconnected proxies. */
  wait(state: S, owing: readonly GuardedStream[], absent: boolean): Deletion;
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
  readonly away: number;
  close(): void;
}

/** The public view of a deletion. */
export interface Deletion {
  /** Node ids of the proxies that it still waits for. */
  waitingFor(): readonly string[];
  /** Calls back once when it is over, immediately if it is. Returns a function that cancels. */
  whenReleased(fn: (release: Release) => void): () => void;
}

interface Held<S> extends Deletion {
  readonly keys: readonly string[];
  readonly state: S;
  readonly since: number;
  readonly owing: Set<Debtor<S>>;
  readonly forgiven: Set<string>;
  readonly watchers: Set<(release: Release) => void>;
  cause: ReleaseCause;
  timer: Timer | undefined;
  release: Release | undefined;
}

/** A stream, or a disconnected proxy. */
interface Debtor<S> {
  readonly node: string;
  readonly debts: Set<Held<S>>;
  /** Whether it may have endpoints. */
  holds: boolean;
  /** Reconnected: until this time (clock ms) only a full sync settles its debts. */
  backUntil: number;
}

/**
 * Creates the guard. An object is gone when every stream that had it has confirmed a state without it. A
 * proxy that disconnects goes on routing by what it had, so it owes until it is back in sync, or for
 * `reconnectMsMax`; one that is connected and never confirms owes for `ackMsMax`. Both limits are counted and
 * logged by name.
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
  readonly #streams = new Map<number, Debtor<S>>();
  readonly #byNode = new Map<string, Set<Debtor<S>>>();
  readonly #away = new Map<string, Debtor<S> & { timer: Timer | undefined }>();
  readonly #held = new Set<Held<S>>();
  readonly #byKey = new Map<string, Held<S>>();
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
    const absent = this.#away.get(node);
    const others = this.#byNode.get(node) ?? new Set();
    // An Envoy has one stream: a second one means that the first is dead, even if it has not closed yet.
    const isBack = absent !== undefined || others.size > 0;
    const backUntil = isBack
      ? this.#answering
        ? this.#clock.now() + this.#limits.reconnectMsMax
        : Number.POSITIVE_INFINITY
      : 0;
    const debtor: Debtor<S> = { node, debts: new Set(), holds: isBack, backUntil };
    for (const other of others) this.#owe(debtor, other.debts);
    if (absent !== undefined) {
      this.#owe(debtor, absent.debts);
      this.#strike(absent);
      absent.timer?.cancel();
      this.#away.delete(node);
    }
    this.#streams.set(id, debtor);
    this.#byNode.set(node, others.add(debtor));
  }

  closed({ id, node }: GuardedStream): void {
    const debtor = this.#streams.get(id);
    if (debtor === undefined) return;
    this.#streams.delete(id);
    const others = this.#byNode.get(node);
    others?.delete(debtor);
    if (others?.size === 0) {
      this.#byNode.delete(node);
      if (debtor.holds || debtor.debts.size > 0) this.#leave(node, debtor.debts);
    }
    const debts = [...debtor.debts];
    this.#strike(debtor);
    for (const deletion of debts) this.#finish(deletion);
  }

  confirmed({ id }: GuardedStream, shows: Showing<S>): void {
    const debtor = this.#streams.get(id);
    if (debtor === undefined) return;
    if (!debtor.holds && shows.holdsEndpoints()) {
      debtor.holds = true;
      this.#onProxy(debtor.node, true);
    }
    const isBack = debtor.backUntil > this.#clock.now();
    if (isBack && !shows.isInSync()) return;
    debtor.backUntil = 0;
    for (const deletion of [...debtor.debts]) if (shows.has(deletion.state)) this.#settle(debtor, deletion);
  }

  hold(keys: readonly string[], state: S, owing: readonly GuardedStream[]): Deletion {
    return this.#hold(keys, state, owing, true);
  }

  wait(state: S, owing: readonly GuardedStream[], absent: boolean): Deletion {
    return this.#hold([], state, owing, absent);
  }

  find(key: string): Held<S> | undefined {
    return this.#byKey.get(key);
  }

  answering(): void {
    if (this.#answering) return;
    this.#answering = true;
    const backUntil = this.#clock.now() + this.#limits.reconnectMsMax;
    for (const debtor of this.#streams.values()) debtor.backUntil = Math.min(debtor.backUntil, backUntil);
    for (const deletion of this.#held)
      deletion.timer = this.#limit(this.#limits.ackMsMax, () => this.#overdue(deletion));
    for (const absent of this.#away.values())
      absent.timer = this.#limit(this.#limits.reconnectMsMax, () => this.#giveUp(absent.node));
  }

  expect(nodes: readonly string[]): void {
    for (const node of nodes) if (!this.#byNode.has(node) && !this.#away.has(node)) this.#leave(node, []);
  }

  handOver(nodes: readonly string[]): void {
    for (const node of nodes) {
      const absent = this.#away.get(node);
      if (absent === undefined) continue;
      this.#away.delete(node);
      absent.timer?.cancel();
      this.#onProxy(node, false);
      for (const deletion of [...absent.debts]) this.#settle(absent, deletion);
    }
  }

  get pending() {
    return this.#held.size;
  }

  get away() {
    return this.#away.size;
  }

  close(): void {
    for (const { timer } of this.#held) timer?.cancel();
    for (const { timer } of this.#away.values()) timer?.cancel();
  }

  /** Limits run only while proxies are answered. */
  #limit(afterMs: number, fn: () => void): Timer | undefined {
    return this.#answering ? this.#clock.after(afterMs, fn) : undefined;
  }

  #settle(debtor: Debtor<S>, deletion: Held<S>): void {
    debtor.debts.delete(deletion);
    deletion.owing.delete(debtor);
    this.#finish(deletion);
  }

  #forgive(debtor: Debtor<S>, deletion: Held<S>, cause: 'disconnected' | 'limit'): void {
    deletion.forgiven.add(debtor.node);
    if (deletion.cause !== 'limit') deletion.cause = cause;
    this.#settle(debtor, deletion);
  }

  #finish(deletion: Held<S>): void {
    if (deletion.owing.size > 0 || deletion.release !== undefined) return;
    deletion.timer?.cancel();
    this.#held.delete(deletion);
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

  #overdue(deletion: Held<S>): void {
    const nodes = waitingFor(deletion);
    this.#logger.warn(
      'deletion released at its limit: these proxies have not confirmed it, and may still send requests there',
      {
        objects: deletion.keys.slice(0, 20),
        nodes: nodes.slice(0, 20),
        afterMs: this.#limits.ackMsMax,
      },
    );
    for (const debtor of [...deletion.owing]) this.#forgive(debtor, deletion, 'limit');
  }

  #owe(debtor: Debtor<S>, debts: Iterable<Held<S>>): void {
    for (const deletion of debts) {
      debtor.debts.add(deletion);
      deletion.owing.add(debtor);
    }
  }

  /** Removes a debtor whose debts another has taken over. */
  #strike(debtor: Debtor<S>): void {
    for (const deletion of debtor.debts) deletion.owing.delete(debtor);
    debtor.debts.clear();
  }

  #leave(node: string, debts: Iterable<Held<S>>): void {
    const timer = this.#limit(this.#limits.reconnectMsMax, () => this.#giveUp(node));
    const absent = { node, debts: new Set<Held<S>>(), holds: true, backUntil: 0, timer };
    this.#owe(absent, debts);
    this.#away.get(node)?.timer?.cancel();
    this.#away.set(node, absent);
  }

  /** A proxy has not reconnected in time. */
  #giveUp(node: string): void {
    const absent = this.#away.get(node);
    if (absent === undefined) return;
    this.#away.delete(node);
    this.#onProxy(node, false);
    if (absent.debts.size > 0)
      this.#logger.warn('proxy did not reconnect in time; deletions no longer wait for it', {
        node,
        deletions: absent.debts.size,
        afterMs: this.#limits.reconnectMsMax,
      });
    for (const deletion of [...absent.debts]) this.#forgive(absent, deletion, 'disconnected');
  }

  #hold(keys: readonly string[], state: S, owing: readonly GuardedStream[], absent: boolean): Deletion {
    const deletion: Held<S> = {
      keys,
      state,
      since: this.#clock.now(),
      owing: new Set(),
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
    const returning = absent ? [...this.#streams.values()].filter((debtor) => debtor.backUntil > now) : [];
    const connected = owing.map(({ id }) => this.#streams.get(id)).filter((debtor) => debtor !== undefined);
    for (const debtor of [...connected, ...returning, ...(absent ? this.#away.values() : [])])
      this.#owe(debtor, [deletion]);
    for (const key of keys) this.#byKey.set(key, deletion);
    this.#held.add(deletion);
    if (deletion.owing.size === 0) this.#finish(deletion);
    else deletion.timer = this.#limit(this.#limits.ackMsMax, () => this.#overdue(deletion));
    return deletion;
  }
}

function waitingFor<S>(deletion: Held<S>): string[] {
  return [...new Set([...deletion.owing].map(({ node }) => node))].sort();
}
