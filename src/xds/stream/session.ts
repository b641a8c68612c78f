import type { Account } from '../admission/budget.ts';
import type { Concern, StreamInfo } from '../events.ts';
import { changeClass } from '../move/change-class.ts';
import type { MoveOrder } from '../move/move-order.ts';
import { positionOf, ruleOf } from '../resource-types.ts';
import { type Removals, releasedBy } from '../respond/due.ts';
import { LongAnswers } from '../respond/long-answer.ts';
import { cachedAnswer, type Response, respond } from '../respond/respond.ts';
import { finish, type Slices } from '../slices.ts';
import type { DeltaRequest, SotwRequest } from '../wire/discovery-messages.ts';
import { ackOf, noteResponse } from './ack.ts';
import { stateBytes } from './client-state-bytes.ts';
import { IgnoredRequests, leaveNames } from './ignored-requests.ts';
import { graceMs, InitialVersions } from './initial-versions.ts';
import { ReferencedNames } from './names/referenced-names.ts';
import { nextSend, stateOf } from './push-order.ts';
import { ReadGate } from './read-gate.ts';
import { forgetRefused, offerAgain, offerMany, refuse } from './refusal.ts';
import type { SessionHost, SessionStream } from './session-host.ts';
import { hasAcked } from './status-of-type.ts';
import type { Movable } from './subscribed.ts';
import {
  judgeRequest,
  meansWildcard,
  newSubscription,
  noteSent,
  repeatSotw,
  type Sent,
  type SotwContext,
  type Subscription,
  subscribeDelta,
  subscribeSotw,
} from './subscription.ts';

/** A stream's subscription to one type, as a snapshot finds it when the type changes. */
export interface Member extends Movable<Member> {
  readonly session: Session;
  readonly position: number;
}

/** A stream whose node is known: takes requests, and writes what is due, in push order. */
export class Session {
  /** Replaced when the stream is moved. */
  info: StreamInfo;
  /** The move to its class that is still to be made: its subscriptions are of an earlier class until then. */
  order: MoveOrder<Member> | undefined;
  // The revision of the first move that was not made: later ones have replaced it.
  orderedAt = 0;
  readonly openedAtMs: number;
  readonly #host: SessionHost<Session, Member>;
  readonly stream: SessionStream;
  #members: Member[] = [];
  #graceEndsAt = Number.NEGATIVE_INFINITY;
  // True while no type has anything to send or to wait for; only a request or a change can alter that.
  #isIdle = false;
  #changed: Member | undefined; // What was changed while `isIdle` was true.
  // A response was sent, or is about to be. Envoy resets its reconnect delay only when it has received one.
  #hasResponded = false;
  #hasNewConfirmation = false; // `onConfirmed` has not been called for it yet.
  readonly #gate: ReadGate;
  readonly #byType = new Map<string, Member>();
  readonly #referencedNames = new ReferencedNames();
  #isRefusing = false; // A NACK was read, and is not recorded yet.
  readonly #ignored = new IgnoredRequests();
  #nodeBytes = 0;
  #account: Account | undefined;
  readonly #initial = new InitialVersions<Member>();
  // A request or an answer is being processed in slices: nothing else is processed or written.
  isAtWork = false;
  readonly #long: LongAnswers<Member>;

  constructor(info: StreamInfo, host: SessionHost<Session, Member>, stream: SessionStream) {
    this.info = info;
    this.#host = host;
    this.#long = new LongAnswers(info.protocol, host);
    this.stream = stream;
    this.#gate = new ReadGate(stream, () => host.due(this));
    this.openedAtMs = host.now();
  }

