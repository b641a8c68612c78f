import type { Clock, Timer } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { TurnedAway } from './admission/admission-limits.ts';
import { Budget, type BudgetLimits } from './admission/budget.ts';
import { ClassesOfPeers } from './admission/peer-classes.ts';
import type { Cause } from './cause.ts';
import { encodeChange, type ResourceChange } from './change.ts';
import {
  type Concern,
  type Hooks,
  newStats,
  type RefusedStream,
  type ResourceDifference,
  type StreamStatus,
} from './events.ts';
import { createFlushQueue } from './flush-queue.ts';
import { HookCalls } from './hook-calls.ts';
import { type Admits, admittedTo, type Moved } from './move/admitted.ts';
import { MoveOrder, type MoveSeams } from './move/move-order.ts';
import { MoveQueue } from './move/move-queue.ts';
import { ruleOf } from './resource-types.ts';
import { firstSequence } from './respond/respond.ts';
import { SparseLog } from './sparse-log.ts';
import { NameSets } from './state/name-sets.ts';
import { type NodeClass, NodeClasses } from './state/node-classes.ts';
import { type Group, isSubscribedTo, type Snapshot, streamsOf } from './state/snapshot.ts';
import { Unsettled } from './state/unsettled.ts';
import { differencesOf } from './stream/differences.ts';
import type { Member, Session } from './stream/session.ts';
import type { SendAhead, SessionHost } from './stream/session-host.ts';
import { streamStatusOf } from './stream/status-of-type.ts';

/** The result of `apply`. */
export interface Applied {
  /** The state that has the changes in it; see `unconfirmed`. */
  readonly revision: number;
  /** Resources with new content, or removed; 0: nothing will be pushed. */
  readonly changed: number;
  /** Their names, by type URL. */
  readonly resources: ReadonlyMap<string, ReadonlySet<string>>;
  /** Streams that will be sent something because of it. */
  readonly streams: number;
  /** The same by type (CDS, EDS, …). */
  readonly subscriptions: Readonly<Record<string, number>>;
}

/** What the hub is made of; see `XdsServerOptions` for the defaults. */
interface HubOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly hooks: Hooks;
  readonly ready: boolean;
  readonly holdoffMsMax: number;
  readonly answerWaitMsMax: number;
  /** See `XdsServerOptions`. */
  readonly sendAhead?: SendAhead;
  /** Limits on what is remembered for clients; default `budgetLimits`. */
  readonly budget?: Partial<BudgetLimits>;
  readonly admits?: Admits;
}

// Milliseconds of writing between reads: 30 delivered the last of 10,000 streams 10 % sooner than 10.
const sliceMs = 30;
// How often streams are checked for overdue answers.
const sweepMs = 1000;

/** Connects node classes and their resources with sessions: a change marks the sessions that see it. */
export class Hub implements SessionHost<Session, Member> {
  readonly sets = new NameSets();
  readonly budget: Budget;
  readonly unsettled: Unsettled;
  readonly stats = newStats();
  readonly log: Logger;
  readonly random: Random;
  readonly answerWaitMsMax: number;
  readonly sendAhead: SendAhead | undefined;
  readonly #options: HubOptions;
  readonly #calls: HookCalls;
  readonly #moves: MoveQueue;
  readonly #peers = new ClassesOfPeers();
  readonly #classes = new NodeClasses();
  readonly #push;
  #ready: boolean;
  #lastRevision: number;
  #lastSequence: number;
  #lastDifference = 0;
  #sweeper: Timer | undefined;

  /** `revision` is a seam: the changes that it has counted, as if it had run for years. */
  constructor(options: HubOptions, revision = 1) {
    this.#lastRevision = revision;
    const { clock, log, holdoffMsMax, answerWaitMsMax, ready } = options;
    this.#options = options;
    this.budget = new Budget(options.budget);
    this.unsettled = new Unsettled(clock);
    this.log = log;
    this.#calls = new HookCalls(options.hooks, this.stats, log, new SparseLog(clock, log));
    this.#moves = new MoveQueue(clock, (session) => this.#advance(session));
    this.random = options.random;
    this.#lastSequence = firstSequence(this.random);
    this.answerWaitMsMax = answerWaitMsMax;
    this.sendAhead = options.sendAhead;
    this.#ready = ready;
    this.#push = createFlushQueue<Session>((one) => this.#advance(one), { clock, holdoffMsMax, sliceMs });
  }

