import { disagreements, type PlacedSelector } from '../agreement/instance.ts';
import { viewsOf } from '../model/audience.ts';
import { compareDeclarations } from '../model/declarations.ts';
import { type Drain, drainKey } from '../model/drain.ts';
import type { Evacuation } from '../model/evacuation.ts';
import type { DrGroup, Idc } from '../model/idc.ts';
import { type Change, type MeshObject, type Ref, refKey, refOf } from '../model/object.ts';
import type { ServiceEntry } from '../model/service.ts';
import { isWildcard, patternCovers } from '../model/values/hostname.ts';
import { createDestinationRules } from './destination-rules.ts';
import { createDrGroups } from './drgroups.ts';
import { createInstances, inlineInstance, type WorkloadSelection } from './instances.ts';
import { createNamedObjects } from './named-objects.ts';
import { createPrecedenceIndex } from './precedence-index.ts';
import { sameContent, sameList, sameObject } from './same-content.ts';
import { SharedMap } from './shared-map.ts';
import type { Declaration, GroupView, IndexWork, Instance, MeshIndex, MeshView, ViewDelta } from './view.ts';

/** A ServiceEntry and the source of its instances. Immutable, replaced with the ServiceEntry. */
interface EntryRecord {
  readonly key: string;
  readonly entry: ServiceEntry;
  readonly selection?: WorkloadSelection<ServiceEntry>;
  readonly inline: readonly Instance[];
}

/**
 * Creates an empty index; `idc`: the local IDC, for instances without locality.
 *
 * A batch is applied in two steps. First every object is stored, and what it may affect is noted: lists of
 * instances, hosts. Then each noted Group is built once, and is in the delta only if it differs from before.
 */
