import type { GroupView, MeshView } from '../index/view.ts';
import { mergeTraffic, trafficFromAnnotations } from '../model/annotations.ts';
import type { GroupSpill } from '../model/capacity.ts';
import { concurrentPerInstance, spillShare } from './capacity.ts';
import { planNaming } from './naming.ts';

/** What one IDC has for a Group, by what is declared. */
export interface GroupRoom {
  readonly host: string;
  readonly instances: number;
  /** Requests that they work on at once; absent: nobody has said it. */
  readonly slots?: number;
  /** How many of them others may take up. */
  readonly takes?: number;
}

/** What the own IDC has for these Groups. */
export function roomFor(groups: readonly GroupView[], view: MeshView, own: string): readonly GroupRoom[] {
  const idc = view.idcs.get(own);
  const here = (group: GroupView) => planNaming(group, own)?.instances.length ?? 0;
  const beside = [...view.groups.values()].some(
    (group) => spillOf(group)?.class === 'critical' && here(group) > 0,
  );
  return groups.map((group): GroupRoom => {
    const instances = here(group);
    const spill = spillOf(group);
    const concurrent = concurrentPerInstance(spill, idc);
    if (concurrent === undefined) return { host: group.host, instances };
    const slots = instances * concurrent;
    return { host: group.host, instances, slots, takes: (slots * spillShare(spill, beside)) / 100 };
  });
}

function spillOf({ drGroup, entry }: GroupView): GroupSpill | undefined {
  return mergeTraffic(drGroup?.spec.traffic, trafficFromAnnotations(entry)).spill;
}
