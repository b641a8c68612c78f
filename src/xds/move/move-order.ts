import { finish, type Slices } from '../slices.ts';
import type { Group, Snapshot } from '../state/snapshot.ts';
import type { Movable, Subscribed } from '../stream/subscribed.ts';
import type { Subscription } from '../stream/subscription.ts';
import { differenceOfClasses, type MoveEvent, unconfirmedSince } from './class-difference.ts';
import type { ClassDifference } from './difference.ts';

/** What a test turns off, to see that it is needed. */
export interface MoveSeams {
  /** Removals do not wait for what replaces what is removed. */
  readonly breakFirst?: boolean;
  /** What was confirmed in the earlier class counts as confirmed in the new one. */
  readonly keepConfirmed?: boolean;
}

/** A difference, and the state of a subscription that it is for. */
interface Compared<M> extends ComparedState<M> {
  readonly difference: ClassDifference;
}

interface ComparedState<M> {
  readonly from: Snapshot<M>;
  readonly group: Group<M>;
  readonly changedAt: number;
  readonly revision: number;
  readonly confirmed: number;
  readonly held: Subscription['held'];
  readonly rejected: Subscription['rejected'];
  readonly toSend: Subscription['toSend'];
  /** Of both of these; they are changed in place. */
  readonly names: number;
  readonly all: boolean;
  readonly moved: ClassDifference | undefined;
  /** The response in flight. */
  readonly response: object | undefined;
}

// Streams of a class are in few states at a time.
const comparedMax = 64;

/** What an order needs from the server. */
interface MoveHost<M> {
  revision(): number;
  /** A number that no other difference has. */
  nextDifference(): number;
  snapshot(nodeClass: string, typeUrl: string): Snapshot<M>;
}

/** Streams that are moved to one class together: streams in the same state are compared with it once. */
export class MoveOrder<M extends Movable<M>> {
  readonly nodeClass: string;
  readonly event: MoveEvent;
  readonly seams: MoveSeams;
  readonly #host: MoveHost<M>;
  readonly #compared = new Map<string, Compared<M>[]>();

  constructor(nodeClass: string, event: MoveEvent, host: MoveHost<M>, seams: MoveSeams) {
    this.nodeClass = nodeClass;
    this.event = event;
    this.seams = seams;
    this.#host = host;
  }

  /** The snapshot that a member will see. */
  snapshotFor({ sub }: M): Snapshot<M> {
    return this.#host.snapshot(this.nodeClass, sub.rule.url);
  }

  /**
   * As `known`, for a stream with an earlier order that was not followed: what its class of then changed
   * since that `orderedAt` revision is not confirmed either.
   */
  differenceSince(member: M, orderedAt: number): ClassDifference | undefined {
    const difference = this.known(member);
    if (difference === undefined || orderedAt === this.event.revision) return difference;
    return unconfirmedSince(difference, orderedAt, this.#host.nextDifference());
  }

  /**
   * The difference for a member's present state; undefined if there is none yet, or nothing was ever sent.
   */
  known(member: M): ClassDifference | undefined {
    return this.#compared.get(member.sub.rule.url)?.find((one) => isFor(one, member))?.difference;
  }

  /** Whether a member has to be compared: it was sent something, and is of another class. */
  concerns(member: M): boolean {
    return member.sub.revision > 0 && member.snapshot !== this.snapshotFor(member);
  }

  /** Compares what `members` were sent with the class. A member that changes meanwhile is left out. */
  *compare(members: readonly M[]): Slices {
    for (const member of members) {
      if (!this.concerns(member) || this.known(member) !== undefined) continue;
      const state = stateOf(member);
      const place = { revision: this.#host.revision(), id: this.#host.nextDifference() };
      const difference = yield* differenceOfClasses(member, this.snapshotFor(member), this.event, place);
      const made = { ...state, difference };
      if (!isFor(made, member)) continue;
      const { url } = member.sub.rule;
      const others = this.#compared.get(url) ?? [];
      this.#compared.set(url, [made, ...others.slice(0, comparedMax - 1)]);
    }
  }

  /** As `compare`, at once. */
  compareNow(members: readonly M[]): void {
    finish(this.compare(members));
  }

  /** Whether all differences are known. */
  isReady(members: readonly M[]): boolean {
    return members.every((member) => !this.concerns(member) || this.known(member) !== undefined);
  }
}

function stateOf<M>({ sub, snapshot: from, group }: Subscribed<M>): ComparedState<M> {
  const { revision, confirmed, held, rejected, toSend, all, moved, inFlight } = sub;
  return {
    ...{ from, group, changedAt: group.changedAt, revision, confirmed },
    ...{ held, rejected, toSend, names: rejected.size + toSend.size },
    ...{ all, moved, response: inFlight?.response },
  };
}

function isFor<M>(one: ComparedState<M>, { sub, snapshot, group }: Subscribed<M>): boolean {
  return (
    one.group === group &&
    one.from === snapshot &&
    one.changedAt === group.changedAt &&
    one.revision === sub.revision &&
    one.confirmed === sub.confirmed &&
    one.held === sub.held &&
    one.rejected === sub.rejected &&
    one.toSend === sub.toSend &&
    one.names === sub.rejected.size + sub.toSend.size &&
    one.all === sub.all &&
    one.moved === sub.moved &&
    one.response === sub.inFlight?.response
  );
}
