import type { NodeScope } from '../../model/node.ts';
import type { GroupPlan, ListenerRole } from '../../plan/types.ts';
import { keepEqual } from '../changes.ts';
import { type BuiltResource, buildHostRoutes, type Pack, routedListeners } from '../resources.ts';

/** A Group's own routes at each listener, shared by all scopes. */
export class GroupRoutes {
  readonly #plans: readonly GroupPlan[];
  readonly #pack: Pack;
  /** Built when a scope with the listener first sees the Group. */
  readonly #built = new Map<ListenerRole, readonly BuiltResource[]>();

  /** `old`: those that they replace; what is equal stays the same. */
  constructor(plans: readonly GroupPlan[], pack: Pack, old?: GroupRoutes) {
    this.#plans = plans;
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
    return buildHostRoutes(listener, this.#plans).map((one) => this.#pack(one, false));
  }
}
