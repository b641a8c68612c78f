import { covers } from '../model/hostname.ts';
import type { DrGroup } from '../model/idc.ts';
import type { ServiceEntry } from '../model/service.ts';
import type { Lint } from './lint-finding.ts';

/** A `failback` that nothing can come of: without checks nobody sees that a Group has left, and is back. */
export function lintFailback(groups: readonly DrGroup[], entries: readonly ServiceEntry[]): Lint[] {
  return groups.flatMap((object): Lint[] => {
    const { failback, traffic, hosts } = object.spec;
    if (failback === undefined || traffic.health !== undefined) return [];
    const own = entries.filter(({ spec }) =>
      spec.hosts.some((host) => hosts.some((one) => covers(one, host))),
    );
    const isChecked = ({ meta }: ServiceEntry) =>
      Object.keys(meta.annotations).some((name) => name.startsWith('isthmus.dev/health-'));
    if (object.spec.selector !== undefined || own.some(isChecked)) return [];
    const message =
      'has no effect without health checks: nobody sees that instances are gone, and back. Give `traffic.health`.';
    return [{ object, path: ['spec', 'failback'], message }];
  });
}
