import { type Audience, isSeenBy } from '../model/audience.ts';
import { callsNobody, type GrpcScope, isCaller, type NodeScope, type SidecarScope } from '../model/node.ts';
import { isWildcard, mayMatchHost, meaningsOf, patternsOf } from '../model/values/hostname.ts';

/** An object with a scope. */
interface Scoped {
  readonly scope: NodeScope;
}

/** What a caller's dependencies match: names resolved in its namespace, and patterns. */
function dependencies({ dependsOn = [], namespace }: SidecarScope | GrpcScope): readonly string[] {
  return [...new Set(dependsOn.flatMap((host) => meaningsOf(host, namespace)))];
}

/** A Group's properties that decide who sees it. */
export interface GroupVisibility {
  readonly host: string;
  readonly namespace: string;
  readonly seenBy?: Audience;
}

/**
 * Indexes which scopes see a Group, and which Groups a scope sees. A gateway sees all Groups except those of
 * callers alone; a sidecar or a gRPC client sees its dependencies, else its namespace's, limited by
 * visibility; one whose workload calls nothing sees none.
 */
export class ScopeIndex<S extends Scoped> {
  readonly #gateways = new Set<S>();
  readonly #byHost = new Map<string, Set<S>>();
  readonly #byNamespace = new Map<string, Set<S>>();
  readonly #groups = new Map<string, GroupVisibility>();
  readonly #keysOfHost = new Map<string, Set<string>>();
  readonly #keysOfNamespace = new Map<string, Set<string>>();
  /** Hosts of Groups that are patterns. */
  readonly #wildcards = new Set<string>();
  /** Number of patterns that scopes depend on. */
  #patterns = 0;

  add(entry: S): void {
    for (const set of this.#setsOf(entry.scope)) set.add(entry);
    this.#patterns += patternsIn(entry.scope);
  }

  delete(entry: S): void {
    for (const set of this.#setsOf(entry.scope)) set.delete(entry);
    const { scope } = entry;
    this.#patterns -= patternsIn(scope);
    if (!isCaller(scope)) return;
    for (const host of dependencies(scope)) deleteEmpty(this.#byHost, host);
    deleteEmpty(this.#byNamespace, scope.namespace);
  }

  #setsOf(scope: NodeScope): Set<S>[] {
    if (!isCaller(scope)) return [this.#gateways];
    if (callsNobody(scope)) return [];
    if (scope.dependsOn === undefined) return [setAt(this.#byNamespace, scope.namespace)];
    return dependencies(scope).map((host) => setAt(this.#byHost, host));
  }

  /** A Group was added, or its visibility changed; undefined: removed. `key` identifies it. */
  setGroup(key: string, group: GroupVisibility | undefined): void {
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
      if (!this.#keysOfHost.has(old.host)) this.#wildcards.delete(old.host);
    }
    if (group === undefined) return;
    this.#groups.set(key, group);
    setAt(this.#keysOfNamespace, group.namespace).add(key);
    setAt(this.#keysOfHost, group.host).add(key);
    if (isWildcard(group.host)) this.#wildcards.add(group.host);
  }

  /** The scopes that see a Group. */
  *scopesOf(key: string): Iterable<S> {
    const group = this.#groups.get(key);
    if (group === undefined) return;
    if (group.seenBy?.gateways !== false) yield* this.#gateways;
    for (const entry of this.#dependingOn(group.host)) if (isVisibleTo(entry.scope, group)) yield entry;
    for (const entry of this.#byNamespace.get(group.namespace) ?? [])
      if (isVisibleTo(entry.scope, group)) yield entry;
  }

  /** The scopes that depend on a Group's host, each once. */
  #dependingOn(host: string): ReadonlySet<S> {
    const found = new Set(this.#byHost.get(host));
    if (isWildcard(host)) {
      for (const [wanted, scopes] of this.#byHost)
        if (mayMatchHost(wanted, host)) for (const scope of scopes) found.add(scope);
    } else if (this.#patterns > 0)
      for (const pattern of patternsOf(host))
        if (isWildcard(pattern)) for (const scope of this.#byHost.get(pattern) ?? []) found.add(scope);
    return found;
  }

  /** The hosts of all Groups, sorted. */
  hosts(): readonly string[] {
    return [...this.#keysOfHost.keys()].sort();
  }

  /** Whether a Group has exactly this host. */
  hasHost(host: string): boolean {
    return this.#keysOfHost.has(host);
  }

  /** Keys of all declarations of a host. */
  keysOfHost(host: string): Iterable<string> {
    return this.#keysOfHost.get(host) ?? [];
  }

  /** Keys of the Groups that a scope sees, sorted. */
  keysOf(scope: NodeScope): readonly string[] {
    return [...this.#candidates(scope)]
      .filter((key) => {
        const group = this.#groups.get(key);
        return group !== undefined && isVisibleTo(scope, group);
      })
      .sort();
  }

  #candidates(scope: NodeScope): Iterable<string> {
    if (!isCaller(scope)) return this.#groups.keys();
    if (callsNobody(scope)) return [];
    if (scope.dependsOn === undefined) return this.#keysOfNamespace.get(scope.namespace) ?? [];
    const wanted = dependencies(scope);
    // All hosts are scanned only for a pattern.
    const hosts = wanted.some(isWildcard) ? this.#keysOfHost.keys() : this.#wildcards;
    const others = [...hosts].filter((host) => wanted.some((one) => mayMatchHost(one, host)));
    return new Set([...wanted, ...others].flatMap((host) => [...(this.#keysOfHost.get(host) ?? [])]));
  }
}

/** Whether a scope sees a Group, found without an index. */
export function seesGroup(scope: NodeScope, group: GroupVisibility): boolean {
  if (!isVisibleTo(scope, group)) return false;
  if (!isCaller(scope)) return true;
  if (callsNobody(scope)) return false;
  if (scope.dependsOn === undefined) return scope.namespace === group.namespace;
  return dependencies(scope).some((wanted) => mayMatchHost(wanted, group.host));
}

function isVisibleTo(scope: NodeScope, { seenBy }: GroupVisibility): boolean {
  if (!isCaller(scope)) return seenBy?.gateways !== false;
  return isSeenBy(seenBy, scope.namespace);
}

function patternsIn(scope: NodeScope): number {
  return isCaller(scope) ? dependencies(scope).filter(isWildcard).length : 0;
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
