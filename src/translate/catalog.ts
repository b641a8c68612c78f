import type { Idc } from '../model/idc.ts';
import type { NodeScope } from '../model/node.ts';
import { isWildcard, patternsOf } from '../model/values/hostname.ts';
import type { HungGateway } from '../plan/gateways.ts';
import { crossedBy, knownPeers } from '../plan/peers/peer-tls.ts';
import { hasOwnScope } from '../plan/routes/route-scope.ts';
import type { GroupPlan, ListenerRole } from '../plan/types.ts';
import { difference, keepEqual, type ScopeChange, type ScopeUpdate, touch } from './changes.ts';
import { AlikeGroups, type TemplateOf } from './group/alike.ts';
import { type GroupEntry, GroupMessages } from './group/messages.ts';
import { passthroughCluster } from './names.ts';
import { OwnResources } from './own-resources.ts';
import {
  type BuiltResource,
  buildPassthrough,
  buildRoutes,
  buildTcpResources,
  buildWholeTable,
  changesRoutesOf,
  type Pack,
  routedListeners,
  rtds,
  type ScopeContext,
} from './resources.ts';
import { otherHostsOf, passesUnknown } from './route/other-hosts.ts';
import { haveSameRoutes } from './route/same-routes.ts';
import { SpillLimits } from './runtime.ts';
import { type GroupVisibility, ScopeIndex } from './scopes.ts';
import { SharedClusters } from './shared/clusters.ts';
import { SharedTables } from './shared/tables.ts';

/** Work counters. Tests assert on them that an event's cost does not grow with unaffected Groups. */
interface CatalogWork {
  /** Groups whose messages were built. */
  readonly groupsBuilt: number;
  /** Route configurations of several Groups built. */
  routesBuilt: number;
  /** Scopes visited. */
  scopesVisited: number;
}

interface ScopeEntry {
  readonly key: string;
  readonly scope: NodeScope;
  /** Resources independent of Groups: listeners, filters, gateways. */
  ownResources: readonly BuiltResource[];
  /** Resources built from all its Groups: routes of several, and TCP listeners and tunnels. */
  routes: readonly BuiltResource[];
}

/** Groups whose endpoints are built in one turn of the event loop, some 20 ms. */
export const endpointsRebuiltAtOnce = 250;

/**
 * Caches built messages, so that a change builds only what it affects: a Group's messages are built once for
 * all scopes, and a scope's routes only if the routes of one of its Groups changed. Scopes that do not see
 * the Group are not visited.
 */
export class Catalog {
  readonly #groups = new Map<string, GroupEntry>();
  readonly #scopes = new Map<string, ScopeEntry>();
  /**
   * Listeners whose routes are also served as one table, by scope: some proxy still uses it. It may say so
   * before its scope is open.
   */
  readonly #whole = new Map<string, readonly ListenerRole[]>();
  readonly #index = new ScopeIndex<ScopeEntry>();
  readonly #work: Omit<CatalogWork, 'groupsBuilt'> = { routesBuilt: 0, scopesVisited: 0 };
  /** For ingress gateways with runtime layers. */
  readonly #limits = new SpillLimits();
  #layers: readonly BuiltResource[] = this.#limits.layers().map(rtds);
  /** For egress gateways. */
  readonly #sharedClusters: SharedClusters;
  readonly #sharedTables: SharedTables;
  #idcs: ReadonlyMap<string, Idc> = new Map();
  /** The same, as egress gateways cross to them. */
  #crossed: ReadonlyMap<string, Idc> = new Map();
  #context: ScopeContext = { localIdc: undefined, filters: {} };
  /** Hosts of all Groups, sorted; undefined after one was added or removed. */
  #declared: readonly string[] | undefined;
  readonly #stale = new Set<string>();
  readonly #rebuiltMax: number;
  readonly #pack: Pack;
  readonly #messages: GroupMessages;
  readonly #own: OwnResources;

  /**
   * `rebuiltMax`: after a change of hung gateways, endpoints of up to this many Groups are built at once;
   * those of more by `rebuildStale`. `pack`: what is kept of a resource; default: all of it. `templateOf`:
   * how resources of alike Groups are made of packed ones; default: each is built.
   */
  constructor({
    rebuiltMax = endpointsRebuiltAtOnce,
    pack = (built) => built,
    templateOf,
  }: { readonly rebuiltMax?: number; readonly pack?: Pack; readonly templateOf?: TemplateOf } = {}) {
    this.#rebuiltMax = rebuiltMax;
    this.#pack = pack;
    this.#own = new OwnResources(pack);
    const alike = new AlikeGroups(templateOf);
    this.#sharedTables = new SharedTables(pack, alike);
    this.#messages = new GroupMessages(pack, alike, (host) => this.#sharedTables.has(host));
    this.#sharedClusters = new SharedClusters(pack);
  }