  /** Its subscriptions see the resources of the class that `order` moves it to; `advance` is called next. */
  follow(order: MoveOrder<Member>): void {
    this.order = undefined;
    this.#isIdle = false;
    this.#long.drop();
    changeClass(this.#members, order, this.orderedAt, this.#host.revision());
    this.#hasNewConfirmation = true;
  }

  /** Whether a type has been requested: its URL needs no check then. */
  knows(typeUrl: string): boolean {
    return this.#byType.has(typeUrl);
  }

  /** Opens the memory account; its node had so many bytes. Throws MeshError 'exhausted'. */
  begin(nodeBytes: number): void {
    this.#nodeBytes = 4 * nodeBytes;
    this.#account = this.#host.budget.open(this.info.peer.address, (error) => this.stream.refuse?.(error));
    this.#countStateBytes();
  }

  /** Processes a State of the World request, and writes what is due. */
  receiveSotw(request: SotwRequest): void {
    this.#isIdle = false;
    this.#long.drop();
    const known = this.#byType.get(request.typeUrl);
    const sub =
      known?.sub ?? newSubscription(ruleOf(request.typeUrl), this.#host.sets.empty, !request.hasVersion);
    const sent = sub.inFlight;
    const judged = this.#judgeNonce(sub, request);
    const noted = judged !== 'stale' ? 'valid' : this.#giveUp(sub) ? 'taken' : 'ignored';
    if (this.#ignored.note(request, noted)) this.#countStateBytes();
    // "the server should not respond to requests with a stale nonce": the client repeats what it wants.
    if (noted === 'ignored' && known !== undefined && request.names !== sub.lastNames)
      this.#inSlices(leaveNames(request.names, sub, this.#host.sets, () => this.#regroup(known, sub)));
    if (noted === 'ignored') return;
    const isAnew = noted === 'taken';
    const verdict = isAnew ? 'none' : judged;
    const context = { first: known === undefined, verdict, error: request.error !== undefined };
    const refusal = verdict === 'nack' ? this.#takeRefusal(sub, sent, request.error ?? '') : undefined;
    if (!isAnew && refusal === undefined && known !== undefined && request.names === sub.lastNames) {
      repeatSotw(sub, context);
      this.advance();
    } else this.#inSlices(refusal, this.#takeSotw(request.names, known, sub, { ...context, isAnew }));
  }

  *#takeSotw(
    names: Buffer,
    known: Member | undefined,
    sub: Subscription,
    said: SotwContext & { readonly isAnew: boolean },
  ): Slices {
    if (known !== undefined && names === sub.lastNames) repeatSotw(sub, said);
    else yield* subscribeSotw(sub, yield* this.#host.sets.read(names), said);
    if (said.isAnew) sub.all = sub.answer = sub.wildcard || sub.set.names.size > 0;
    this.#regroup(known, sub);
  }

  /** Runs work of a request or an answer in slices, then goes on. */
  #inSlices(...work: readonly (Slices | undefined)[]): void {
    this.isAtWork = true;
    this.#long.drop();
    const all = this.#toEnd(work);
    if (this.stream.inSlices === undefined) finish(all);
    else this.stream.inSlices(all);
  }

  *#toEnd(work: readonly (Slices | undefined)[]): Slices {
    for (const some of work) if (some !== undefined) yield* some;
    this.isAtWork = false;
    if (this.order !== undefined) this.#host.mayMove(this);
    this.advance();
  }

  /** Gives up an overdue answer; returns whether it was. grpc-java ignores what it no longer wants. */
  #giveUp(sub: Subscription): boolean {
    if (!this.#isOverdue(sub.inFlight)) return false;
    this.#account?.unanswered(-(sub.inFlight?.unsharedBytes ?? 0));
    sub.inFlight = undefined;
    return true;
  }

  /** A client that does not read cannot be late with an answer. */
  #isOverdue(sent: Sent | undefined): boolean {
    const overdueAt = (sent?.sentAt ?? Number.POSITIVE_INFINITY) + this.#host.answerWaitMsMax;
    return this.#host.now() >= overdueAt && this.stream.unreadBytes() === 0;
  }

  /** Processes a Delta request, and writes what is due. */
  receiveDelta(request: DeltaRequest): void {
    this.#isIdle = false;
    this.#long.drop();
    const known = this.#byType.get(request.typeUrl);
    const sub =
      known?.sub ??
      newSubscription(ruleOf(request.typeUrl), this.#host.sets.empty, request.initialVersions.size === 0);
    // In Delta a subscription change is valid with any nonce: only an answer can be stale.
    const sent = sub.inFlight;
    const verdict = this.#judgeNonce(sub, request);
    const left = this.#referencedNames.notAskedFor(sub, verdict, sent, this.#host.now());
    const unsubscribe = left.length === 0 ? request.unsubscribe : [...request.unsubscribe, ...left];
    const asks = request.names.length > 0 || unsubscribe.length > 0;
    const subscribes = known === undefined || asks || (verdict === 'none' && meansWildcard(sub, request));
    const refusal = verdict === 'nack' ? this.#takeRefusal(sub, sent, request.error ?? '') : undefined;
    const taking = subscribes ? this.#takeDelta({ ...request, unsubscribe }, known, sub) : undefined;
    if (refusal !== undefined || taking !== undefined) this.#inSlices(refusal, taking);
    else this.advance();
  }

  *#takeDelta(request: DeltaRequest, known: Member | undefined, sub: Subscription): Slices {
    const { names, unsubscribe, initialVersions } = request;
    const first = known === undefined;
    const subscribe = yield* this.#host.sets.read(names);
    const foreseen = this.#referencedNames.foreseen.asked(sub.rule.url, subscribe.set.names, unsubscribe);
    yield* subscribeDelta(sub, { first, subscribe, unsubscribe, foreseen }, this.#host.sets);
    if (sub.leftNames > 0) this.#countStateBytes();
    const member = this.#regroup(known, sub);
    // Compared only once the class has its resources: a missing one may still come.
    if (first && initialVersions.size > 0) {
      yield* this.#initial.add(member, initialVersions, this);
      this.#countStateBytes();
    }
  }

  #judgeNonce(sub: Subscription, request: { nonce: string; error: string | undefined }) {
    const sent = sub.inFlight;
    const now = this.#host.now();
    const refusals = sub.rejected.size;
    const verdict = judgeRequest(sub, request.nonce, request.error, now);
    if (verdict === 'stale') this.#host.stats.staleNonces += 1;
    if (sent === undefined || (verdict !== 'ack' && verdict !== 'nack')) return verdict;
    if (sent.unsharedBytes > 0) this.#account?.unanswered(-sent.unsharedBytes);
    this.#referencedNames.toCome.answered(sub.rule.url, now);
    this.#isRefusing = verdict === 'nack';
    if (verdict === 'ack') {
      this.#host.acked(ackOf(this.info, sub.rule, sent, now));
      this.#hasNewConfirmation = true;
      if (sub.rejected.size < refusals) this.#countStateBytes();
    }
    return verdict;
  }

