import { sameContent } from '../index/same-content.ts';
import type { ResourceTypeName } from '../xds/resource-types.ts';
import { type BuiltResource, isEncoded } from './resources.ts';

/** Resources to send to and remove from a scope. */
export interface ScopeChange {
  readonly upserts: readonly BuiltResource[];
  readonly removals: readonly { readonly kind: ResourceTypeName; readonly name: string }[];
}

/**
 * `built`, with messages that equal an old one replaced by the old object: identity then means "unchanged".
 * Of several old ones the first that is equal.
 */
export function keepEqual(
  built: readonly BuiltResource[],
  old: readonly BuiltResource[] | undefined,
): readonly BuiltResource[] {
  if (old === undefined || old.length === 0) return built;
  const byName = Map.groupBy(old, nameOf);
  return built.map(
    (one) => byName.get(nameOf(one))?.find((same) => isSame(same.message, one.message)) ?? one,
  );
}

function isSame(a: BuiltResource['message'], b: BuiltResource['message']): boolean {
  if (isEncoded(a)) return isEncoded(b) && a.equals(b);
  return !isEncoded(b) && sameContent(a, b);
}

function nameOf({ kind, name }: BuiltResource): string {
  return `${kind}/${name}`;
}

/** The difference between the resources `old` and `now` of a scope, by identity. */
export function difference(old: readonly BuiltResource[], now: readonly BuiltResource[]): ScopeChange {
  const before = new Set(old);
  const names = new Set(now.map(nameOf));
  return {
    upserts: now.filter((one) => !before.has(one)),
    removals: old.filter((one) => !names.has(nameOf(one))).map(({ kind, name }) => ({ kind, name })),
  };
}

/** A scope's resources before and after a change. */
export interface ScopeUpdate {
  readonly old: BuiltResource[];
  readonly now: BuiltResource[];
  /** Whether resources of all its Groups are built again. */
  routes: boolean;
}

/** What changes for one of the scopes touched so far; it becomes one of them. */
export function touch<Scope>(touched: Map<Scope, ScopeUpdate>, entry: Scope): ScopeUpdate {
  const known = touched.get(entry);
  if (known !== undefined) return known;
  const made: ScopeUpdate = { old: [], now: [], routes: false };
  touched.set(entry, made);
  return made;
}
