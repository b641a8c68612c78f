import type { Cause } from '../cause.ts';
import type { EncodedResource } from '../codec/codec.ts';
import { each, type Slices } from '../slices.ts';
import type { Difference, Group, Snapshot } from '../state/snapshot.ts';
import { sees } from '../state/snapshot.ts';
import type { Held, Subscription } from '../stream/subscription.ts';

/** What a response to a subscription has to say. `send` is false when nothing is to be said. */
export interface Plan {
  readonly send: boolean;
  readonly resources: readonly EncodedResource[];
  /** Names told as removed (Delta). */
  readonly removed: readonly string[];
  /** What stays with the client although it is removed. */
  readonly held: ReadonlyMap<string, Held>;
  /** Names of another type's resources that the client will want again: those of what changed. */
  readonly refs: readonly string[];
  readonly causes: readonly Cause[];
  readonly superseded: readonly Cause[];
}

/** Whether removals wait: 'hold' while something may still name what goes, 'release' when nothing does. */
export type Removals = 'hold' | 'now' | 'release';

/** What both protocols need to know: the changes since the last response and the names to send anyway. */
export interface Due {
  readonly difference: Difference;
  /** Changed or fresh, and there; each once. */
  readonly upserts: readonly EncodedResource[];
  /** Removed, but asked for by a client that needs it until its removals are let go. */
  readonly kept: readonly EncodedResource[];
  readonly missing: readonly string[];
  readonly held: ReadonlyMap<string, Held>;
  readonly causes: readonly Cause[];
}

const nothing: Difference = { upserts: [], removed: [], superseded: [] };

/** Gathers what is due to a subscription, before the protocol decides how to say it. */
export function* gatherDue<M>(
  sub: Subscription,
  snapshot: Snapshot<M>,
  group: Group<M>,
  removals: Removals,
): Slices<Due> {
  // What stood when the stream came is its beginning, not a change.
  const difference = sub.revision === 0 ? nothing : snapshot.since(group, sub.revision);
  const upserts = new Map<string, EncodedResource>();
  const causes = new Set<Cause>();
  for (const { resource, cause } of difference.upserts) {
    upserts.set(resource.name, resource);
    if (sub.fresh.get(resource.name) !== 'new') causes.add(cause);
  }
  const missing: string[] = [];
  const kept: EncodedResource[] = [];
  const held = new Map<string, Held>();
  yield* each(namedBy(sub, group), (name) => {
    const mark = snapshot.marks.get(name);
    if (upserts.has(name) || !sees(group, name)) return;
    if (mark?.resource !== undefined) upserts.set(name, mark.resource);
    else if (mark !== undefined && removals === 'hold') {
      // A cluster that is held may still have to warm: by the endpoints that it had.
      kept.push(mark.last);
      held.set(name, mark);
    } else missing.push(name);
  });
  if (removals === 'hold') {
    for (const [name, mark] of sub.held) if (!snapshot.marks.get(name)?.resource) held.set(name, mark);
    for (const name of sub.gone) held.set(name, {});
    // The event is not over before its removal is.
    for (const mark of difference.removed) {
      held.set(mark.last.name, mark);
      causes.delete(mark.cause);
    }
  } else
    for (const { cause } of [...difference.removed, ...sub.held.values()])
      if (cause !== undefined) causes.add(cause);
  return { difference, upserts: [...upserts.values()], kept, missing, held, causes: [...causes] };
}

/**
 * Names that are to be sent whether they changed or not; of 100,000 no copy is made where there is one source
 * of them.
 */
function namedBy<M>(sub: Subscription, group: Group<M>): Iterable<string> {
  if (!sub.all || group.wildcard) return sub.fresh.keys();
  return sub.fresh.size === 0 ? group.set.names : new Set([...sub.fresh.keys(), ...group.set.names]);
}

/** The names that the changed resources among `upserts` refer to. */
export function refsOfChanged(sub: Subscription, upserts: readonly EncodedResource[]): readonly string[] {
  // On a stream's first response nothing is known to the client, and it asks for all by itself.
  if (sub.revision === 0 && sub.all) return [];
  return [...new Set(upserts.flatMap((resource) => resource.refs))];
}

const none: ReadonlySet<string> = new Set();

/** What was held and is no longer: its removal is carried out. */
export function releasedBy({ held }: Subscription, now: Plan['held']): ReadonlySet<string> {
  return held.size === 0 ? none : new Set([...held.keys()].filter((name) => !now.has(name)));
}
