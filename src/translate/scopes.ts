import type { NodeScope } from '../model/node.ts';

/** Something that stands for a scope. */
export interface Scoped {
  readonly scope: NodeScope;
}

/**
 * Which scopes a Group concerns, and which Groups a scope sees: looked up, never searched. A gateway sees all
 * Groups, a sidecar what it depends on, else its namespace's; one whose workload calls nobody sees none.
 */
export class ScopeIndex<S extends Scoped> {
  readonly #gateways = new Set<S>();
  readonly #byHost = new Map<string, Set<S>>();
  readonly #byNamespace = new Map<string, Set<S>>();
  readonly #namespaces = new Map<string, string>();
  readonly #hosts = new Map<string, Set<string>>();

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

  /** A Group is there, or has another namespace now; undefined: it is gone. */
  setGroup(host: string, namespace: string | undefined): void {
    const old = this.#namespaces.get(host);
    if (old === namespace) return;
    if (old !== undefined) {
      this.#hosts.get(old)?.delete(host);
      deleteEmpty(this.#hosts, old);
      this.#namespaces.delete(host);
    }
    if (namespace === undefined) return;
    this.#namespaces.set(host, namespace);
    setAt(this.#hosts, namespace).add(host);
  }

  /** The scopes that see a Group. */
  *scopesOf(host: string): Iterable<S> {
    const namespace = this.#namespaces.get(host);
    if (namespace === undefined) return;
    yield* this.#gateways;
    yield* this.#byHost.get(host) ?? [];
    yield* this.#byNamespace.get(namespace) ?? [];
  }

  /** Hosts of the Groups that a scope sees, in order. */
  hostsOf(scope: NodeScope): readonly string[] {
    if (scope.role !== 'sidecar') return [...this.#namespaces.keys()].sort();
    if (scope.outbound === undefined) return [];
    if (scope.dependsOn === undefined) return [...(this.#hosts.get(scope.namespace) ?? [])].sort();
    return [...new Set(scope.dependsOn)].filter((host) => this.#namespaces.has(host)).sort();
  }
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
