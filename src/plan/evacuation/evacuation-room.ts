import type { GroupView, Instance, MeshView } from '../../index/view.ts';
import { mergeTraffic, trafficFromAnnotations } from '../../model/annotations/annotations.ts';
import type { GroupSpill } from '../../model/capacity.ts';
import { addressName } from '../../model/reach.ts';
import { concurrentPerInstance, spillShare } from '../capacity.ts';
import { portOf } from '../group.ts';
import { planNaming } from '../naming.ts';

/** What one IDC has for a Group, by what is declared. */
export interface GroupRoom {
  readonly host: string;
  /** That are registered. */
  readonly instances: number;
  /** Of these, who is not known to be dead or to fail its checks. */
  readonly well: number;
  /** Requests that all of them work on at once; absent: nobody has said it. */
  readonly slots?: number;
  /**
   * The same before the evacuation that is in force, or that they come home from; absent: there is none, or
   * nobody noted it.
   */
  readonly slotsBefore?: number;
  /** Of those who are well, what they work on at once. */
  readonly bears?: number;
  /** Of those who are well, what others may take up. */
  readonly takes?: number;
}

/** What is known of instances of the own IDC. */
export interface KnownHealth {
  /** Who accepts no connection, as `address port`. */
  readonly unreached?: ReadonlySet<string>;
  /** How many of a host's instances pass their checks; undefined: nobody asks them. */
  readonly goodOf?: (host: string) => number | undefined;
  /**
   * What a host's instances worked on at once before they were evacuated; undefined: they are not, or nobody
   * noted it.
   */
  readonly slotsBeforeOf?: (host: string) => number | undefined;
}

/** What the own IDC has for these Groups. */
export function roomFor(
  groups: readonly GroupView[],
  view: MeshView,
  own: string,
  { unreached = new Set(), goodOf = () => undefined, slotsBeforeOf = () => undefined }: KnownHealth = {},
): readonly GroupRoom[] {
  const idc = view.idcs.get(own);
  const isReached = (instance: Instance, { entry }: GroupView) =>
    !entry.spec.ports.some((port) =>
      unreached.has(addressName({ address: instance.address, port: portOf(instance, port) })),
    );
  const here = (group: GroupView) => planNaming(group, own)?.instances ?? [];
  const beside = [...view.groups.values()].some(
    (group) => spillOf(group)?.class === 'critical' && here(group).length > 0,
  );
  return groups.map((group): GroupRoom => {
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
