import type { GroupView, Instance, MeshView } from '../../index/view.ts';
import { mergeTraffic, trafficFromAnnotations } from '../../model/annotations/annotations.ts';
import type { GroupSpill } from '../../model/capacity.ts';
import { addressName } from '../../model/reach.ts';
import { concurrentPerInstance, spillShare } from '../capacity.ts';
import { portOf } from '../group.ts';
import { instancesInUse } from '../naming.ts';

/** Declared capacity of one IDC for a Group. */
export interface GroupCapacity {
  readonly host: string;
  /** Registered instances. */
  readonly instances: number;
  /** Those not known to be dead or to fail their checks. */
  readonly well: number;
  /** Concurrent requests that all of them serve; absent: not declared. */
  readonly slots?: number;
  /**
   * The same before the current evacuation, or the one that they fail back from; absent: there is none, or it
   * was not recorded.
   */
  readonly slotsBefore?: number;
  /** Concurrent requests that the healthy ones serve. */
  readonly bears?: number;
  /** The part of that which other IDCs may use. */
  readonly takes?: number;
}

/** Known health of local instances. */
export interface KnownHealth {
  /** Instances that refuse connections, as `address port`. */
  readonly unreached?: ReadonlySet<string>;
  /** Instances of a host that pass their checks; undefined: not checked. */
  readonly goodOf?: (host: string) => number | undefined;
  /** Capacity of a host's instances before they were evacuated; undefined: not evacuated, or not recorded. */
  readonly slotsBeforeOf?: (host: string) => number | undefined;
}

/** The local IDC's capacity for some Groups. */
export function groupCapacities(
  groups: readonly GroupView[],
  view: MeshView,
  localIdc: string,
  { unreached = new Set(), goodOf = () => undefined, slotsBeforeOf = () => undefined }: KnownHealth = {},
): readonly GroupCapacity[] {
  const idc = view.idcs.get(localIdc);
  const isReached = (instance: Instance, { entry }: GroupView) =>
    !entry.spec.ports.some((port) =>
      unreached.has(addressName({ address: instance.address, port: portOf(instance, port) })),
    );
  const here = (group: GroupView) => instancesInUse(group, localIdc);
  const beside = [...view.groups.values()].some(
    (group) => spillOf(group)?.class === 'critical' && here(group).length > 0,
  );
  return groups.map((group): GroupCapacity => {
    const instances = here(group).length;
    const reached = here(group).filter((instance) => isReached(instance, group)).length;
    const well = Math.min(reached, goodOf(group.host) ?? instances);
    const spill = spillOf(group);
    const concurrent = concurrentPerInstance(spill, idc);
    if (concurrent === undefined) return { host: group.host, instances, well };
    const bears = well * concurrent;
    const slotsBefore = slotsBeforeOf(group.host);
    return {
      ...{ host: group.host, instances, well, slots: instances * concurrent, bears },
      takes: (bears * spillShare(spill, beside)) / 100,
      ...(slotsBefore === undefined ? {} : { slotsBefore }),
    };
  });
}

function spillOf({ drGroup, entry }: GroupView): GroupSpill | undefined {
  return mergeTraffic(drGroup?.spec.traffic, trafficFromAnnotations(entry)).spill;
}
