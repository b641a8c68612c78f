import { sameContent } from '../../index/same-content.ts';
import type { Idc } from '../../model/idc.ts';
import type { NodeScope } from '../../model/node.ts';
import type { HungGateway } from '../../plan/gateways.ts';
import type { GroupPlan } from '../../plan/types.ts';
import { planForZone, preferredZone } from '../../plan/zone.ts';
import { keepEqual } from '../changes.ts';
import {
  type BuiltResource,
  buildCrossingEndpoints,
  buildGroupResources,
  buildInstanceEndpoints,
  type GroupReader,
  type Pack,
  readerOf,
} from '../resources.ts';
import type { AlikeGroups, GroupKind } from './alike.ts';
import { GroupRoutes } from './routes.ts';

/** The messages of a Group for its readers in a zone that it prefers, undefined for none. */
interface Messages {
  readonly reader: GroupReader;
  readonly zone: string | undefined;
  readonly resources: readonly BuiltResource[];
  readonly around: Around;
}

/** What the endpoints of other IDCs depend on beside a plan; another object once any of it changes. */
interface Around {
  readonly idcs: ReadonlyMap<string, Idc>;
  readonly hungGateways: readonly HungGateway[] | undefined;
}

/** The current state of a Group. */
export interface GroupEntry {
  readonly plans: readonly GroupPlan[];
  /** The Groups that it is alike; undefined: none. */
  readonly kind: GroupKind | undefined;
  /** For those who read it. Built when one first sees the Group: not while the registry is read. */
  messages: readonly Messages[];
  readonly routes: GroupRoutes;
}

const noMessages: readonly Messages[] = [];

/** Builds the messages of Groups: for who reads them, and only what has changed. */
export class GroupMessages {
  readonly #pack: Pack;
  readonly #alike: AlikeGroups;
  readonly #isShared: (host: string) => boolean;
  #around: Around = { idcs: new Map(), hungGateways: undefined };
  #built = 0;

  /** `isShared`: whether egress gateways have a host's routes in a table with those of others. */
  constructor(pack: Pack, alike: AlikeGroups, isShared: (host: string) => boolean) {
    this.#pack = pack;
    this.#alike = alike;
    this.#isShared = isShared;
  }

  /** How often messages of a Group were built. */
  get built(): number {
    return this.#built;
  }

  /** New endpoints of other IDCs; those that were built stay until `rebuildCrossings`. */
  changeAround(around: Around): void {
    this.#around = around;
  }

