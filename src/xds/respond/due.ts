import type { Cause } from '../cause.ts';
import type { EncodedResource } from '../codec/codec.ts';
import { each, type Slices } from '../slices.ts';
import type { Difference, Group, Snapshot } from '../state/snapshot.ts';
import { isSubscribedTo } from '../state/snapshot.ts';
import type { HeldRemoval, Subscription } from '../stream/subscription.ts';

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
  readonly difference: Difference;
  /** Existing resources that changed or were requested; each once. */
  readonly upserts: readonly EncodedResource[];
  /** Removed, but requested by a client that needs it until the held removals are released. */
  readonly keptForNow: readonly EncodedResource[];
  readonly missing: readonly string[];
  readonly held: ReadonlyMap<string, HeldRemoval>;
  readonly causes: readonly Cause[];
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
  const upserts = new Map<string, EncodedResource>();
  const causes = new Set<Cause>();
  for (const { resource, cause } of difference.upserts) {
    upserts.set(resource.name, resource);
    if (sub.toSend.get(resource.name) !== 'new') causes.add(cause);
  }
  const missing: string[] = [];
  const keptForNow: EncodedResource[] = [];
  const held = new Map<string, HeldRemoval>();
  yield* each(namedBy(sub, group), (name) => {
    const mark = snapshot.marks.get(name);
    if (upserts.has(name) || !isSubscribedTo(group, name)) return;
    if (mark?.resource !== undefined) upserts.set(name, mark.resource);
    else if (mark !== undefined && removals === 'hold') {
      // A held cluster may still have to warm, with its last endpoints.
      keptForNow.push(mark.last);
      held.set(name, mark);
    } else missing.push(name);
  });
  if (removals === 'hold') {
    for (const [name, mark] of sub.held) if (!snapshot.marks.get(name)?.resource) held.set(name, mark);
    for (const name of sub.gone) held.set(name, {});
    // An event is not complete before its removals are.
    for (const mark of difference.removed) {
      held.set(mark.last.name, mark);
      causes.delete(mark.cause);
    }
  } else
    for (const { cause } of [...difference.removed, ...sub.held.values()])
      if (cause !== undefined) causes.add(cause);
  return { difference, upserts: [...upserts.values()], keptForNow, missing, held, causes: [...causes] };
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
