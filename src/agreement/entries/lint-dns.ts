import type { Labels } from '../../model/meta.ts';
import type { ServiceEntry, WorkloadEntry } from '../../model/service.ts';
import { addressKind } from '../../model/values/address.ts';
import type { Lint } from '../lint.ts';

/** WorkloadEntries with a name selected by a ServiceEntry without lookup: they get no requests. */
export function lintNames(entries: readonly ServiceEntry[], workloads: readonly WorkloadEntry[]): Lint[] {
  const given = entries.filter(({ spec }) => spec.resolution === 'STATIC' && spec.workloadSelector);
  return workloads
    .filter(({ spec }) => addressKind(spec.address) === 'dns')
    .flatMap((object): Lint[] => {
      const labels = { ...object.spec.labels, ...object.meta.labels };
      const entry = given.find(
        ({ meta, spec }) =>
          meta.namespace === object.meta.namespace && matches(spec.workloadSelector ?? {}, labels),
      );
      if (entry === undefined) return [];
      const message = `is a DNS name, and ServiceEntry ${entry.meta.namespace}/${entry.meta.name}, which selects it, has resolution STATIC: the instance gets no requests there. Give its IP, or choose DNS.`;
      return [{ code: 'AddressNotLookedUp', object, path: ['spec', 'address'], message }];
    });
}

function matches(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(
    ([key, value]) => Object.hasOwn(labels, key) && labels[key] === value,
  );
}