  /** Applies changes to a class, all or none. Throws MeshError 'invalid' if a resource cannot be encoded. */
  apply(nodeClass: string, changes: readonly ResourceChange[], cause: Cause): Applied {
    const encoded = changes.map(encodeChange);
    const entry = this.#classes.of(nodeClass);
    const revision = this.#lastRevision + 1;
    const touched = new Map<Group<Member>, string>();
    let changed = 0;
    const resources = new Map<string, Set<string>>();
    for (const { typeUrl, name, resource } of encoded) {
      const snapshot = this.snapshot(nodeClass, typeUrl);
      if (!snapshot.put(name, resource, revision, cause, (group) => touched.set(group, typeUrl))) continue;
      changed += 1;
      const names = resources.get(typeUrl);
      if (names === undefined) resources.set(typeUrl, new Set([name]));
      else names.add(name);
    }
    if (changed > 0) this.#lastRevision = revision;
    this.stats.resourcesApplied += changes.length;
    this.stats.resourcesChanged += changed;
    const subscriptions: Record<string, number> = {};
    for (const [group, typeUrl] of touched) {
      const { short } = ruleOf(typeUrl);
      subscriptions[short] = (subscriptions[short] ?? 0) + group.members.size;
      for (const member of group.members) {
        member.session.touch(member);
        if (entry.open) this.#push.mark(member.session);
      }
    }
    if (!entry.open) this.#open(entry, revision);
    const streams = streamsOf([...touched.keys()]);
    this.stats.streamsTouched += streams;
    this.#classes.forgetRemoved(entry);
    return { revision: this.#lastRevision, changed, resources, streams, subscriptions };
  }

  #open(entry: NodeClass, revision: number): void {
    entry.open = true;
    for (const snapshot of entry.snapshots.values()) if (snapshot.size > 0) snapshot.open(revision);
    for (const session of entry.sessions) this.#push.mark(session);
  }

  snapshot(nodeClass: string, typeUrl: string): Snapshot<Member> {
    return this.#classes.snapshot(nodeClass, typeUrl);
  }

  /** Names of the existing resources of a class and type. */
  names(nodeClass: string, typeUrl: string): string[] {
    return this.#classes.resourceNames(nodeClass, typeUrl);
  }

  hasClass(nodeClass: string): boolean {
    return this.#classes.isOpen(nodeClass);
  }

  classNames(): string[] {
    return this.#classes.openNames();
  }

  /** Forgets a class without streams. Throws MeshError 'conflict' if it has one. */
  dropClass(nodeClass: string): void {
    this.#classes.drop(nodeClass);
  }

  isOpen(nodeClass: string): boolean {
    const entry = this.#classes.get(nodeClass);
    return this.#ready && entry?.open === true && !entry.held;
  }

  /** Holds answers to a class back until the returned function is called. */
  hold(nodeClass: string): () => void {
    const entry = this.#classes.of(nodeClass);
    entry.held = true;
    return () => {
      entry.held = false;
      for (const session of entry.sessions) this.#push.mark(session);
    };
  }

  release(): void {
    if (this.#ready) return;
    this.#ready = true;
    for (const session of this.sessions()) this.#push.mark(session);
  }

  /** All streams whose node is known. */
  sessions(): Iterable<Session> {
    return this.#classes.sessions();
  }

  /** The streams of clients that acknowledge what they are sent: all but those of a `Fetch…`. */
  clients(): Iterable<Session> {
    return this.#classes.clients();
  }

  /**
   * A stream's node is known; it took `nodeBytes` bytes. Throws MeshError 'exhausted' if its connection's
   * streams already have too much remembered.
   */
  join(session: Session, nodeBytes = 0): void {
    this.#peers.join(session.info);
    const entry = this.#classes.of(session.info.nodeClass);
    entry.sessions.add(session);
    this.stats.streams += 1;
    this.stats.streamsOpened += 1;
    this.#sweep();
    if (!session.info.once) this.#calls.call('onStreamOpen', session.info);
    session.begin(nodeBytes);
    if (!entry.open) this.#calls.call('onUnknownClass', session.info);
  }

  /** A stream has ended. */
  leave(session: Session): void {
    const entry = this.#classes.get(session.info.nodeClass);
    if (entry?.sessions.delete(session) !== true) return;
    this.#peers.leave(session.info);
    this.#push.drop(session);
    this.#moves.drop(session);
    session.close();
    this.stats.streams -= 1;
    if (!session.info.once) this.#calls.call('onStreamClose', session.info);
    this.#left(session.info.nodeClass);
  }

  /** A stream has left a class. */
  #left(nodeClass: string): void {
    const entry = this.#classes.get(nodeClass);
    if (entry === undefined || entry.sessions.size > 0) return;
    if (entry.open) this.#calls.call('onUnusedClass', nodeClass);
    else this.#classes.drop(nodeClass);
  }

