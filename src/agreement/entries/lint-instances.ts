import type { Labels } from '../../model/meta.ts';
import type { ServiceEntry, WorkloadEntry } from '../../model/service.ts';
import {
  belongsToIdc,
  type Disagreement,
  disagreements,
  missingKinds,
  type PlacedSelector,
} from '../instance.ts';
import { lazy } from '../lazy.ts';
import type { Lint } from '../lint.ts';

/**
 * What was found of WorkloadEntries before. It holds while the ServiceEntries and the names of Idcs are the
 * same: then only a WorkloadEntry that is new or has changed is looked at. Most changes are of one of many.
 */
export interface KnownInstances {
  around?: Around;
  found: WeakMap<WorkloadEntry, readonly Lint[]>;
}

/** Nothing is known yet. */
export function noKnownInstances(): KnownInstances {
  return { found: new WeakMap() };
}

/** All that decides about an instance beside itself. */
interface Around {
  readonly entries: readonly ServiceEntry[];
  readonly idcs: ReadonlySet<string>;
}

/**
 * Instances that disagree with their selectors, or have none. `entries` are ServiceEntries, including those
 * not in force because of their own errors, which are reported already. Reads and fills `known`.
 */
export function lintInstances(
  entries: readonly ServiceEntry[],
  workloads: readonly WorkloadEntry[],
  idcs: ReadonlySet<string>,
  known: KnownInstances = noKnownInstances(),
): Lint[] {
  if (known.around === undefined || !isSame(known.around, { entries, idcs })) {
    known.around = { entries, idcs };
    known.found = new WeakMap();
  }
  const { found } = known;
  const lintWorkload = workloadCheck(entries, idcs);
  const lints: Lint[] = [];
  for (const workload of workloads) {
    const own = found.get(workload) ?? lintWorkload(workload);
    found.set(workload, own);
    for (const lint of own) lints.push(lint);
  }
  for (const entry of entries) if (belongsToIdc(entry)) lints.push(...lintEntry(entry, idcs));
  return lints;
}

function isSame(one: Around, other: Around): boolean {
  return (
    one.entries.length === other.entries.length &&
    one.idcs.size === other.idcs.size &&
    one.entries.every((entry, index) => entry === other.entries[index]) &&
    [...one.idcs].every((name) => other.idcs.has(name))
  );
}

/** The check of one WorkloadEntry; what it looks up is made for the first. */
function workloadCheck(entries: readonly ServiceEntry[], idcs: ReadonlySet<string>) {
  const selectors = lazy(() => selectorsOf(entries));
  return (object: WorkloadEntry): readonly Lint[] => {
    const { byLabel, byNamespace, anywhere } = selectors();
    const { namespace } = object.meta;
    const labels = { ...object.spec.labels, ...object.meta.labels };
    const selecting = Object.entries(labels).flatMap((label) =>
      (byLabel.get(JSON.stringify([namespace, ...label])) ?? []).filter(({ spec }) =>
        matches(spec.workloadSelector ?? {}, labels),
      ),
    );
    const own = byNamespace.get(namespace) ?? [];
    const around = { namespace, entries: selecting, idcs, selectors: own, anywhere };
    const lints = disagreements({ ...object.spec, labels }, around).map(({ code, path, message }) => ({
      code,
      object,
      path: ['spec', ...path],
      message,
      ...lacking(code),
    }));
    return lints.length === 0 ? none : lints;
  };
}

const none: readonly Lint[] = [];

/** By namespace and one label of the selector, to avoid comparing each entry with each workload. */
function selectorsOf(entries: readonly ServiceEntry[]) {
  const byLabel = new Map<string, ServiceEntry[]>();
  const byNamespace = new Map<string, Labels[]>();
  const anywhere: PlacedSelector[] = [];
  for (const entry of entries) {
    const { workloadSelector } = entry.spec;
    const [first] = Object.entries(workloadSelector ?? {});
    if (first === undefined || workloadSelector === undefined) continue;
    add(byLabel, JSON.stringify([entry.meta.namespace, ...first]), entry);
    add(byNamespace, entry.meta.namespace, workloadSelector);
    anywhere.push({ namespace: entry.meta.namespace, selector: workloadSelector });
  }
  return { byLabel, byNamespace, anywhere };
}

function lintEntry(object: ServiceEntry, idcs: ReadonlySet<string>): Lint[] {
  const { namespace } = object.meta;
  return object.spec.endpoints.flatMap((endpoint, index) =>
    disagreements(endpoint, { namespace, entries: [object], idcs }).map(({ code, path, message }) => ({
      code,
      object,
      path: ['spec', 'endpoints', index, ...path],
      message,
      ...lacking(code),
    })),
  );
}

function lacking(code: Disagreement['code']): Pick<Lint, 'lacks'> {
  const kind = missingKinds[code];
  return kind === undefined ? {} : { lacks: [kind] };
}

function add<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function matches(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(
    ([key, value]) => Object.hasOwn(labels, key) && labels[key] === value,
  );
}
