import type { Cause } from '../cause.ts';
import { each, type Slices } from '../slices.ts';
import type { Mark } from '../state/marks.ts';
import { type Group, isSubscribedTo, type Snapshot } from '../state/snapshot.ts';
import type { Subscribed } from '../stream/subscribed.ts';
import type { Subscription } from '../stream/subscription.ts';
import type { ClassDifference, Had, HeldRemoval } from './difference.ts';

/** A move: its place among the changes, and what its ACKs report. */
export interface MoveEvent {
  readonly revision: number;
  readonly cause: Cause;
}

/** The same of a stream that has confirmed nothing since an earlier revision. `id` is one of its own. */
export function unconfirmedSince(difference: ClassDifference, revision: number, id: number): ClassDifference {
  const removed = Array.from(
    difference.removed,
    ([name, removal]) =>
      [name, { ...removal, moved: id, revision: Math.min(removal.revision ?? 0, revision) }] as const,
  );
  const confirmedMax = Math.min(difference.confirmedMax, revision - 1);
  return { ...difference, id, removed: new Map(removed), confirmedMax };
}

/**
 * Compares what a subscription was sent with the snapshot `to`. `revision` is the server's, when it begins:
 * what changes in `to` meanwhile may be in the difference, and is sent as a change in any case. The
 * subscription must not change meanwhile.
 */
export function* differenceOfClasses<M>(
  { sub, snapshot, group }: Subscribed<M>,
  to: Snapshot<M>,
  event: MoveEvent,
  { revision, id }: { readonly revision: number; readonly id: number },
): Slices<ClassDifference> {
  const from: From<M> = { sub, marks: snapshot.marks, group };
  const found = new Found(sub, event, id);
  yield* each(group.wildcard ? to.marks.keys() : group.set.names, (name) => {
    const mark = to.marks.get(name);
    if (mark?.resource === undefined) return;
    const had = hadOf(from, name);
    if (had === undefined || had === 'unknown' || had.version !== mark.resource.version)
      found.addChanged(name, had, mark, unsentMark(from, name));
  });
  const { moved, held } = sub;
  for (const names of [
    group.wildcard ? snapshot.marks.keys() : group.set.names,
    held.keys(),
    moved?.had.keys(),
  ])
    yield* each(names ?? [], (name) => {
      const had = to.marks.get(name)?.resource === undefined ? hadOf(from, name) : undefined;
      if (had !== undefined) found.addRemoved(name, had, to.marks.get(name), from);
    });
  return found.difference(revision);
}

/** What a subscription was sent of its earlier class. */
interface From<M> {
  readonly sub: Subscription;
  readonly marks: Snapshot<M>['marks'];
  readonly group: Group<M>;
}

/** What the client has of a name, if it accepts what it was sent last. */
function hadOf<M>({ sub, marks, group }: From<M>, name: string): Had {
  if (sub.moved?.had.has(name)) return sub.moved.had.get(name);
  const held = sub.held.get(name);
  if (held !== undefined) return held.isUnsure ? 'unknown' : (held.last ?? 'unknown');
  const mark = marks.get(name);
  if (mark === undefined || !isSubscribedTo(group, name)) return undefined;
  if (mark.revision <= sub.revision) return mark.resource;
  if (mark.addedRevision > sub.revision) return undefined;
  return mark.changedRevision <= sub.revision ? mark.last : 'unknown';
}

/** A change of the earlier class that was not sent. */
function unsentMark<M>({ sub, marks }: Pick<From<M>, 'sub' | 'marks'>, name: string): Mark | undefined {
  const mark = marks.get(name);
  return mark !== undefined && mark.revision > sub.revision ? mark : undefined;
}

/** A difference under construction. */
class Found {
  readonly #sub: Subscription;
  readonly #event: MoveEvent;
  readonly #id: number;
  readonly #changed = new Set<string>();
  readonly #removed = new Map<string, HeldRemoval>();
  readonly #since = new Map<string, number>();
  readonly #had = new Map<string, Had>();
  readonly #causes = new Set<Cause>();
  readonly #superseded: Cause[];
  #unanswered: ReadonlySet<string> | undefined;
  #confirmedMax = Number.POSITIVE_INFINITY;

