import type { Labels } from '../../model/meta.ts';
import type { ServiceEntry, WorkloadEntry } from '../../model/service.ts';
import { type Disagreement, disagreements, isInside, lackOf } from '../instance.ts';
import type { Lint } from '../lint.ts';

/**
 * Instances that disagree with their selectors, or have none. `lookup` finds ServiceEntries, including those
 * not in force because of their own errors, which are reported already.
 */
export function lintInstances(
  entries: readonly ServiceEntry[],
  workloads: readonly WorkloadEntry[],
  idcs: ReadonlySet<string>,
): Lint[] {
  const byLabel = new Map<string, ServiceEntry[]>();
  const byNamespace = new Map<string, Labels[]>();
  for (const entry of entries) {
    const { workloadSelector } = entry.spec;
    // By namespace and one label of the selector, to avoid comparing each entry with each workload.
    const [first] = Object.entries(workloadSelector ?? {});
    if (first === undefined || workloadSelector === undefined) continue;
    add(byLabel, JSON.stringify([entry.meta.namespace, ...first]), entry);
    add(byNamespace, entry.meta.namespace, workloadSelector);
  }
  const lintWorkload = (object: WorkloadEntry): Lint[] => {
    const { namespace } = object.meta;
    const labels = { ...object.spec.labels, ...object.meta.labels };
    const selecting = Object.entries(labels).flatMap((label) =>
      (byLabel.get(JSON.stringify([namespace, ...label])) ?? []).filter(({ spec }) =>
        matches(spec.workloadSelector ?? {}, labels),
      ),
    );
    const around = { namespace, entries: selecting, idcs, selectors: byNamespace.get(namespace) ?? [] };
    return disagreements({ ...object.spec, labels }, around).map(({ code, path, message }) => ({
      code,
      object,
      path: ['spec', ...path],
      message,
      ...lacking(code),
    }));
  };
  const lintEntry = (object: ServiceEntry): Lint[] =>
    object.spec.endpoints.flatMap((endpoint, index) =>
      disagreements(endpoint, { namespace: object.meta.namespace, entries: [object], idcs }).map(
        ({ code, path, message }) => ({
          code,
          object,
          path: ['spec', 'endpoints', index, ...path],
          message,
          ...lacking(code),
        }),
      ),
    );
  return [...workloads.flatMap(lintWorkload), ...entries.filter(isInside).flatMap(lintEntry)];
}

function lacking(code: Disagreement['code']): Pick<Lint, 'lacks'> {
  const kind = lackOf[code];
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
