import { labelsOf, matchesLabels } from '../../agreement/mesh.ts';
import type { Labels } from '../../model/meta.ts';
import type { ServiceEntry, WorkloadEntry } from '../../model/service.ts';
import { splitLocality } from '../../model/values/locality.ts';

/** What is without an instance once the last ones are deleted. */
interface Loss {
  readonly hosts: readonly string[];
  /** The IDC, by the instances' locality; '' if they have none. */
  readonly idc: string;
}

/** A selector that chooses some of the instances to delete, and the IDCs in which none else was found yet. */
interface Choice {
  readonly entry: ServiceEntry;
  readonly chosen: readonly WorkloadEntry[];
  readonly idcs: Set<string>;
}

/**
 * Finds those of the instances `gone` after which a ServiceEntry has no instance in an IDC any more, given
 * the others, `rest`. Several of one IDC that go together are all the last. Each selector is looked up by the
 * one of its labels that the fewest instances have, so that the work is linear in all objects.
 */
export function findLastInstances(
  gone: readonly WorkloadEntry[],
  rest: readonly WorkloadEntry[],
  entries: readonly ServiceEntry[],
): Map<WorkloadEntry, Loss> {
  const last = new Map<WorkloadEntry, Loss>();
  if (gone.length === 0) return last;
  const byLabel = new Lookup<WorkloadEntry>();
  for (const instance of gone) byLabel.addAll(instance.meta.namespace, labelsIn(instance), instance);
  const choices: Choice[] = [];
  const choicesByLabel = new Lookup<Choice>();
  for (const entry of entries) {
    const selector = entry.spec.workloadSelector;
    if (selector === undefined) continue;
    const { label, items } = byLabel.fewest(entry.meta.namespace, selector);
    const chosen = items.filter((instance) => matchesLabels(selector, labelsIn(instance)));
    if (chosen.length === 0) continue;
    const choice = { entry, chosen, idcs: new Set(chosen.map(idcIn)) };
    choices.push(choice);
    choicesByLabel.add(entry.meta.namespace, label, choice);
  }
  for (const instance of rest) {
    const labels = labelsIn(instance);
    choicesByLabel.forEachOf(instance.meta.namespace, labels, ({ entry, idcs }) => {
      if (idcs.size > 0 && matchesLabels(entry.spec.workloadSelector ?? {}, labels))
        idcs.delete(idcIn(instance));
    });
  }
  for (const { entry, chosen, idcs } of choices)
    for (const instance of chosen) {
      const idc = idcIn(instance);
      if (idcs.has(idc)) last.set(instance, { hosts: entry.spec.hosts, idc });
    }
  return last;
}

/** A label, as key and value; undefined: that of an empty selector, which every instance has. */
type Label = readonly [string, string] | undefined;

/** Items by namespace and label. Nested maps, so that a lookup creates no string. */
class Lookup<T> {
  readonly #namespaces = new Map<string, Map<string, Map<string, T[]>>>();

  add(namespace: string, [key, value]: Label = ['', ''], item: T): void {
    const byKey = getOrAdd(this.#namespaces, namespace, () => new Map<string, Map<string, T[]>>());
    getOrAdd(
      getOrAdd(byKey, key, () => new Map<string, T[]>()),
      value,
      () => [],
    ).push(item);
  }

  addAll(namespace: string, labels: Labels, item: T): void {
    this.add(namespace, undefined, item);
    for (const label of Object.entries(labels)) this.add(namespace, label, item);
  }

  /** The label of a selector that the fewest items have, and these items. */
  fewest(namespace: string, selector: Labels): { readonly label: Label; readonly items: readonly T[] } {
    const byKey = this.#namespaces.get(namespace);
    let label: Label;
    let items = byKey?.get('')?.get('') ?? [];
    for (const [key, value] of Object.entries(selector)) {
      const having = byKey?.get(key)?.get(value) ?? [];
      if (label === undefined || having.length < items.length) [label, items] = [[key, value], having];
    }
    return { label, items };
  }

  /** Calls `fn` with the items added under any of these labels, or under none. */
  forEachOf(namespace: string, labels: Labels, fn: (item: T) => void): void {
    const byKey = this.#namespaces.get(namespace);
    if (byKey === undefined) return;
    for (const [key, byValue] of byKey) byValue.get(key === '' ? '' : (labels[key] as string))?.forEach(fn);
  }
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = create();
  map.set(key, made);
  return made;
}

/** As `labelsOf`, without a copy where the metadata has none. */
function labelsIn(instance: WorkloadEntry): Labels {
  for (const _ in instance.meta.labels) return labelsOf(instance);
  return instance.spec.labels;
}

function idcIn({ spec: { locality = '' } }: WorkloadEntry): string {
  return splitLocality(locality).idc;
}
