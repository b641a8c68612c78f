import { contentHash } from '../../base/hash.ts';
import { compareText } from '../../base/text/compare-text.ts';
import { hasOwnScope } from '../../plan/routes/route-scope.ts';
import type { GroupPlan, ListenerRole } from '../../plan/types.ts';
import { keepEqual } from '../changes.ts';
import type { AlikeGroups } from '../group/alike.ts';
import { type BuiltResource, buildSharedTable, type Pack } from '../resources.ts';
import { haveSameRoutes } from '../route/same-routes.ts';
import { routesOfHost, sharedPlaceOf } from '../route/tables.ts';

/** A host in a shared table. */
interface Member {
  readonly plans: readonly GroupPlan[];
  /** By listener; equal keys, equal routes. Absent: it is not routed there. */
  readonly keys: ReadonlyMap<ListenerRole, string>;
}

/** Shared tables before and after a change. */
interface TablesChange {
  readonly old: readonly BuiltResource[];
  readonly now: readonly BuiltResource[];
}

/** The listeners of egress gateways. */
const listeners = ['sidecar', 'ingress'] as const satisfies readonly ListenerRole[];

/**
 * The route tables of egress gateways for hosts whose Groups differ in their names alone: a fixed number of
 * them, each with the hosts of an equal part of all, and routes once for all hosts that have them alike.
 *
 * A host never changes its table while it is there, or a proxy would be without routes for it until it has
 * the other one: a host that once had a table of its own keeps it, and one that was among others stays there.
 */
export class SharedTables {
  readonly #pack: Pack;
  readonly #alike: AlikeGroups;
  readonly #members = new Map<string, Member>();
  /** Hosts with tables of their own. */
  readonly #own = new Set<string>();
  /** Members by the table that they are in. */
  readonly #places = new Map<string, Set<string>>();
  readonly #built = new Map<string, readonly BuiltResource[]>();
  /** To be built. */
  readonly #changed = new Set<string>();

  constructor(pack: Pack, alike: AlikeGroups) {
    this.#pack = pack;
    this.#alike = alike;
  }

  /** Whether a host is in a shared table. */
  has(host: string): boolean {
    return this.#members.has(host);
  }

  /** All of them, table by table, built as they are asked for. */
  *inParts(): Iterable<readonly BuiltResource[]> {
    for (const place of [...this.#places.keys()]) {
      if (this.#changed.delete(place)) this.#rebuild(place);
      yield this.#built.get(place) ?? [];
    }
  }

  /** Whether `build` is due. */
  get isDue(): boolean {
    return this.#changed.size > 0;
  }

  /** Applies plans by host (an empty list: the Group was removed); `build` follows. */
  update(groups: ReadonlyMap<string, readonly GroupPlan[]>): void {
    for (const [host, all] of groups) {
      const plans = all.filter(({ seenBy }) => seenBy?.gateways !== false);
      const known = this.#members.get(host);
      if (!plans.some(({ crossing }) => crossing)) this.#remove(host);
      else if (known === undefined && (this.#own.has(host) || !mayShare(host, plans))) this.#own.add(host);
      else this.#set(host, plans, known);
    }
  }

  /** Builds those that changed; unchanged ones stay the same objects. */
  build(): TablesChange {
    const [old, now]: BuiltResource[][] = [[], []];
    for (const place of this.#changed) {
      old?.push(...(this.#built.get(place) ?? []));
      now?.push(...this.#rebuild(place));
    }
    this.#changed.clear();
    return { old: old ?? [], now: now ?? [] };
  }

  #rebuild(place: string): readonly BuiltResource[] {
    const built = keepEqual(this.#buildPlace(place), this.#built.get(place));
    if (built.length === 0) this.#built.delete(place);
    else this.#built.set(place, built);
    return built;
  }

  #set(host: string, plans: readonly GroupPlan[], known: Member | undefined): void {
    const isSame = known !== undefined && haveSameRoutes(known.plans, plans);
    const keys = isSame ? known.keys : this.#keysOf(plans);
    this.#members.set(host, { plans, keys });
    if (isSame) return;
    const place = sharedPlaceOf(host);
    const hosts = this.#places.get(place) ?? new Set();
    this.#places.set(place, hosts.add(host));
    this.#changed.add(place);
  }

  #keysOf(plans: readonly GroupPlan[]): ReadonlyMap<ListenerRole, string> {
    const kind = this.#alike.kindOf(plans);
    return new Map(
      listeners.flatMap((listener) => {
        const build = (of: readonly GroupPlan[]) => {
          const text = routesOfHost(listener, of);
          return text && contentHash(text);
        };
        const key = kind === undefined ? build(plans) : kind.textOf(listener, plans, build);
        return key === undefined ? [] : [[listener, key] as const];
      }),
    );
  }

  #remove(host: string): void {
    this.#own.delete(host);
    if (!this.#members.delete(host)) return;
    const place = sharedPlaceOf(host);
    const hosts = this.#places.get(place);
    hosts?.delete(host);
    if (hosts?.size === 0) this.#places.delete(place);
    this.#changed.add(place);
  }

  #buildPlace(place: string): readonly BuiltResource[] {
    const hosts = [...(this.#places.get(place) ?? [])].sort(compareText);
    return listeners.flatMap((listener) => {
      const alike = Map.groupBy(hosts, (host) => this.#members.get(host)?.keys.get(listener));
      const kinds = [...alike].flatMap(([key, same]) => {
        const plans = this.#members.get(same[0] ?? '')?.plans;
        return key === undefined || plans === undefined ? [] : [{ key, hosts: same, plans }];
      });
      if (kinds.length === 0) return [];
      const sorted = kinds.sort((a, b) => compareText(a.key, b.key));
      return [this.#pack(buildSharedTable(listener, place, sorted), true)];
    });
  }
}

/** Whether a host shares a table: all of its ports that leave the IDC do so as those of other Groups. */
function mayShare(host: string, plans: readonly GroupPlan[]): boolean {
  return hasOwnScope(host) && plans.every(({ crossing }) => crossing === undefined || crossing.away);
}