  /** Opens a scope under the caller's key; returns all its resources. */
  open(key: string, scope: NodeScope): readonly BuiltResource[] {
    return [...this.openInParts(key, scope)].flat();
  }

  /** As `open`, Group by Group, built as they are asked for. Changes meanwhile come as those of any scope. */
  *openInParts(key: string, scope: NodeScope): Iterable<readonly BuiltResource[]> {
    this.#remove(key);
    const ownResources = this.#own.of(scope, this.#context);
    const entry: ScopeEntry = { key, scope, ownResources, routes: this.#buildRoutes(key, scope) };
    this.#scopes.set(key, entry);
    this.#index.add(entry);
    yield [
      ...ownResources,
      ...entry.routes,
      ...(hasRuntime(scope) ? this.#layers : []),
      ...(scope.role === 'egress' ? this.#sharedClusters.resources() : []),
    ];
    if (scope.role === 'egress') yield* this.#sharedTables.inParts();
    for (const group of this.#index.keysOf(scope)) {
      const found = this.#groups.get(group);
      if (found !== undefined) yield [...this.#messages.of(found, scope), ...found.routes.of(scope)];
    }
  }

  /** Groups that a scope sees. */
  countOf(scope: NodeScope): number {
    return this.#index.keysOf(scope).length;
  }

  /**
   * Serves the routes of these listeners also as one table each, named as the listener, and no others';
   * returns each scope's changes. A proxy's connections use that table until its older listener has drained.
   */
  serveWhole(key: string, listeners: readonly ListenerRole[]): ReadonlyMap<string, ScopeChange> {
    if (listeners.length === 0) this.#whole.delete(key);
    else this.#whole.set(key, listeners);
    const entry = this.#scopes.get(key);
    if (entry === undefined) return new Map();
    return this.#changes(new Map([[entry, { old: [], now: [], routes: true }]]));
  }

  /**
   * Whether nothing else of a scope serves the requests of a host's table: no Group of a pattern, and they do
   * not pass through.
   */
  standsAlone(key: string, table: string): boolean {
    const scope = this.#scopes.get(key)?.scope;
    const host = table.slice(table.indexOf('/') + 1);
    if (scope === undefined || passesUnknown(scope) || !hasOwnScope(host)) return false;
    for (const pattern of patternsOf(host))
      if (isWildcard(pattern) && this.#index.hasHost(pattern)) return false;
    return true;
  }

  /** Forgets a scope. */
  close(key: string): void {
    this.#whole.delete(key);
    this.#remove(key);
  }

  #remove(key: string): void {
    const entry = this.#scopes.get(key);
    if (entry !== undefined) this.#index.delete(entry);
    this.#scopes.delete(key);
  }

  /** Applies new surroundings (IDCs, filters); returns each scope's changes. */
  updateContext(idcs: ReadonlyMap<string, Idc>, context: ScopeContext): ReadonlyMap<string, ScopeChange> {
    const gateways = idcs !== this.#idcs;
    const { ready, hungGateways } = this.#context;
    if (gateways) this.#crossed = crossedBy(context.localIdc, idcs);
    this.#idcs = idcs;
    this.#context = { ...context, peers: knownPeers(idcs, context.localIdc?.meta.name) };
    if (gateways || hungGateways !== context.hungGateways)
      this.#messages.changeAround({ idcs: this.#crossed, hungGateways: context.hungGateways });
    const touched = new Map<ScopeEntry, ScopeUpdate>();
    for (const entry of this.#scopes.values()) {
      const old = entry.ownResources;
      entry.ownResources = keepEqual(this.#own.of(entry.scope, this.#context), old);
      const isTold = entry.scope.role === 'ingress' && ready !== context.ready;
      const routes = isTold || (gateways && entry.routes.some(({ name }) => name === passthroughCluster));
      touched.set(entry, { old: [...old], now: [...entry.ownResources], routes });
    }
    this.#rebuildShared((entry) => touch(touched, entry));
    this.#markStale(hungGateways ?? []);
    if (this.#stale.size <= this.#rebuiltMax) this.#rebuildStale(this.#stale.size, touched);
    return this.#changes(touched);
  }

  /** Marks the Groups with a cluster of their own to an IDC whose hung gateways changed. */
  #markStale(before: readonly HungGateway[]): void {
    const { hungGateways: now = [] } = this.#context;
    if (now === before) return;
    const changedIdcs = new Set(
      [...before, ...now].filter(({ kind }) => kind === 'ingress').map(({ idc }) => idc),
    );
    const isTouched = ({ crossing }: GroupPlan) =>
      crossing?.away === undefined && crossing?.idcs.some(({ idc }) => changedIdcs.has(idc));
    if (changedIdcs.size === 0) return;
    for (const [key, { plans }] of this.#groups) if (plans.some(isTouched)) this.#stale.add(key);
  }

  /** Groups whose endpoints do not reflect the hung gateways yet; see `rebuildStale`. */
  get stale(): number {
    return this.#stale.size;
  }

  /**
   * Rebuilds the endpoints of at most this many of them; returns each scope's changes. Each Group's endpoints
   * are independent.
   */
  rebuildStale(groupsMax: number): ReadonlyMap<string, ScopeChange> {
    const touched = new Map<ScopeEntry, ScopeUpdate>();
    this.#rebuildStale(groupsMax, touched);
    return this.#changes(touched);
  }

  #rebuildStale(groupsMax: number, touched: Map<ScopeEntry, ScopeUpdate>): void {
    let left = groupsMax;
    for (const key of this.#stale) {
      if (left === 0) return;
      left -= 1;
      this.#stale.delete(key);
      const entry = this.#groups.get(key);
      if (entry === undefined) continue;
      const scopes = [...this.#index.scopesOf(key)].filter(({ scope }) => scope.role === 'egress');
      for (const each of scopes) touch(touched, each).old.push(...this.#messages.of(entry, each.scope));
      this.#messages.rebuildCrossings(entry);
      for (const each of scopes) touch(touched, each).now.push(...this.#messages.of(entry, each.scope));
    }
  }

  /** Applies plans by host (an empty list: the Group was removed); returns each scope's changes. */
  update(groups: ReadonlyMap<string, readonly GroupPlan[]>): ReadonlyMap<string, ScopeChange> {
    const touched = new Map<ScopeEntry, ScopeUpdate>();
    const touchOne = (entry: ScopeEntry): ScopeUpdate => touch(touched, entry);
    this.#sharedTables.update(groups);
    const known = new Set([...groups.keys()].filter((host) => this.#index.hasHost(host)));
    for (const [key, plans] of this.#declarations(groups)) {
      const old = this.#groups.get(key);
      const routes = !haveSameRoutes(old?.plans ?? [], plans);
      const next = plans.length === 0 ? undefined : this.#messages.next(plans, old, routes);
      const changed = routes ? [...(old?.plans ?? []), ...plans] : [];
      const of = (group: GroupEntry, { scope }: ScopeEntry) => [
        ...this.#messages.of(group, scope),
        ...(routes ? group.routes.of(scope) : []),
      ];
      if (old !== undefined)
        for (const entry of this.#index.scopesOf(key)) {
          const one = touchOne(entry);
          one.old.push(...of(old, entry));
          one.routes ||= routes && (this.#whole.has(entry.key) || changesRoutesOf(entry.scope, changed));
        }
      this.#stale.delete(key);
      if (next === undefined) this.#groups.delete(key);
      else this.#groups.set(key, next);
      this.#index.setGroup(key, seenGroup(plans[0]));
      if (next !== undefined)
        for (const entry of this.#index.scopesOf(key)) {
          const one = touchOne(entry);
          one.now.push(...of(next, entry));
          one.routes ||= routes && (this.#whole.has(entry.key) || changesRoutesOf(entry.scope, changed));
        }
    }
    this.#updateLimits(groups, touchOne);
    if (this.#sharedClusters.update(groups)) this.#rebuildShared(touchOne);
    // Without an egress gateway they are built for the first one that comes.
    if (this.#sharedTables.isDue && [...this.#scopes.values()].some(({ scope }) => scope.role === 'egress'))
      this.#putAtEgress(this.#sharedTables.build(), touchOne);
    if ([...groups.keys()].some((host) => known.has(host) !== this.#index.hasHost(host))) {
      this.#declared = undefined;
      // Their routes contain the hosts of all Groups.
      for (const entry of this.#scopes.values())
        if (passesUnknown(entry.scope)) touchOne(entry).routes = true;
    }
    return this.#changes(touched);
  }

  #updateLimits(
    groups: ReadonlyMap<string, readonly GroupPlan[]>,
    touch: (entry: ScopeEntry) => ScopeUpdate,
  ): void {
    const changed = this.#limits.update(groups);
    if (changed.length === 0) return;
    const byName = new Map(changed.map((layer) => [layer.name, rtds(layer)]));
    const old = this.#layers.filter(({ name }) => byName.has(name));
    this.#layers = this.#layers.map((layer) => byName.get(layer.name) ?? layer);
    for (const entry of this.#scopes.values()) {
      if (!hasRuntime(entry.scope)) continue;
      const one = touch(entry);
      one.old.push(...old);
      one.now.push(...byName.values());
    }
  }

  #rebuildShared(touch: (entry: ScopeEntry) => ScopeUpdate): void {
    const old = this.#sharedClusters.resources();
    const now = this.#sharedClusters.build(this.#crossed, this.#context.hungGateways);
    this.#putAtEgress({ old, now }, touch);
  }

  /** Replaces resources that all egress gateways have. */
  #putAtEgress(
    { old, now }: { readonly old: readonly BuiltResource[]; readonly now: readonly BuiltResource[] },
    touch: (entry: ScopeEntry) => ScopeUpdate,
  ): void {
    if (old.length === now.length && old.every((one, i) => one === now[i])) return;
    for (const entry of this.#scopes.values()) {
      if (entry.scope.role !== 'egress') continue;
      const one = touch(entry);
      one.old.push(...old);
      one.now.push(...now);
    }
  }

  /** The work counters. */
  work(): Readonly<CatalogWork> {
    return { groupsBuilt: this.#messages.built, ...this.#work };
  }

  /** Plans by the key of each declaration of a host; a removed one has no plans. */
  #declarations(
    groups: ReadonlyMap<string, readonly GroupPlan[]>,
  ): ReadonlyMap<string, readonly GroupPlan[]> {
    const found = new Map<string, GroupPlan[]>();
    for (const [host, plans] of groups) {
      found.set(host, []);
      for (const key of this.#index.keysOfHost(host)) found.set(key, []);
      const keys = new Map<GroupPlan['seenBy'], string>();
      for (const plan of plans) {
        const key = keys.get(plan.seenBy) ?? keyOf(plan, keys.size);
        keys.set(plan.seenBy, key);
        const others = found.get(key);
        if (others === undefined) found.set(key, [plan]);
        else others.push(plan);
      }
    }
    return found;
  }

  #groupsOf(scope: NodeScope): GroupEntry[] {
    return this.#index.keysOf(scope).flatMap((key) => this.#groups.get(key) ?? []);
  }

  #buildRoutes(key: string, scope: NodeScope): readonly BuiltResource[] {
    const listeners = routedListeners(scope);
    this.#work.routesBuilt += listeners.length;
    const plans = this.#groupsOf(scope).flatMap((entry) => entry.plans);
    const declared = () => {
      this.#declared ??= this.#index.hosts();
      return this.#declared;
    };
    const others = otherHostsOf(scope, this.#idcs, declared);
    return [
      ...buildPassthrough(scope, plans),
      ...buildTcpResources(scope, plans),
      ...listeners.flatMap((listener) => buildRoutes(listener, plans, others, this.#context.ready)),
      ...(this.#whole.get(key) ?? []).map((listener) =>
        buildWholeTable(listener, plans, others, this.#context.ready),
      ),
    ].map((built) => this.#pack(built, true));
  }

  #changes(touched: ReadonlyMap<ScopeEntry, ScopeUpdate>): ReadonlyMap<string, ScopeChange> {
    const changes = new Map<string, ScopeChange>();
    this.#work.scopesVisited += touched.size;
    for (const [entry, { old, now, routes }] of touched) {
      if (routes) {
        old.push(...entry.routes);
        entry.routes = keepEqual(this.#buildRoutes(entry.key, entry.scope), entry.routes);
        now.push(...entry.routes);
      }
      const change = difference(old, now);
      if (change.upserts.length > 0 || change.removals.length > 0) changes.set(entry.key, change);
    }
    return changes;
  }
}

/** The host; if only some callers see it, with the view's number. */
function keyOf({ group, seenBy }: GroupPlan, view: number): string {
  return seenBy?.gateways === false ? `${group.host} ${view}` : group.host;
}

function seenGroup(plan: GroupPlan | undefined): GroupVisibility | undefined {
  if (plan === undefined) return undefined;
  const { group, namespace, seenBy } = plan;
  return { host: group.host, namespace, ...(seenBy === undefined ? {} : { seenBy }) };
}

function hasRuntime(scope: NodeScope): boolean {
  return scope.role === 'ingress' && scope.runtime === true;
}