export function createIndex(options: { readonly idc: string }): MeshIndex {
  const work: IndexWork = { labelMatches: 0, groupsBuilt: 0 };
  const instances = createInstances<ServiceEntry>(options.idc, work);
  const rules = createDestinationRules();
  const drGroups = createDrGroups(work);
  const entries = new Map<string, EntryRecord>();
  const byHost = createPrecedenceIndex<EntryRecord>((a, b) => compareDeclarations(a.entry, b.entry));
  const idcs = createNamedObjects<Idc>();
  const evacuations = createNamedObjects<Evacuation>();
  let drains: ReadonlyMap<string, Drain> = new Map();
  const dirtyHosts = new Set<string>();
  let groups = SharedMap.empty<GroupView>();
  let view: MeshView = { groups, idcs: idcs.view(), evacuations: evacuations.view(), drains };

  function dirty(hosts: Iterable<string>): void {
    for (const host of hosts) dirtyHosts.add(host);
  }

  function dirtyEntry(key: string): void {
    dirty(entries.get(key)?.entry.spec.hosts ?? []);
  }

  function dirtyPatterns(patterns: readonly string[]): void {
    for (const pattern of patterns) {
      dirtyHosts.add(pattern);
      if (!isWildcard(pattern)) continue;
      for (const host of byHost.keys()) if (patternCovers(pattern, host)) dirtyHosts.add(host);
    }
  }

  function removeEntry(key: string): void {
    const old = entries.get(key);
    if (old === undefined) return;
    const { meta, spec } = old.entry;
    dirty(spec.hosts);
    entries.delete(key);
    for (const host of new Set(spec.hosts)) byHost.remove(host, old);
    if (old.selection) instances.detach(meta.namespace, old.selection, old.entry);
  }

  function setEntry(entry: ServiceEntry): void {
    const key = refKey(refOf(entry));
    if (sameContent(entries.get(key)?.entry, entry)) return;
    const { workloadSelector, endpoints, hosts } = entry.spec;
    // Attached before the old one is detached, so that an unchanged selector is not matched again.
    const selection = workloadSelector && instances.attach(entry.meta.namespace, workloadSelector, entry);
    removeEntry(key);
    const inline = selection ? [] : endpoints.map((spec) => inlineInstance(spec, options.idc));
    const record: EntryRecord = { key, entry, inline, ...(selection && { selection }) };
    entries.set(key, record);
    for (const host of new Set(hosts)) byHost.add(host, record);
    drGroups.setEntry(key, entry.meta.labels);
    dirty(hosts);
  }

  function upsert(object: MeshObject): void {
    switch (object.kind) {
      case 'ServiceEntry':
        setEntry(object);
        break;
      case 'WorkloadEntry':
        instances.set(object);
        break;
      case 'DestinationRule':
        dirtyPatterns(rules.set(object));
        break;
      case 'DrGroup':
        drGroups.set(object);
        break;
      case 'Idc':
        idcs.set(object);
        break;
      case 'Evacuation':
        evacuations.set(object);
        break;
      case 'Drain':
        setDrain(object.meta, object);
        break;
    }
  }

  function remove(ref: Ref): void {
    switch (ref.kind) {
      case 'ServiceEntry':
        removeEntry(refKey(ref));
        drGroups.deleteEntry(refKey(ref));
        break;
      case 'WorkloadEntry':
        instances.delete(ref.namespace, ref.name);
        break;
      case 'DestinationRule':
        dirtyPatterns(rules.delete(ref));
        break;
      case 'DrGroup':
        drGroups.delete(ref);
        break;
      case 'Idc':
        idcs.delete(ref.name);
        break;
      case 'Evacuation':
        evacuations.delete(ref.name);
        break;
      case 'Drain':
        setDrain(ref, undefined);
        break;
    }
  }

  function setDrain(key: Pick<Ref, 'namespace' | 'name'>, drain: Drain | undefined): void {
    const next = new Map(drains);
    if (drain === undefined) next.delete(drainKey(key));
    else next.set(drainKey(key), drain);
    drains = next;
    instances.setDrained(key.namespace, key.name, drain !== undefined);
  }

  function buildGroup(host: string): GroupView | undefined {
    work.groupsBuilt++;
    const ranked = byHost.ranked(host);
    const record = ranked[0];
    if (record === undefined) return undefined;
    const { namespace } = record.entry.meta;
    // Only Groups known to gateways leave the IDC.
    const claims = new Map(
      ranked
        .filter(({ entry }) => entry.meta.namespace === namespace)
        .map((one) => [one, drGroups.claims(host, one.key)] as const),
    );
    const declared = ranked.map(({ entry }) => entry);
    const drGroupOf = (one: EntryRecord) => claims.get(one)?.[0];
    if (ranked.length === 1 && record.entry.spec.exportTo === undefined)
      return viewOf(host, [record], drGroupOf);
    const exported = declared.map(({ meta, spec }) => ({
      namespace: meta.namespace,
      exportTo: spec.exportTo,
    }));
    const [main, ...others] = viewsOf(exported).map(({ members, audience }): GroupView => {
      const records = members.map((member) => ranked[member] as EntryRecord);
      return { ...viewOf(host, records, drGroupOf), ...(audience && { seenBy: audience }) };
    });
    return main && { ...main, ...(others.length > 0 && { others }) };
  }

  /** The host for callers that see exactly these declarations. */
  function viewOf(
    host: string,
    records: readonly EntryRecord[],
    drGroupOf: (record: EntryRecord) => DrGroup | undefined,
  ): GroupView {
    const [main, ...siblings] = records.map((record): Declaration => {
      const drGroup = drGroupOf(record);
      return { entry: record.entry, instances: instancesOf(record), ...(drGroup && { drGroup }) };
    }) as [Declaration, ...Declaration[]];
    const rule = rules.find(host, main.entry.meta.namespace);
    return { host, ...main, ...(siblings.length > 0 && { siblings }), ...(rule && { rule }) };
  }

  function instancesOf({ selection, inline }: EntryRecord): readonly Instance[] {
    return selection ? instances.listOf(selection) : inline;
  }

  /** Builds the noted Groups and returns the hosts of those that differ. */
  function settleGroups(): Set<string> {
    for (const entry of instances.updateLists()) dirty(entry.spec.hosts);
    const touched = drGroups.takeAffected();
    dirtyPatterns([...touched.hosts]);
    for (const key of touched.entries) dirtyEntry(key);
    const changes = new Map<string, GroupView | undefined>();
    for (const host of dirtyHosts) {
      const next = buildGroup(host);
      if (!sameGroup(groups.get(host), next)) changes.set(host, next);
    }
    dirtyHosts.clear();
    if (changes.size > 0) groups = groups.with(changes);
    return new Set(changes.keys());
  }

  return {
    apply(batch): ViewDelta {
      for (const change of batch) applyChange(change);
      const delta = {
        groups: settleGroups(),
        idcs: idcs.takeChanged(),
        evacuations: evacuations.takeChanged(),
      };
      if (delta.groups.size + delta.idcs.size + delta.evacuations.size > 0 || drains !== view.drains) {
        view = { groups, idcs: idcs.view(), evacuations: evacuations.view(), drains };
      }
      return delta;
    },
    view: () => view,
    hasExactly,
    contentOf,
    instanceOf: ({ namespace, name }) => instances.find(namespace, name)?.instance,
    refs,
    disagreementsOf({ namespace, name }) {
      const found = instances.find(namespace, name);
      if (found === undefined) return [];
      const anywhere = found.owners.length > 0 ? [] : placedSelectors();
      const selectors = anywhere.flatMap((one) => (one.namespace === namespace ? [one.selector] : []));
      const around = { namespace, entries: found.owners, idcs: idcNames(), selectors, anywhere };
      return disagreements(found.instance, around);
    },
    work: () => ({ ...work }),
  };

  function idcNames(): Set<string> {
    return new Set([...idcs.values()].map(({ meta }) => meta.name));
  }

  function placedSelectors(): PlacedSelector[] {
    return [...entries.values()].flatMap(
      ({
        entry: {
          meta,
          spec: { workloadSelector: selector },
        },
      }) => (selector ? [{ namespace: meta.namespace, selector }] : []),
    );
  }

  function hasExactly(object: MeshObject): boolean {
    switch (object.kind) {
      case 'ServiceEntry':
        return sameObject(entries.get(refKey(refOf(object)))?.entry, object);
      case 'WorkloadEntry':
        return instances.hasExactly(object);
      case 'DestinationRule':
        return sameObject(rules.get(refOf(object)), object);
      case 'DrGroup':
        return sameObject(drGroups.get(refOf(object)), object);
      case 'Idc':
        return sameObject(idcs.get(object.meta.name), object);
      case 'Evacuation':
        return sameObject(evacuations.get(object.meta.name), object);
      case 'Drain':
        return sameObject(drains.get(drainKey(object.meta)), object);
    }
  }

  function contentOf(ref: Ref): unknown {
    if (ref.kind === 'WorkloadEntry') return instances.find(ref.namespace, ref.name)?.instance;
    const object = objectOf(ref);
    if (object === undefined) return undefined;
    const { labels, annotations } = object.meta;
    return { metadata: { labels, annotations }, spec: object.spec };
  }

  function objectOf(ref: Ref): MeshObject | undefined {
    switch (ref.kind) {
      case 'ServiceEntry':
        return entries.get(refKey(ref))?.entry;
      case 'WorkloadEntry':
        return undefined;
      case 'DestinationRule':
        return rules.get(ref);
      case 'DrGroup':
        return drGroups.get(ref);
      case 'Idc':
        return idcs.get(ref.name);
      case 'Evacuation':
        return evacuations.get(ref.name);
      case 'Drain':
        return drains.get(drainKey(ref));
    }
  }

  function* refs(): Iterable<Ref> {
    for (const { entry } of entries.values()) yield refOf(entry);
    yield* instances.refs();
    for (const list of [rules.all(), drGroups.all(), idcs.values(), evacuations.values(), drains.values()])
      for (const object of list) yield refOf(object);
  }

  function applyChange(change: Change): void {
    if (change.type === 'upsert') upsert(change.object);
    else if (change.type === 'delete') remove(change.ref);
  }
}

function sameGroup(a: GroupView | undefined, b: GroupView | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    sameDeclaration(a, b) &&
    sameObject(a.rule, b.rule) &&
    sameContent(a.seenBy, b.seenBy) &&
    sameAll(a.siblings, b.siblings, sameDeclaration) &&
    sameAll(a.others, b.others, sameGroup)
  );
}

function sameDeclaration(a: Declaration, b: Declaration): boolean {
  return (
    sameObject(a.entry, b.entry) && sameList(a.instances, b.instances) && sameObject(a.drGroup, b.drGroup)
  );
}

function sameAll<T>(
  a: readonly T[] | undefined,
  b: readonly T[] | undefined,
  same: (a: T, b: T) => boolean,
): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && a.every((one, i) => same(one, b[i] as T));
}