  /** A Group with new plans, and the messages of all who read the old one. */
  next(planned: readonly GroupPlan[], old: GroupEntry | undefined, hasNewRoutes: boolean): GroupEntry {
    const keepsRoutes = old !== undefined && !hasNewRoutes;
    // Copied: a list that was added to has room for sixteen more, and there are very many.
    const plans = [...planned];
    const kind = this.#alike.kindOf(plans);
    const routes = keepsRoutes
      ? old.routes
      : new GroupRoutes(plans, kind, this.#pack, this.#isShared, old?.routes);
    const next: GroupEntry = { plans, kind, messages: noMessages, routes };
    if (old === undefined) return next;
    const differs = plans.some((plan) => plan.zonePreference);
    const moved = haveSameButInstances(old.plans, plans);
    for (const earlier of old.messages) {
      const zone = differs ? earlier.zone : undefined;
      if (next.messages.some((one) => one.reader === earlier.reader && one.zone === zone)) continue;
      if (!moved || zone !== earlier.zone || !this.#moveInstances(next, earlier))
        this.#add(next, earlier.reader, zone, old.messages);
    }
    if (next.messages.length > 0) this.#built += 1;
    return next;
  }

  /** A Group's messages for a scope. */
  of(group: GroupEntry, scope: NodeScope): readonly BuiltResource[] {
    const zone = scope.role === 'egress' ? undefined : preferredZone(group.plans, scope);
    const reader = readerOf(scope);
    const found = group.messages.find((one) => one.reader === reader && one.zone === zone);
    if (found !== undefined) return found.resources;
    this.#built += 1;
    return this.#add(group, reader, zone);
  }

  /** Builds a Group's endpoints of other IDCs again. */
  rebuildCrossings(entry: GroupEntry): void {
    const { plans, messages } = entry;
    const next = [...messages];
    const { idcs, hungGateways = [] } = this.#around;
    const endpoints = plans
      .flatMap((plan) => buildCrossingEndpoints(plan, idcs, hungGateways))
      .map((one) => this.#pack(one, false));
    for (const [i, one] of messages.entries()) {
      if (one.reader !== 'egress') continue;
      const clusters = one.resources.filter(({ kind }) => kind !== 'EDS');
      const resources = keepEqual([...clusters, ...endpoints], one.resources);
      next[i] = { ...one, resources, around: this.#around };
    }
    entry.messages = next;
  }

  /** Adds messages that differ from earlier ones in endpoints alone; false: others may differ too. */
  #moveInstances(group: GroupEntry, earlier: Messages): boolean {
    const { reader, zone, resources: before, around } = earlier;
    if (reader === 'egress' && around !== this.#around) return false;
    const now = new Map<string, BuiltResource>();
    for (const plan of group.plans) {
      const endpoints = buildInstanceEndpoints(planForZone(plan, zone), reader);
      if (endpoints === undefined) return false;
      for (const one of endpoints) now.set(one.name, one);
    }
    const known = [...before, ...group.messages.flatMap((one) => one.resources)];
    const resources = before.map((one) => {
      const built = one.kind === 'EDS' ? now.get(one.name) : undefined;
      return built === undefined ? one : (keepEqual([this.#pack(built, false)], known)[0] as BuiltResource);
    });
    group.messages = group.messages.concat({ reader, zone, resources, around });
    return true;
  }

  /** Builds messages; those that equal earlier ones, or other readers', are the same objects. */
  #add(
    group: GroupEntry,
    reader: GroupReader,
    zone: string | undefined,
    earlier: readonly Messages[] = [],
  ): readonly BuiltResource[] {
    const isOf = (one: Messages) => one.reader === reader && one.zone === zone;
    const known = [
      ...earlier.filter(isOf),
      ...group.messages,
      ...earlier.filter((one) => !isOf(one)),
    ].flatMap((one) => one.resources);
    const resources = keepEqual(this.#build(group, reader, zone, known), known);
    group.messages = group.messages.concat({ reader, zone, resources, around: this.#around });
    return resources;
  }

  /** Builds messages; of an alike Group only what is its own. `known`: of its others, for their names. */
  #build(
    { plans, kind, messages }: GroupEntry,
    reader: GroupReader,
    zone: string | undefined,
    known: readonly BuiltResource[],
  ): readonly BuiltResource[] {
    const { idcs, hungGateways } = this.#around;
    const all = (some: readonly GroupPlan[]) =>
      some.flatMap((plan) => buildGroupResources(planForZone(plan, zone), reader, idcs, hungGateways));
    const packed = (built: readonly BuiltResource[]) => built.map((one) => this.#pack(one, false));
    if (kind === undefined || reader === 'grpc') return packed(all(plans));
    const names = known.map(({ name }) => name);
    if (reader === 'egress')
      return kind.build(reader, this.#around, plans, names, (some) => packed(all(some)));
    const clusters = kind.build(reader, undefined, plans, names, (some) =>
      packed(all(some).filter(({ kind }) => kind !== 'EDS')),
    );
    // Those of one zone are the same for all readers.
    const there = messages
      .filter((one) => one.zone === zone && one.reader !== 'egress' && one.reader !== 'grpc')
      .flatMap(({ resources }) => resources);
    const endpoints = plans
      .flatMap((plan) => buildInstanceEndpoints(planForZone(plan, zone), reader) ?? [])
      .map(
        (one) =>
          there.find(({ kind, name }) => kind === 'EDS' && name === one.name) ?? this.#pack(one, false),
      );
    return [...clusters, ...endpoints];
  }
}

/** Whether plans differ in their instances alone. */
function haveSameButInstances(a: readonly GroupPlan[], b: readonly GroupPlan[]): boolean {
  const others = ({ instances: _, drained: _drained, ...rest }: GroupPlan) => rest;
  return a.length === b.length && a.every((plan, i) => sameContent(others(plan), others(b[i] as GroupPlan)));
}