  constructor(sub: Subscription, event: MoveEvent, id: number) {
    this.#sub = sub;
    this.#event = event;
    this.#id = id;
    // An earlier move that was not sent.
    this.#superseded = [...(sub.moved?.causes ?? []), ...(sub.moved?.superseded ?? [])];
  }

  addChanged(name: string, had: Had, { revision, cause }: Mark, unsent: Mark | undefined): void {
    this.#changed.add(name);
    this.#had.set(name, this.#isUncertain(name) ? 'unknown' : had);
    this.#since.set(name, this.#unconfirmedSince(name, revision, unsent));
    this.#causes.add(this.#event.cause);
    const removal = this.#removalOf(name);
    if (removal?.cause !== undefined) this.#superseded.push(removal.cause);
    // One event has changed both classes: the response contains it.
    if (unsent?.cause === cause) this.#causes.add(cause);
    else if (unsent !== undefined) this.#superseded.push(unsent.cause);
  }

  addRemoved<M>(name: string, had: Had, gone: Mark | undefined, from: From<M>): void {
    if (this.#removed.has(name)) return;
    const at = this.#event.revision;
    const unsent = unsentMark(from, name);
    const isUnsure = had === 'unknown' || this.#isUncertain(name);
    const last = had === 'unknown' ? (this.#removalOf(name)?.last ?? from.marks.get(name)?.last) : had;
    const wasRemoved = unsent !== undefined && unsent.resource === undefined;
    // A client may unsubscribe from endpoints before it is told that they are gone.
    const isTold = this.#sub.rule.wildcard || this.#changed.size === 0;
    const earlier = this.#removalOf(name)?.cause ?? (wasRemoved ? unsent.cause : undefined);
    const cause = earlier ?? (isTold ? this.#event.cause : undefined);
    if (unsent !== undefined && unsent.cause !== earlier) this.#superseded.push(unsent.cause);
    this.#had.set(name, isUnsure ? 'unknown' : had);
    this.#removed.set(name, {
      ...(last && { last }),
      ...(cause && { cause }),
      ...{ isUnsure, moved: this.#id },
      revision: this.#unconfirmedSince(name, Math.min(at, gone?.revision ?? at), unsent),
    });
  }

  /** Who waits for a change of a name up to a revision waits for this difference only from here on. */
  #unconfirmedSince(name: string, revision: number, unsent: Mark | undefined): number {
    const { moved, confirmed, rejected } = this.#sub;
    const removal = this.#removalOf(name);
    const before = [
      ...(removal === undefined ? [] : [removal.revision ?? 0]),
      ...(unsent === undefined ? [] : [this.#sub.revision + 1]),
      ...(this.#isUncertain(name) ? [(rejected.get(name)?.confirmed ?? confirmed) + 1] : []),
      ...(moved?.since.has(name) ? [moved.since.get(name) ?? 0] : []),
    ];
    const since = Math.min(revision, ...before);
    this.#confirmedMax = Math.min(this.#confirmedMax, since - 1);
    return since;
  }

  /** Whether the client has refused a resource, has not answered it, or is still to be sent it. */
  #isUncertain(name: string): boolean {
    const { inFlight, rejected, toSend, all } = this.#sub;
    this.#unanswered ??= new Set(inFlight?.response.names);
    return all || rejected.has(name) || toSend.has(name) || this.#unanswered.has(name);
  }

  /** A removal that was not carried out: one that is held, or of an earlier move. */
  #removalOf(name: string): HeldRemoval | undefined {
    return this.#sub.moved?.removed.get(name) ?? this.#sub.held.get(name);
  }

  difference(revision: number): ClassDifference {
    return {
      ...{ id: this.#id, revision, changed: this.#changed, removed: this.#removed },
      ...{ since: this.#since, had: this.#had, confirmedMax: this.#confirmedMax },
      ...{ causes: [...this.#causes], superseded: this.#superseded },
    };
  }
}
