import type { NodeScope } from '../../model/node.ts';
import type { GroupPlan, ListenerRole } from '../../plan/types.ts';
import { keepEqual } from '../changes.ts';
import { type BuiltResource, buildHostRoutes, type Pack, routedListeners } from '../resources.ts';
import { sharedPlaceOf } from '../route/tables.ts';
import type { GroupKind } from './alike.ts';

/** A Group's own routes at each listener, shared by all scopes. */
export class GroupRoutes {
  readonly #plans: readonly GroupPlan[];
  readonly #kind: GroupKind | undefined;
  readonly #pack: Pack;
  readonly #isShared: (host: string) => boolean;
  /** Built when a scope with the listener first sees the Group. */
  readonly #built: { [listener in ListenerRole]?: readonly BuiltResource[] } = {};

  /**
   * `kind`: that of these plans; `isShared`: whether egress gateways have a host's routes in a table with
   * those of others; `old`: routes that they replace: what is equal stays the same.
   */
  constructor(
    plans: readonly GroupPlan[],
    kind: GroupKind | undefined,
    pack: Pack,
    isShared: (host: string) => boolean,
    old?: GroupRoutes,
  ) {
    this.#plans = plans;
    this.#kind = kind;
    this.#pack = pack;
    this.#isShared = isShared;
    if (old === undefined) return;
    for (const [listener, known] of Object.entries(old.#built))
      this.#built[listener as ListenerRole] = keepEqual(this.#build(listener as ListenerRole), known);
  }

  of(scope: NodeScope): readonly BuiltResource[] {
    return routedListeners(scope).flatMap((listener) => {
      this.#built[listener] ??= this.#build(listener);
      return this.#built[listener];
    });
  }

  #build(listener: ListenerRole): readonly BuiltResource[] {
    const isOfEgress = listener === 'sidecar' || listener === 'ingress';
    const host = this.#plans[0]?.group.host;
    const place = isOfEgress && host !== undefined && this.#isShared(host) ? sharedPlaceOf(host) : undefined;
    const build = (plans: readonly GroupPlan[]) =>
      buildHostRoutes(listener, plans, place).map((one) => this.#pack(one, false));
    if (this.#kind === undefined) return build(this.#plans);
    return this.#kind.build(`routes ${listener} ${place ?? ''}`, undefined, this.#plans, [], build);
  }
}
