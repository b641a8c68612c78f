import { type Audience, isSeenBy } from '../model/audience.ts';
import type { NodeScope } from '../model/node.ts';

/** Something that stands for a scope. */
export interface Scoped {
  readonly scope: NodeScope;
}

/** A Group, as far as it decides who sees it. */
export interface SeenGroup {
  readonly host: string;
  readonly namespace: string;
  readonly seenBy?: Audience;
}

/**
 * Which scopes a Group concerns, and which Groups a scope sees: looked up, never searched. A gateway sees all
 * Groups but those of callers alone, a sidecar what it depends on, else its namespace's, and of both what it may see;
 * one whose workload calls nobody sees none.
 */
export class ScopeIndex<S extends Scoped> {
  readonly #gateways = new Set<S>();
  readonly #byHost = new Map<string, Set<S>>();
  readonly #byNamespace = new Map<string, Set<S>>();
  readonly #groups = new Map<string, SeenGroup>();
  readonly #keysOfHost = new Map<string, Set<string>>();
  readonly #keysOfNamespace = new Map<string, Set<string>>();

  add(entry: S): void {
    for (const set of this.#setsOf(entry.scope)) set.add(entry);
  }

  delete(entry: S): void {
    for (const set of this.#setsOf(entry.scope)) set.delete(entry);
    const { scope } = entry;
    if (scope.role !== 'sidecar') return;
    for (const host of scope.dependsOn ?? []) deleteEmpty(this.#byHost, host);
    deleteEmpty(this.#byNamespace, scope.namespace);
  }

  #setsOf(scope: NodeScope): Set<S>[] {
    if (scope.role !== 'sidecar') return [this.#gateways];
    if (scope.outbound === undefined) return [];
    if (scope.dependsOn === undefined) return [setAt(this.#byNamespace, scope.namespace)];
    return scope.dependsOn.map((host) => setAt(this.#byHost, host));
  }

  /** A Group is there, or is seen by others now; undefined: it is gone. `key` names it among all Groups. */
  setGroup(key: string, group: SeenGroup | undefined): void {
    const old = this.#groups.get(key);
    if (old !== undefined) {
      for (const [map, name] of [
        [this.#keysOfNamespace, old.namespace],
        [this.#keysOfHost, old.host],
      ] as const) {
        map.get(name)?.delete(key);
        deleteEmpty(map, name);
      }
      this.#groups.delete(key);
    }
    if (group === undefined) return;
    this.#groups.set(key, group);
    setAt(this.#keysOfNamespace, group.namespace).add(key);
    setAt(this.#keysOfHost, group.host).add(key);
  }

  /** The scopes that see a Group. */
  *scopesOf(key: string): Iterable<S> {
    const group = this.#groups.get(key);
    if (group === undefined) return;
    if (group.seenBy?.gateways !== false) yield* this.#gateways;
    for (const entry of this.#byHost.get(group.host) ?? []) if (sees(entry.scope, group)) yield entry;
    for (const entry of this.#byNamespace.get(group.namespace) ?? [])
      if (sees(entry.scope, group)) yield entry;
  }

  /** Keys of all declarations of a host. */
  keysOfHost(host: string): Iterable<string> {
    return this.#keysOfHost.get(host) ?? [];
  }

  /** Keys of the Groups that a scope sees, in order. */
  keysOf(scope: NodeScope): readonly string[] {
    return [...this.#candidates(scope)]
      .filter((key) => {
        const group = this.#groups.get(key);
        return group !== undefined && sees(scope, group);
      })
      .sort();
  }

  #candidates(scope: NodeScope): Iterable<string> {
    if (scope.role !== 'sidecar') return this.#groups.keys();
    if (scope.outbound === undefined) return [];
    if (scope.dependsOn === undefined) return this.#keysOfNamespace.get(scope.namespace) ?? [];
    return new Set(scope.dependsOn.flatMap((host) => [...(this.#keysOfHost.get(host) ?? [])]));
  }
}

function sees(scope: NodeScope, { seenBy }: SeenGroup): boolean {
  if (scope.role !== 'sidecar') return seenBy?.gateways !== false;
  return isSeenBy(seenBy, scope.namespace);
}

function setAt<K, V>(map: Map<K, Set<V>>, key: K): Set<V> {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = new Set<V>();
  map.set(key, made);
  return made;
}

function deleteEmpty<K>(map: Map<K, Set<unknown>>, key: K): void {
  if (map.get(key)?.size === 0) map.delete(key);
}
