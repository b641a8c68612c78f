import type { Removals } from '../respond/due.ts';
import { mayUseOlderVersion } from './refusal.ts';
import type { Subscribed } from './subscribed.ts';
import { isPending, type Sent } from './subscription.ts';

/** The state of one type of a stream, as far as the push order needs it. Given in push order. */
interface Turn {
  /** Does not wait for the types before it. */
  readonly eager: boolean;
  /** Something may have to be sent. */
  readonly pending: boolean;
  /** A response awaits its ACK or NACK. */
  readonly inFlight: boolean;
  /** Its answer is so late that other types no longer wait for it. Newer state of its own type does. */
  readonly overdue: boolean;
  /** Whether the client continues with an older version of a resource that it refused. */
  nacked(): boolean;
  /** Whether all that it has to send may be sent before the answers to the types before it. */
  mayPrecede(): boolean;
  /** Removals are held until no resource can name them. */
  readonly held: boolean;
}

/** Whether a stream may have something to send; 'idle': nothing is due, in flight, held or refused. */
export function stateOf<M>(members: readonly Subscribed<M>[]): 'due' | 'waiting' | 'idle' {
  let state: 'waiting' | 'idle' = 'idle';
  for (const { sub, group } of members) {
    if (sub.held.size > 0 || isPending(sub, group)) return 'due';
    if (sub.inFlight !== undefined || sub.nacked !== undefined) state = 'waiting';
  }
  return state;
}

/** The types of a stream as turns. */
function turnsOf<S extends Subscribed<unknown>>(
  members: readonly S[],
  isOverdue: (sent: Sent) => boolean,
  mayPrecede: (member: S) => boolean,
): Turn[] {
  return members.map((member) => {
    const { sub, group, snapshot } = member;
    return {
      eager: sub.rule.eager,
      pending: isPending(sub, group),
      inFlight: sub.inFlight !== undefined,
      overdue: sub.inFlight !== undefined && isOverdue(sub.inFlight),
      // A function, as the answer costs a scan and is rarely needed: a client may have refused thousands.
      nacked: () => mayUseOlderVersion(sub, (name) => snapshot.marks.get(name)?.addedRevision),
      mayPrecede: () => mayPrecede(member),
      held: sub.held.size > 0,
    };
  });
}

/** The type that may send now, and whether it carries out its held removals. */
interface Next {
  readonly index: number;
  readonly release: boolean;
  /** It was not its turn, and it may all the same. */
  readonly precedes: boolean;
}

/**
 * Make before break. A type waits until all before it are answered, so that the resources it names exist:
 * Envoy ACKs clusters only once they are warm. What they need for that is eager, and does not wait; nor does
 * what nothing else stands in for until it is there. Once
 * nothing is pending or in flight, held removals are sent, earliest type first, unless a later type was
 * refused: its older version may still name them. A type in flight never sends.
 */
function nextTurn(turns: readonly Turn[], mayRelease: boolean): Next | undefined {
  let blocked = false;
  for (const [index, turn] of turns.entries()) {
    if (turn.inFlight) blocked ||= !turn.overdue;
    else if (turn.pending && (turn.eager || !blocked || turn.mayPrecede()))
      return { index, release: false, precedes: blocked && !turn.eager };
  }
  const index = turns.findIndex((turn) => turn.held);
  if (blocked || !mayRelease || index < 0) return undefined;
  if (turns[index]?.inFlight || turns.slice(index + 1).some((turn) => turn.inFlight || turn.nacked()))
    return undefined;
  return { index, release: true, precedes: false };
}

/** Whether removals of type `index` must wait: a later type may still be changed to stop naming them. */
function mustHold(turns: readonly Turn[], index: number): boolean {
  const earlierHolds = turns.slice(0, index).some((turn) => turn.held || turn.pending || turn.inFlight);
  return (
    earlierHolds || turns.slice(index + 1).some((turn) => turn.pending || turn.inFlight || turn.nacked())
  );
}

/**
 * The subscription that may send now, how it sends removals, and whether an overdue answer no longer delays
 * it.
 */
interface NextSend<S> {
  readonly member: S;
  readonly removals: Removals;
  readonly isOutOfTurn: boolean;
}

/**
 * What a stream may send now, if anything. `isSettling`: a client that has just reconnected keeps what was
 * removed. `mayPrecede`: whether all that is due of a type may go before the answers to earlier ones.
 */
export function nextSend<S extends Subscribed<unknown>>(
  members: readonly S[],
  isOverdue: (sent: Sent) => boolean,
  isSettling: boolean,
  mayPrecede: (member: S) => boolean = () => false,
): NextSend<S> | undefined {
  const turns = turnsOf(members, isOverdue, mayPrecede);
  const next = nextTurn(turns, !isSettling);
  const member = next === undefined ? undefined : members[next.index];
  if (next === undefined || member === undefined) return undefined;
  const earlier = turns.slice(0, turns[next.index]?.eager ? 0 : next.index);
  const waits = member.sub.rule.holdsRemovals && (isSettling || mustHold(turns, next.index));
  const removals = next.release ? 'release' : waits ? 'hold' : 'now';
  return { member, removals, isOutOfTurn: !next.precedes && earlier.some((turn) => turn.inFlight) };
}