  /**
   * Moves streams, by id, to a class that exists. They are of it at once, and are sent what differs a few at
   * a time. Throws MeshError 'not-found' if the class has no resources.
   */
  move(streams: Iterable<number>, nodeClass: string, cause: Cause, seams: MoveSeams = {}): Moved {
    const entry = this.#classes.get(nodeClass);
    if (entry?.open !== true)
      throw new MeshError('not-found', `class '${nodeClass}' does not exist: create it by apply`);
    const ids = new Set(streams);
    const named = [...this.clients()].filter(({ info }) => ids.has(info.id) && info.nodeClass !== nodeClass);
    const { moving, more } = admittedTo(named, nodeClass, this.#options.admits);
    if (moving.length === 0) return { revision: this.#lastRevision, streams: 0, ...more };
    this.#lastRevision += 1;
    const order = new MoveOrder(nodeClass, { revision: this.#lastRevision, cause }, this, seams);
    const left = new Set<string>();
    for (const session of moving) {
      const { info } = session;
      left.add(info.nodeClass);
      this.#peers.move(info, nodeClass);
      this.#classes.get(info.nodeClass)?.sessions.delete(session);
      entry.sessions.add(session);
      session.info = { ...info, nodeClass };
      if (session.order === undefined) session.orderedAt = order.event.revision;
      session.order = order;
      this.#moves.add(session);
    }
    this.stats.streamsMoved += moving.length;
    // Before they are compared, so that what is applied now is part of the difference.
    for (const session of moving)
      for (const member of session.subscriptions) this.subscribed(session, member);
    for (const name of left) this.#left(name);
    return { revision: this.#lastRevision, streams: moving.length, ...more };
  }

  mayMove(session: Session): void {
    this.#moves.add(session);
  }

  nextDifference(): number {
    this.#lastDifference += 1;
    return this.#lastDifference;
  }

  /** Lets the other types of a stream go on if an answer is overdue. */
  #sweep(): void {
    this.#sweeper ??= this.#options.clock.after(sweepMs, () => {
      this.#sweeper = undefined;
      for (const session of this.sessions()) this.#advance(session);
      if (this.stats.streams > 0) this.#sweep();
    });
  }

  due(session: Session): void {
    if (this.#classes.get(session.info.nodeClass)?.sessions.has(session)) this.#push.mark(session);
  }

  #advance(session: Session): void {
    try {
      const { stream } = session;
      if (stream.together === undefined) session.advance();
      else stream.together(() => session.advance());
    } catch (error) {
      // An error on one stream must not end the pushes to the others.
      this.log.error('push failed', { node: session.info.node.id, error: MeshError.from(error).message });
    }
  }

  acked: SessionHost<Session, Member>['acked'] = (ack) => {
    this.stats.acks += 1;
    this.#calls.call('onAck', ack);
  };

  nacked: SessionHost<Session, Member>['nacked'] = (nack) => this.#calls.nacked(nack);

  confirmed(session: Session): void {
    this.#calls.confirmed(session);
  }

  subscribed({ info }: Session, { sub, group }: Member): void {
    const names = (name: string) => isSubscribedTo(group, name);
    if (!info.once) this.#calls.call('onSubscribed', { stream: info, typeUrl: sub.rule.url, names });
  }

  streamRefused(refused: RefusedStream): void {
    this.#calls.streamRefused(refused);
  }

  turnedAway(one: TurnedAway): void {
    this.#calls.turnedAway(one);
  }

  now(): number {
    return this.#options.clock.now();
  }

  /** Converts a time of `now` to milliseconds since the Unix epoch. */
  wallOf(at: number): number {
    const { clock } = this.#options;
    return clock.wall() - clock.now() + at;
  }

  revision(): number {
    return this.#lastRevision;
  }

  nextSequence(): number {
    this.stats.responsesBuilt += 1;
    this.#lastSequence += 1;
    return this.#lastSequence;
  }

  /** The streams that have not ACKed a whole concern. */
  unconfirmed(what: number | Concern): StreamStatus[] {
    const concern = typeof what === 'number' ? { revision: what } : what;
    return [...this.clients()].filter((one) => !one.hasConfirmed(concern)).map(streamStatusOf);
  }

  /** Whether every stream has ACKed a whole concern. */
  isConfirmed(what: number | Concern): boolean {
    const concern = typeof what === 'number' ? { revision: what } : what;
    for (const session of this.clients()) if (!session.hasConfirmed(concern)) return false;
    return true;
  }

  /** What one stream lacks, by the stream's id. */
  differences(stream: number): ResourceDifference[] {
    for (const { info, subscriptions } of this.clients())
      if (info.id === stream)
        return subscriptions.flatMap(({ sub, snapshot, group }) => differencesOf(sub, snapshot, group));
    return [];
  }

  status(): StreamStatus[] {
    return [...this.clients()].map(streamStatusOf);
  }

  /** For `XdsServer.kept`. */
  kept(): Record<string, number> {
    return {
      ...{ nameSets: this.sets.size, unsettled: this.unsettled.size },
      ...{ recentNameBytes: this.sets.recentBytes, readNames: this.sets.kept },
      ...this.#classes.levels(),
      ...this.budget.levels(),
    };
  }

  close(): void {
    this.#push.close();
    this.#moves.close();
    this.#sweeper?.cancel();
  }
}
