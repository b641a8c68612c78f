import type { Idc } from '../model/idc.ts';
import type { NodeRole, NodeScope } from '../model/node.ts';
import type { GroupPlan } from '../plan/types.ts';
import {
  type Built,
  buildGroupListeners,
  buildGroupResources,
  buildRoutes,
  buildScopeResources,
  type ResourceKind,
  routedListeners,
  type Surroundings,
} from './resources.ts';

/** What one scope is to get and to lose. */
export interface ScopeChange {
  readonly upserts: readonly Built[];
  readonly removals: readonly { readonly kind: ResourceKind; readonly name: string }[];
}

/** One Group as it was last built. */
interface GroupEntry {
  readonly plans: readonly GroupPlan[];
  readonly messages: Readonly<Record<NodeRole, readonly Built[]>>;
  /** Equal keys, equal routes: endpoints change often, routes seldom. */
  readonly routeKey: string;
}

interface ScopeEntry {
  readonly scope: NodeScope;
  /** What does not come from Groups: listeners, routes, filters, gateways. */
  own: ReadonlyMap<string, Built>;
}

/**
 * All built messages, kept so that a change builds only what it touches: one Group's messages are built once
 * for all scopes, and a scope's routes only when a Group in it changed its routes.
 */
export class Catalog {
  readonly #groups = new Map<string, GroupEntry>();
  readonly #scopes = new Map<string, ScopeEntry>();
  #idcs: ReadonlyMap<string, Idc> = new Map();
  #around: Surroundings = { own: undefined, filters: {} };

  /** Opens a scope under a key of the caller's; returns all that it gets. */
  open(key: string, scope: NodeScope): readonly Built[] {
    const own = this.#buildOwn(scope);
    this.#scopes.set(key, { scope, own });
    const groups = [...this.#groups].filter(([host, entry]) => isInScope(scope, host, entry.plans));
    return [...own.values(), ...groups.flatMap(([, entry]) => messagesFor(scope, entry))];
  }

  /** Forgets a scope. */
  close(key: string): void {
    this.#scopes.delete(key);
  }

  /** Takes in new surroundings (IDCs, filters); says what that changes for each scope. */
  surround(idcs: ReadonlyMap<string, Idc>, around: Surroundings): ReadonlyMap<string, ScopeChange> {
    this.#idcs = idcs;
    this.#around = around;
    return this.#changes(new Map(), () => true);
  }

  /** Takes in Groups by host (no plans: the Group is gone); says what that changes for each scope. */
  update(groups: ReadonlyMap<string, readonly GroupPlan[]>): ReadonlyMap<string, ScopeChange> {
    const before = new Map<string, GroupEntry | undefined>();
    for (const [host, plans] of groups) {
      const old = this.#groups.get(host);
      before.set(host, old);
      if (plans.length === 0) this.#groups.delete(host);
      else this.#groups.set(host, this.#buildGroup(plans, old));
    }
    return this.#changes(before, (scope) => {
      for (const [host, old] of before) {
        const entry = this.#groups.get(host);
        const was = old !== undefined && isInScope(scope, host, old.plans) ? old.routeKey : '';
        const is = entry !== undefined && isInScope(scope, host, entry.plans) ? entry.routeKey : '';
        if (was !== is) return true;
      }
      return false;
    });
  }

  #buildGroup(plans: readonly GroupPlan[], old: GroupEntry | undefined): GroupEntry {
    const built = plans.map((plan) => buildGroupResources(plan, this.#idcs));
    const of = (role: NodeRole) =>
      keepEqual(
        built.flatMap((one) => one[role]),
        old?.messages[role],
      );
    return {
      plans,
      messages: { sidecar: of('sidecar'), ingress: of('ingress'), egress: of('egress') },
      routeKey: JSON.stringify(
        plans.map((plan) => [plan.group, plan.isDefaultPort, plan.paths, plan.protocol, plan.addresses]),
      ),
    };
  }

  #buildOwn(scope: NodeScope): ReadonlyMap<string, Built> {
    const plans = [...this.#groups]
      .filter(([host, entry]) => isInScope(scope, host, entry.plans))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([, entry]) => entry.plans);
    const built = [
      ...buildScopeResources(scope, this.#around),
      ...buildGroupListeners(scope, plans),
      ...routedListeners(scope).map((listener) => buildRoutes(listener, plans)),
    ];
    return new Map(built.map((one) => [`${one.kind}/${one.name}`, one]));
  }

  #changes(
    before: ReadonlyMap<string, GroupEntry | undefined>,
    ownChanged: (scope: NodeScope) => boolean,
  ): ReadonlyMap<string, ScopeChange> {
    const changes = new Map<string, ScopeChange>();
    for (const [key, entry] of this.#scopes) {
      const { scope } = entry;
      const old: Built[] = [];
      const now: Built[] = [];
      for (const [host, was] of before) {
        const is = this.#groups.get(host);
        if (was !== undefined && isInScope(scope, host, was.plans)) old.push(...messagesFor(scope, was));
        if (is !== undefined && isInScope(scope, host, is.plans)) now.push(...messagesFor(scope, is));
      }
      if (ownChanged(scope)) {
        old.push(...entry.own.values());
        const built = this.#buildOwn(scope);
        const kept = keepEqual([...built.values()], [...entry.own.values()]);
        entry.own = new Map(kept.map((one) => [`${one.kind}/${one.name}`, one]));
        now.push(...kept);
      }
      const change = difference(old, now);
      if (change.upserts.length > 0 || change.removals.length > 0) changes.set(key, change);
    }
    return changes;
  }
}

/** Whether a scope gets a Group: a gateway all, a sidecar what it depends on, else its namespace's. */
function isInScope(scope: NodeScope, host: string, plans: readonly GroupPlan[]): boolean {
  if (scope.role !== 'sidecar') return true;
  if (scope.outbound === undefined) return false;
  if (scope.dependsOn !== undefined) return scope.dependsOn.includes(host);
  return plans[0]?.namespace === scope.namespace;
}

function messagesFor(scope: NodeScope, entry: GroupEntry): readonly Built[] {
  return entry.messages[scope.role];
}

/** `built`, with each message that equals an old one replaced by that old one: identity then says "unchanged". */
function keepEqual(built: readonly Built[], old: readonly Built[] | undefined): readonly Built[] {
  if (old === undefined) return built;
  const byName = new Map(old.map((one) => [`${one.kind}/${one.name}`, one]));
  return built.map((one) => {
    const same = byName.get(`${one.kind}/${one.name}`);
    return same !== undefined && JSON.stringify(same.message) === JSON.stringify(one.message) ? same : one;
  });
}

function difference(old: readonly Built[], now: readonly Built[]): ScopeChange {
  const before = new Set(old);
  const names = new Set(now.map((one) => `${one.kind}/${one.name}`));
  return {
    upserts: now.filter((one) => !before.has(one)),
    removals: old
      .filter((one) => !names.has(`${one.kind}/${one.name}`))
      .map(({ kind, name }) => ({ kind, name })),
  };
}
