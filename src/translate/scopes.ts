import { SetsByKey } from '../index/sets-by-key.ts';
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
  readonly #byHost = new SetsByKey<string, S>();
  readonly #byNamespace = new SetsByKey<string, S>();
  readonly #groups = new Map<string, GroupVisibility>();
  readonly #keysOfHost = new SetsByKey<string, string>();
  readonly #keysOfNamespace = new SetsByKey<string, string>();
  /** Hosts of Groups that are patterns. */
  readonly #wildcards = new Set<string>();
  /** Number of patterns that scopes depend on. */
  #patterns = 0;

  add(entry: S): void {
    this.#eachPlace(entry.scope, (sets, key) => sets.add(key, entry));
    if (!isCaller(entry.scope)) this.#gateways.add(entry);
    this.#patterns += patternsIn(entry.scope);
  }

  delete(entry: S): void {
    this.#eachPlace(entry.scope, (sets, key) => sets.delete(key, entry));
    this.#gateways.delete(entry);
    this.#patterns -= patternsIn(entry.scope);
  }

  /** Where a caller is found. */
  #eachPlace(scope: NodeScope, visit: (sets: SetsByKey<string, S>, key: string) => void): void {
    if (!isCaller(scope) || callsNobody(scope)) return;
    if (scope.dependsOn === undefined) visit(this.#byNamespace, scope.namespace);
    else for (const host of dependencies(scope)) visit(this.#byHost, host);
  }

  /** A Group was added, or its visibility changed; undefined: removed. `key` identifies it. */
  setGroup(key: string, group: GroupVisibility | undefined): void {
    const old = this.#groups.get(key);
    if (old !== undefined) {
      this.#keysOfNamespace.delete(old.namespace, key);
      this.#keysOfHost.delete(old.host, key);
      this.#groups.delete(key);
      if (!this.#keysOfHost.has(old.host)) this.#wildcards.delete(old.host);
    }
    if (group === undefined) return;
    this.#groups.set(key, group);
    this.#keysOfNamespace.add(group.namespace, key);
    this.#keysOfHost.add(group.host, key);
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
