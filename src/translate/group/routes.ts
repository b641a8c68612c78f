import type { NodeScope } from '../../model/node.ts';
import type { GroupPlan, ListenerRole } from '../../plan/types.ts';
import { keepEqual } from '../changes.ts';
import { type BuiltResource, buildHostRoutes, type Pack, routedListeners } from '../resources.ts';
import type { GroupKind } from './alike.ts';

/** A Group's own routes at each listener, shared by all scopes. */
export class GroupRoutes {
  readonly #plans: readonly GroupPlan[];
  readonly #kind: GroupKind | undefined;
  readonly #pack: Pack;
  /** Built when a scope with the listener first sees the Group. */
  readonly #built = new Map<ListenerRole, readonly BuiltResource[]>();

  /** `kind`: that of these plans; `old`: routes that they replace: what is equal stays the same. */
  constructor(plans: readonly GroupPlan[], kind: GroupKind | undefined, pack: Pack, old?: GroupRoutes) {
    this.#plans = plans;
    this.#kind = kind;
    this.#pack = pack;
    if (old === undefined) return;
    for (const [listener, known] of old.#built)
      this.#built.set(listener, keepEqual(this.#build(listener), known));
  }

  of(scope: NodeScope): readonly BuiltResource[] {
    return routedListeners(scope).flatMap((listener) => {
      const known = this.#built.get(listener);
      if (known !== undefined) return known;
      const built = this.#build(listener);
      this.#built.set(listener, built);
      return built;
    });
  }

  #build(listener: ListenerRole): readonly BuiltResource[] {
    const build = (plans: readonly GroupPlan[]) =>
      buildHostRoutes(listener, plans).map((one) => this.#pack(one, false));
    if (this.#kind === undefined) return build(this.#plans);
    return this.#kind.build(`routes ${listener}`, undefined, this.#plans, [], build);
  }
}
