import { standsInPlace } from './refusal.ts';
import type { Subscribed } from './subscribed.ts';
import { isPending, type Sent } from './subscription.ts';

/** One type of a stream, as far as the push order cares. Given in push order. */
interface Turn {
  /** It does not wait for the types before it. */
  readonly eager: boolean;
  /** Something may be sent. */
  readonly pending: boolean;
  /** A response waits for its ACK or NACK. */
  readonly inFlight: boolean;
  /**
   * It has waited for so long that the other types wait for it no longer. Newer state of its own type does.
   */
  readonly overdue: boolean;
  /** Whether the client goes on with something older than what it refused of this type. */
  nacked(): boolean;
  /** Removals that wait until nothing can name them. */
  readonly held: boolean;
}

/**
 * Whether something may have to be sent on a stream; 'quiet': nothing is due, under way, held or refused.
 */
export function stateOf<M>(members: readonly Subscribed<M>[]): 'due' | 'waiting' | 'quiet' {
  let state: 'waiting' | 'quiet' = 'quiet';
  for (const { sub, group } of members) {
    if (sub.held.size > 0 || isPending(sub, group)) return 'due';
    if (sub.inFlight !== undefined || sub.nacked !== undefined) state = 'waiting';
  }
  return state;
}

/** The types of a stream as turns. */
export function turnsOf<M>(members: readonly Subscribed<M>[], isOverdue: (sent: Sent) => boolean): Turn[] {
  return members.map(({ sub, group, snapshot }) => ({
    eager: sub.rule.eager,
    pending: isPending(sub, group),
    inFlight: sub.inFlight !== undefined,
    overdue: sub.inFlight !== undefined && isOverdue(sub.inFlight),
    // Looked for where it counts: a client may have refused thousands.
    nacked: () => standsInPlace(sub, (name) => snapshot.marks.get(name)?.born),
    held: sub.held.size > 0,
  }));
}

/** Which type may send now, and whether it is to carry out its held removals. */
interface Next {
  readonly index: number;
  readonly release: boolean;
}

/**
 * Make before break. A type waits until all before it are answered, so that what it names is there: Envoy
 * acknowledges clusters only once they are warm. What it needs for that must not wait, and is eager. Once
 * nothing is pending or in flight, held removals go, earliest type first; but not as long as a later type
 * was refused: what stands there instead may still name them. A type in flight never sends, whatever is due.
 */
export function nextTurn(turns: readonly Turn[], mayRelease: boolean): Next | undefined {
  let blocked = false;
  for (const [index, turn] of turns.entries()) {
    if (turn.inFlight) blocked ||= !turn.overdue;
    else if (turn.pending && (turn.eager || !blocked)) return { index, release: false };
  }
  const index = turns.findIndex((turn) => turn.held);
  if (blocked || !mayRelease || index < 0) return undefined;
  if (turns[index]?.inFlight || turns.slice(index + 1).some((turn) => turn.inFlight || turn.nacked()))
    return undefined;
  return { index, release: true };
}

/** Whether removals of type `index` must wait: something later may still be changed away from them. */
export function mustHold(turns: readonly Turn[], index: number): boolean {
  const earlierHolds = turns.slice(0, index).some((turn) => turn.held || turn.pending || turn.inFlight);
  return (
    earlierHolds || turns.slice(index + 1).some((turn) => turn.pending || turn.inFlight || turn.nacked())
  );
}
