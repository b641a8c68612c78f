import type { Cause } from '../cause.ts';
import type { EncodedResource } from '../codec/codec.ts';
import type { HeldRemoval } from '../move/difference.ts';
import { each, type Slices } from '../slices.ts';
import type { Difference, Group, Snapshot } from '../state/snapshot.ts';
import { isSubscribedTo } from '../state/snapshot.ts';
import type { Subscription } from '../stream/subscription.ts';

/** The content of the next response. `send` is false if nothing has to be sent. */
export interface ResponsePlan {
  readonly send: boolean;
  readonly resources: readonly EncodedResource[];
  /** Names told as removed (Delta). */
  readonly removed: readonly string[];
  /** Removals held back: the client keeps these resources for now. */
  readonly held: ReadonlyMap<string, HeldRemoval>;
  /**
   * Names of another type's resources that the client will request again: those that changed resources refer
   * to.
   */
  readonly refs: readonly string[];
  readonly causes: readonly Cause[];
  readonly superseded: readonly Cause[];
}

/**
 * Whether removals wait: 'hold' while a resource may still name what is removed, 'release' once none does.
 */
export type Removals = 'hold' | 'now' | 'release';

/** Input of both protocols: the changes since the last response, and names to send anyway. */
export interface Due {
  /** What was removed since the last response. */
  readonly removed: ReadonlySet<string>;
  /** Of these, what is held with content that may be new to the client. */
  readonly heldNews: readonly EncodedResource[];
  /** Existing resources that changed or were requested; each once. */
  readonly upserts: readonly EncodedResource[];
  /** Removed, but requested by a client that needs it until the held removals are released. */
  readonly keptForNow: readonly EncodedResource[];
  readonly missing: readonly string[];
  readonly held: ReadonlyMap<string, HeldRemoval>;
  readonly causes: readonly Cause[];
  readonly superseded: readonly Cause[];
}

const nothing: Difference = { upserts: [], removed: [], superseded: [] };

/** Gathers what is due to a subscription; the protocol decides how to send it. */
export function* gatherDue<M>(
  sub: Subscription,
  snapshot: Snapshot<M>,
  group: Group<M>,
  removals: Removals,
): Slices<Due> {
  // On a new subscription existing state is the initial state, not a change.
  const difference = sub.revision === 0 ? nothing : snapshot.since(group, sub.revision);
  const { moved } = sub;
  const upserts = new Map<string, EncodedResource>();
  const causes = new Set<Cause>(moved?.causes);
  for (const { resource, cause } of difference.upserts) {
    upserts.set(resource.name, resource);
    if (sub.toSend.get(resource.name) !== 'new') causes.add(cause);
  }
  const isThere = (name: string) => snapshot.marks.resource(name) !== undefined;
  const removed = yield* removedSince(sub, difference, group, isThere);
  const missing: string[] = [];
  const keptForNow: EncodedResource[] = [];
  const held = new Map<string, HeldRemoval>();
  const changed = moved?.changed;
  for (const names of [changed ?? [], namedBy(sub, group)])
    yield* each(names, (name) => {
      if (upserts.has(name) || !isSubscribedTo(group, name)) return;
      if (names !== changed && changed?.has(name)) return;
      const resource = snapshot.marks.resource(name);
      if (resource !== undefined) {
        upserts.set(name, resource);
        return;
      }
      const mark = snapshot.marks.get(name);
      // A held cluster may still have to warm, with its last endpoints.
      const kept = [sub.held.get(name), removed.get(name), mark].find((one) => one?.last !== undefined);
      if (kept?.last === undefined || removals !== 'hold') missing.push(name);
      else {
        keptForNow.push(kept.last);
        held.set(name, kept);
      }
    });
  const heldNews = removals === 'hold' ? holdRemovals(sub, removed, held, causes, isThere) : [];
  if (removals !== 'hold')
    for (const { cause } of [...removed.values(), ...sub.held.values()])
      if (cause !== undefined) causes.add(cause);
  const superseded =
    moved === undefined ? difference.superseded : [...moved.superseded, ...difference.superseded];
  return {
    ...{ removed: new Set(removed.keys()), heldNews, upserts: [...upserts.values()] },
    ...{ keptForNow, missing, held, causes: [...causes], superseded },
  };
}

/** Adds all that is held to `held`, and takes its causes back; what of it may be new to the client. */
function holdRemovals(
  sub: Subscription,
  removed: ReadonlyMap<string, HeldRemoval>,
  held: Map<string, HeldRemoval>,
  causes: Set<Cause>,
  isThere: (name: string) => boolean,
): EncodedResource[] {
  const news: EncodedResource[] = [];
  for (const [name, removal] of sub.held) if (!isThere(name)) held.set(name, removal);
  for (const name of sub.gone) if (!isThere(name)) held.set(name, {});
  for (const [name, removal] of removed) {
    held.set(name, merged(removal, sub.held.get(name)));
    if (removal.isUnsure && removal.last !== undefined) news.push(removal.last);
    // An event is not complete before its removals are.
    if (removal.cause !== undefined) causes.delete(removal.cause);
  }
  return news;
}

/** A removal of what was refused, or removed and put again meanwhile, is the earlier one, too. */
function merged(removal: HeldRemoval, earlier: HeldRemoval | undefined): HeldRemoval {
  if (earlier === undefined) return removal;
  const revision = Math.min(removal.revision ?? 0, earlier.revision ?? 0);
  return { ...removal, revision, isUnsure: true };
}

/** What was removed since the last response, by name. */
function* removedSince<M>(
  sub: Subscription,
  difference: Difference,
  group: Group<M>,
  isThere: (name: string) => boolean,
): Slices<ReadonlyMap<string, HeldRemoval>> {
  const removed = new Map<string, HeldRemoval>();
  for (const mark of difference.removed) {
    const isUnsure = mark.changedRevision > sub.revision;
    // A change that was not sent, such as that of an endpoint, is confirmed with the removal, and not before.
    removed.set(mark.last.name, isUnsure ? { ...mark, isUnsure, revision: sub.revision + 1 } : mark);
  }
  yield* each(sub.moved?.removed ?? [], ([name, removal]) => {
    if (!isThere(name) && isSubscribedTo(group, name)) removed.set(name, removal);
  });
  return removed;
}

/** Names to send whether they changed or not; not copied if they come from one collection. */
function namedBy<M>(sub: Subscription, group: Group<M>): Iterable<string> {
  if (!sub.all || group.wildcard) return sub.toSend.keys();
  return sub.toSend.size === 0 ? group.set.names : new Set([...sub.toSend.keys(), ...group.set.names]);
}

/** The names that the changed resources among `upserts` refer to. */
export function refsOfChanged(sub: Subscription, upserts: readonly EncodedResource[]): readonly string[] {
  // On the first response of a stream the client knows nothing, and requests everything by itself.
  if (sub.revision === 0 && sub.all) return [];
  return [...new Set(upserts.flatMap((resource) => resource.refs))];
}

const none: ReadonlySet<string> = new Set();

/** Removals that were held and are now carried out. */
export function releasedBy({ held }: Subscription, now: ResponsePlan['held']): ReadonlySet<string> {
  return held.size === 0 ? none : new Set([...held.keys()].filter((name) => !now.has(name)));
}
