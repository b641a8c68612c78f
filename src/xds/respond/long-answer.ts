import type { Slices } from '../slices.ts';
import type { Group } from '../state/snapshot.ts';
import type { Subscribed } from '../stream/subscribed.ts';
import type { Removals } from './due.ts';
import { type PlannedResponse, respond, type Sequence, type XdsVariant } from './respond.ts';

// An answer that looks at so many names takes about a millisecond.
const atOnceMax = 1_000;
// Where what is looked at changes all the time, an answer is at last made at once.
const inVainMax = 3;

/** An answer, and what it holds for. */
interface Made<M> {
  readonly member: Subscribed<M>;
  readonly removals: Removals;
  readonly group: Group<M>;
  readonly changedAt: number;
  readonly answer: PlannedResponse;
}

/** Answers of one session that are so long that they are made in slices before they are due. */
export class LongAnswers<M> {
  readonly #protocol: XdsVariant;
  readonly #sequence: Sequence;
  #made: Made<M> | undefined;
  #inVain = 0;

  constructor(protocol: XdsVariant, sequence: Sequence) {
    this.#protocol = protocol;
    this.#sequence = sequence;
  }

  /** Whether the answer to a member is to be made first. */
  isFirst(member: Subscribed<M>, removals: Removals): boolean {
    const { fresh, gone, held, all, set } = member.sub;
    const names = fresh.size + gone.size + held.size + (all && !member.group.wildcard ? set.names.size : 0);
    return names > atOnceMax && this.#inVain < inVainMax && !this.#isMade(member, removals);
  }

  /** Makes it. What changes meanwhile for the member's group makes it useless. */
  *make(member: Subscribed<M>, removals: Removals): Slices {
    const { group, sub } = member;
    const { changedAt } = group;
    this.#inVain += 1;
    const answer = yield* respond(sub, member, this.#protocol, this.#sequence, removals);
    this.#made = { member, removals, group, changedAt, answer };
  }

  /** The answer that was made, where it still holds. */
  take(member: Subscribed<M>, removals: Removals): PlannedResponse | undefined {
    const answer = this.#isMade(member, removals) ? this.#made?.answer : undefined;
    this.#inVain = 0;
    this.drop();
    return answer;
  }

  /** Forgets what was made: the client has said something. */
  drop(): void {
    this.#made = undefined;
  }

  #isMade(member: Subscribed<M>, removals: Removals): boolean {
    const made = this.#made;
    if (made?.member !== member || made.removals !== removals) return false;
    return made.group === member.group && made.changedAt === member.group.changedAt;
  }
}
