import { drainKey } from '../model/drain.ts';
import type { Labels } from '../model/meta.ts';
import { type Ref, refOf } from '../model/object.ts';
import type { WorkloadEntry, WorkloadSpec } from '../model/service.ts';
import { splitLocality } from '../model/values/locality.ts';
import { lowerBound } from './precedence-index.ts';
import { sameContent, sameList } from './same-content.ts';
import { createLabelMatcher, type LabelMatcher, type Selection } from './selector.ts';
import type { IndexWork, Instance } from './view.ts';

/** The WorkloadEntries of a namespace that a selector selects; `O` identifies its owners. */
export type WorkloadSelection<O> = Selection<Instance, O>;

/** WorkloadEntries by namespace, and which of them each selector selects. */
interface Instances<O> {
  set(entry: WorkloadEntry): void;
  delete(namespace: string, name: string): void;
  /** Whether an entry of this name is drained, now and when it comes later. */
  setDrained(namespace: string, name: string, isDrained: boolean): void;
  /** Whether this entry is there, with exactly this content. */
  hasExactly(entry: WorkloadEntry): boolean;
  /** All entries. */
  refs(): Iterable<Ref>;
  /** An entry as an instance, and the owners that select it; undefined: there is none. */
  find(namespace: string, name: string): { instance: Instance; owners: readonly O[] } | undefined;
  /** Names of the entries that are not selected, by namespace. */
  unselected(): Map<string, string[]>;
  attach(namespace: string, selector: Labels, owner: O): WorkloadSelection<O>;
  detach(namespace: string, selection: WorkloadSelection<O>, owner: O): void;
  /** The selected instances by name, as of the last `updateLists`; equal content is the same list. */
  listOf(selection: WorkloadSelection<O>): readonly Instance[];
  /** Updates the lists and returns the owners of changed ones. */
  updateLists(): Set<O>;
}

