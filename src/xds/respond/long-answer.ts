import type { Slices } from '../slices.ts';
import type { Group } from '../state/snapshot.ts';
import type { Subscribed } from '../stream/subscribed.ts';
import type { Removals } from './due.ts';
import { type PlannedResponse, respond, type Sequence, type XdsVariant } from './respond.ts';

// Answers over more names than this (about a millisecond) are made in slices.
const atOnceMax = 1_000;
// After so many attempts that were outdated before they were ready, an answer is made at once.
const inVainMax = 3;

/** A prepared answer, and the state that it is valid for. */
interface PreparedAnswer<M> {
  readonly member: Subscribed<M>;
  readonly removals: Removals;
  readonly group: Group<M>;
  readonly changedAt: number;
  readonly answer: PlannedResponse;
}

/** Long answers of a session, prepared in slices before they are sent. */
export class LongAnswers<M> {
  readonly #protocol: XdsVariant;
  readonly #sequence: Sequence;
  #prepared: PreparedAnswer<M> | undefined;
  #inVain = 0;

  constructor(protocol: XdsVariant, sequence: Sequence) {
    this.#protocol = protocol;
    this.#sequence = sequence;
  }

  /** Whether the answer to a member has to be prepared first. */
  isFirst(member: Subscribed<M>, removals: Removals): boolean {
    const { toSend, gone, held, all, set, moved } = member.sub;
    const differing = moved === undefined ? 0 : moved.changed.size + moved.removed.size;
    const names =
      differing + toSend.size + gone.size + held.size + (all && !member.group.wildcard ? set.names.size : 0);
    return names > atOnceMax && this.#inVain < inVainMax && !this.#isMade(member, removals);
  }

  /** Prepares it. A change of the member's group meanwhile invalidates it. */
  *make(member: Subscribed<M>, removals: Removals): Slices {
    const { group, sub } = member;
    const { changedAt } = group;
    this.#inVain += 1;
    const answer = yield* respond(sub, member, this.#protocol, this.#sequence, removals);
    this.#prepared = { member, removals, group, changedAt, answer };
  }

  /** The prepared answer, if it is still valid. */
  take(member: Subscribed<M>, removals: Removals): PlannedResponse | undefined {
    const answer = this.#isMade(member, removals) ? this.#prepared?.answer : undefined;
    this.#inVain = 0;
    this.drop();
    return answer;
  }

  /** Discards what was prepared: the client has sent a request. */
  drop(): void {
    this.#prepared = undefined;
  }

  #isMade(member: Subscribed<M>, removals: Removals): boolean {
    const made = this.#prepared;
    if (made?.member !== member || made.removals !== removals) return false;
    return made.group === member.group && made.changedAt === member.group.changedAt;
  }
}