  /** Records that a response was refused. */
  *#takeRefusal(sub: Subscription, sent: Sent | undefined, message: string): Slices {
    if (sent === undefined) return;
    const now = this.#host.now();
    const marks = this.#byType.get(sub.rule.url)?.snapshot.marks;
    const verdictOnIt = yield* refuse(sub, sent, message, {
      ...{ now, random: this.#host.random },
      divisible: this.info.protocol === 'delta' || !sub.rule.fullState,
      versionOf: (name) => marks?.resource(name)?.version ?? 'gone',
      addedRevision: (name) => marks?.get(name)?.addedRevision,
    });
    this.#isRefusing = false;
    this.#hasNewConfirmation = true;
    this.#host.nacked({ ...ackOf(this.info, sub.rule, sent, now), message, ...verdictOnIt });
    this.#countStateBytes();
  }

  /** Updates the memory account of everything but subscribed names: node, refusals, versions. */
  #countStateBytes(): void {
    this.#account?.setBytes(this.#nodeBytes + stateBytes(this.#members, this.#initial, this.#ignored));
  }

  /** Moves the subscription to the group of its names. */
  #regroup(known: Member | undefined, sub: Subscription): Member {
    const snapshot = known?.snapshot ?? this.#host.snapshot(this.info.nodeClass, sub.rule.url);
    const unchanged = known?.group.wildcard === sub.wildcard && known.group.set === sub.set;
    if (known !== undefined && unchanged) return known;
    this.#account?.names(sub.rule.url, sub.set);
    const group = snapshot.group(sub.wildcard, sub.set, this.#host.revision(), known?.group);
    const member = known ?? { session: this, sub, position: positionOf(sub.rule.url), snapshot, group };
    if (known === undefined) {
      this.#byType.set(sub.rule.url, member);
      this.#members = [...this.#members, member].sort((a, b) => a.position - b.position);
      this.#referencedNames.moveTo(sub);
    } else snapshot.leave(known.group, known);
    member.group = group;
    group.members.add(member);
    this.#referencedNames.toCome.subscribed(sub.rule.url, group);
    if (known === undefined) this.#host.subscribed(this, member);
    this.#hasNewConfirmation = true;
    return member;
  }

  /** A resource that a member sees has changed; `advance` follows. */
  touch(member: Member): void {
    if (this.#changed !== undefined && this.#changed !== member) this.#isIdle = false;
    this.#changed = member;
  }

  /** Writes all that may be written now, then reports what was confirmed. */
  advance(): void {
    if (this.isAtWork) return;
    const late = this.#ignored.next((type) => this.#isOverdue(this.#byType.get(type)?.sub.inFlight));
    if (late !== undefined) this.receiveSotw(late);
    if (late !== undefined) return;
    const alone = this.#isIdle ? this.#changed : undefined;
    this.#changed = undefined;
    this.#isIdle = false;
    const mayWrite = !this.order && this.#host.isOpen(this.info.nodeClass) && !this.#gate.isShut();
    if (mayWrite && (alone === undefined || !this.#sendAlone(alone))) this.#writeDue();
    if (this.#referencedNames.toCome.expire(this.#host)) this.#hasNewConfirmation = true;
    if (!this.#hasNewConfirmation) return;
    this.#hasNewConfirmation = false;
    this.#host.confirmed(this);
  }

  /**
   * Sends a change of one type to a quiet stream, the case of nearly every change: there is no order to keep,
   * and other types need no check. Returns whether nothing else is due.
   */
  #sendAlone(member: Member): boolean {
    // During the grace period removals of clusters and endpoints are held.
    if (member.sub.rule.holdsRemovals && this.#host.now() < this.#graceEndsAt) return false;
    return this.#send(member, 'now') && member.sub.rule.refersTo === undefined;
  }

  #writeDue(): void {
    const first = this.#initial.isDue() ? this.#resume() : offerMany(this.#members, this.#host);
    if (first !== undefined) this.#inSlices(first);
    if (first !== undefined) return;
    while (!this.#gate.isShut() && this.#isDue()) {
      const isSettling = this.#host.now() < this.#graceEndsAt;
      const ahead = (one: Member) => this.#referencedNames.mayPrecede(one, this.info, this.#host);
      const next = nextSend(this.#members, (sent) => this.#isOverdue(sent), isSettling, ahead);
      if (next === undefined) return;
      const { member, removals, isOutOfTurn } = next;
      if (this.stream.inSlices !== undefined && this.#long.isFirst(member, removals)) {
        this.#inSlices(this.#long.make(member, removals));
        return;
      }
      if (this.#send(member, removals) && isOutOfTurn) this.#host.stats.outOfTurn += 1;
    }
  }

  *#resume(): Slices {
    yield* this.#initial.run(this.#host.unsettled, this.info.node.id ?? '', (sub) => {
      // Each stream gets at least one response, even an empty one.
      if (!this.#hasResponded) sub.answer = true;
      this.#hasResponded = true;
      this.#hasNewConfirmation = true;
      if (sub.gone.size > 0) this.#graceEndsAt = this.#host.now() + graceMs;
    });
    this.#countStateBytes();
  }

  /** Whether anything may have to be sent. Must be cheap: after an ACK nearly always nothing is. */
  #isDue(): boolean {
    for (const { sub, group } of this.#members)
      if (sub.rejected.size > 0) finish(offerAgain(sub, group, this.#host));
    const state = stateOf(this.#members);
    this.#isIdle = state === 'idle';
    return state === 'due';
  }

  #send(member: Member, removals: Removals): boolean {
    const { sub, group, snapshot } = member;
    if (sub.rejected.size > 0 && (group.changedAt > sub.revision || sub.moved !== undefined))
      forgetRefused(sub, snapshot.marks);
    const made = this.#long.take(member, removals) ?? cachedAnswer(sub, group, this.info.protocol, removals);
    const response = made ?? finish(respond(sub, member, this.info.protocol, this.#host, removals));
    const released = releasedBy(sub, response.held);
    const hadWords = sub.gone.size > 0 || sub.leftNames > 0;
    noteSent(sub, response.held);
    if (hadWords) this.#countStateBytes();
    sub.revision = group.changedAt;
    if (response.send) {
      this.#markSent(member, response, released);
      this.stream.write(response.bytes);
    } else {
      sub.confirmed = sub.revision;
      sub.movedFrom = undefined;
      this.#hasNewConfirmation = true;
    }
    return response.send;
  }

  #markSent(member: Member, response: Response, released: ReadonlySet<string>): void {
    const { sub } = member;
    const { bytes, refs } = response;
    const unsharedBytes = noteResponse(member, response, released, this.#host.now());
    if (unsharedBytes > 0) this.#account?.unanswered(unsharedBytes);
    this.#hasResponded = true;
    this.#host.stats.pushes += 1;
    this.#host.stats.bytes += bytes.length;
    const { refersTo: type } = sub.rule;
    // A stream of a single type's service never requests another type.
    if (type === undefined || refs.length === 0 || (this.info.only && !this.#byType.has(type))) return;
    const target = this.#byType.get(type);
    const sets = this.#host.sendAhead && this.info.protocol === 'delta' ? this.#host.sets : undefined;
    const isMore = this.#referencedNames.add(sub.rule, refs, target, sub.revision, sets);
    if (isMore && target !== undefined) this.#regroup(target, target.sub);
  }

  /** Whether this stream has ACKed everything that a concern names, as far as it subscribes to it. */
  hasConfirmed(concern: Concern): boolean {
    if (this.order || this.#isRefusing || this.#referencedNames.toCome.isPartOf(concern)) return false;
    if (concern.subscribed && concern.types?.some((type) => !this.#byType.has(type))) return false;
    return this.#members.every(({ sub, group }) => hasAcked(sub, group, concern));
  }

  /** Its subscriptions, in push order. */
  get subscriptions(): readonly Member[] {
    return this.#members;
  }

  /** Leaves all groups. */
  close(): void {
    for (const member of this.#members) {
      const { inFlight, rule } = member.sub;
      if (inFlight && rule.refersTo && rule.refersAgain) this.#host.unsettled.add(this.info, rule.refersTo);
      member.snapshot.leave(member.group, member);
    }
    this.#members = [];
    this.order = undefined;
    this.#byType.clear();
    this.#account?.close();
  }
}