/** Creates an empty index of instances. `idc`: the local IDC, for instances without locality. */
export function createInstances<O>(idc: string, work: IndexWork): Instances<O> {
  const namespaces = new Map<string, LabelMatcher<Instance, O>>();
  const lists = new Map<WorkloadSelection<O>, readonly Instance[]>();
  const touched = new Map<WorkloadSelection<O>, Set<string>>();
  // Most sources show the same objects at each comparison: these need no second look.
  const instanceOfEntry = new WeakMap<WorkloadEntry, Instance>();
  /** By `drainKey`. */
  const drained = new Set<string>();
  const isDrained = ({ meta }: WorkloadEntry) => drained.size > 0 && drained.has(drainKey(meta));

  function touch(selection: WorkloadSelection<O>, name: string): void {
    const names = touched.get(selection);
    if (names === undefined) touched.set(selection, new Set([name]));
    else names.add(name);
  }

  function matcherOf(namespace: string): LabelMatcher<Instance, O> {
    const known = namespaces.get(namespace);
    if (known !== undefined) return known;
    const created = createLabelMatcher<Instance, O>(work, touch);
    namespaces.set(namespace, created);
    return created;
  }

  function forgetIfEmpty(namespace: string): void {
    if (namespaces.get(namespace)?.isEmpty()) namespaces.delete(namespace);
  }

  return {
    set(entry) {
      const matcher = matcherOf(entry.meta.namespace);
      const next = instanceOf(entry, idc, isDrained(entry));
      const known = matcher.getItem(entry.meta.name);
      const isSame = known !== undefined && sameContent(known, next);
      instanceOfEntry.set(entry, isSame ? known : next);
      if (!isSame) matcher.setItem(entry.meta.name, next.labels, next);
    },
    delete(namespace, name) {
      namespaces.get(namespace)?.deleteItem(name);
      forgetIfEmpty(namespace);
    },
    setDrained(namespace, name, isOut) {
      const key = drainKey({ namespace, name });
      if (isOut) drained.add(key);
      else drained.delete(key);
      const matcher = namespaces.get(namespace);
      const instance = matcher?.getItem(name);
      if (instance !== undefined) matcher?.setItem(name, instance.labels, withDrain(instance, isOut));
    },
    hasExactly(entry) {
      const known = namespaces.get(entry.meta.namespace)?.getItem(entry.meta.name);
      if (known === undefined) return false;
      if (instanceOfEntry.get(entry) === known) return true;
      return sameContent(known, instanceOf(entry, idc, isDrained(entry)));
    },
    *refs() {
      for (const [namespace, matcher] of namespaces)
        for (const name of matcher.names()) yield { kind: 'WorkloadEntry', namespace, name };
    },
    find(namespace, name) {
      const matcher = namespaces.get(namespace);
      const instance = matcher?.getItem(name);
      if (matcher === undefined || instance === undefined) return undefined;
      return { instance, owners: matcher.selectionsOf(name).flatMap((selection) => [...selection.owners]) };
    },
    unselected() {
      const found = new Map<string, string[]>();
      for (const [namespace, matcher] of namespaces) {
        const names = [...matcher.names()].filter((name) => matcher.selectionsOf(name).length === 0);
        if (names.length > 0) found.set(namespace, names.sort());
      }
      return found;
    },
    attach: (namespace, selector, owner) => matcherOf(namespace).attach(selector, owner),
    detach(namespace, selection, owner) {
      matcherOf(namespace).detach(selection, owner);
      if (selection.owners.size > 0) return;
      lists.delete(selection);
      touched.delete(selection);
      forgetIfEmpty(namespace);
    },
    listOf: (selection) => lists.get(selection) ?? [],
    updateLists() {
      const owners = new Set<O>();
      for (const [selection, names] of touched) {
        const old = lists.get(selection) ?? [];
        const next = mergeTouched(old, selection.members, names);
        if (sameList(old, next)) continue;
        // Copied: a list that was added to has room for sixteen more.
        lists.set(selection, [...next]);
        for (const owner of selection.owners) owners.add(owner);
      }
      touched.clear();
      return owners;
    },
  };
}

/** Converts an inline endpoint of a ServiceEntry to an instance. */
export function inlineInstance(spec: WorkloadSpec, idc: string): Instance {
  return {
    address: spec.address,
    ports: spec.ports,
    labels: spec.labels,
    idc: splitLocality(spec.locality ?? '').idc || idc,
    locality: spec.locality ?? '',
    weight: spec.weight ?? 1,
  };
}

function instanceOf(entry: WorkloadEntry, idc: string, isDrained: boolean): Instance {
  const { labels: own } = entry.meta;
  const labels = Object.keys(own).length === 0 ? entry.spec.labels : { ...entry.spec.labels, ...own };
  const instance = { ...inlineInstance(entry.spec, idc), labels, ref: refOf(entry) };
  return isDrained ? withDrain(instance, true) : instance;
}

function withDrain({ drained: _, ...instance }: Instance, isDrained: boolean): Instance {
  return isDrained ? { ...instance, drained: true } : instance;
}

/** `old` with the touched names updated from `members`: linear in the list, whatever the batch. */
function mergeTouched(
  old: readonly Instance[],
  members: ReadonlyMap<string, Instance>,
  touched: ReadonlySet<string>,
): readonly Instance[] {
  const next: Instance[] = [];
  let read = 0;
  for (const name of [...touched].sort()) {
    const at = lowerBound(old, name, nameOf, read);
    while (read < at) next.push(old[read++] as Instance);
    const before = old[read];
    if (before !== undefined && nameOf(before) === name) read++;
    const member = members.get(name);
    if (member !== undefined) next.push(member);
  }
  while (read < old.length) next.push(old[read++] as Instance);
  return next;
}

/** Instances in a selection come from WorkloadEntries, which have a name. */
function nameOf(instance: Instance): string {
  return instance.ref?.name as string;
}
