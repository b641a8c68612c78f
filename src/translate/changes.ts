import { sameContent } from '../index/same-content.ts';
import type { ResourceTypeName } from '../xds/resource-types.ts';
import type { BuiltResource } from './resources.ts';

/** Resources to send to and remove from a scope. */
export interface ScopeChange {
  readonly upserts: readonly BuiltResource[];
  readonly removals: readonly { readonly kind: ResourceTypeName; readonly name: string }[];
}

/**
 * `built`, with messages that equal an old one replaced by the old object: identity then means "unchanged".
 */
export function keepEqual(
  built: readonly BuiltResource[],
  old: readonly BuiltResource[] | undefined,
): readonly BuiltResource[] {
  if (old === undefined) return built;
  const byName = new Map(old.map((one) => [`${one.kind}/${one.name}`, one]));
  return built.map((one) => {
    const same = byName.get(`${one.kind}/${one.name}`);
    return same !== undefined && sameContent(same.message, one.message) ? same : one;
  });
}

/** The difference between the resources `old` and `now` of a scope, by identity. */
export function difference(old: readonly BuiltResource[], now: readonly BuiltResource[]): ScopeChange {
  const before = new Set(old);
  const names = new Set(now.map((one) => `${one.kind}/${one.name}`));
  return {
    upserts: now.filter((one) => !before.has(one)),
    removals: old
      .filter((one) => !names.has(`${one.kind}/${one.name}`))
      .map(({ kind, name }) => ({ kind, name })),
  };
}
