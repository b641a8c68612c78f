import type { EncodedResource } from '../codec/codec.ts';
import type { ResourceDifference } from '../events.ts';
import { differencesOf } from '../stream/differences.ts';
import type { Member } from '../stream/session.ts';
import type { ResourceRefusal } from '../stream/subscription.ts';

/** One resource of one client. */
export interface Inventory {
  readonly typeUrl: string;
  readonly name: string;
  /** The current resource; undefined if the client asked for a name that does not exist. */
  readonly resource: EncodedResource | undefined;
  /** Its difference from what the client has accepted, if any. */
  readonly difference: ResourceDifference | undefined;
  readonly refusal: ResourceRefusal | undefined;
  /** When the client last answered for this type, in the server's clock; undefined: never. */
  readonly answeredAt: number | undefined;
}

/** Upper bound of what `inventoryOf` yields: existing resources, or names. */
export function inventorySize({ group, snapshot }: Member): number {
  return group.wildcard ? snapshot.size : group.set.names.size;
}

/** Every resource of one type that a client has, should have or asked for, by name. */
export function inventoryOf({ sub, group, snapshot }: Member): Inventory[] {
  const different = new Map(differencesOf(sub, snapshot, group).map((one) => [one.name, one]));
  const there = new Map(snapshot.visible(group).map((one) => [one.name, one]));
  const names = new Set([...there.keys(), ...group.set.names, ...different.keys()]);
  const answeredAt = sub.acked?.at;
  const lastOf = (name: string) =>
    sub.held.has(name) ? (sub.held.get(name)?.last ?? snapshot.marks.get(name)?.last) : undefined;
  return [...names].sort().map((name) => ({
    typeUrl: sub.rule.url,
    name,
    resource: there.get(name) ?? lastOf(name),
    difference: different.get(name),
    refusal: sub.rejected.get(name),
    answeredAt,
  }));
}
