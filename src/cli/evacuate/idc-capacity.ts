import type { GroupCapacity } from '../../plan/evacuation/evacuation-capacity.ts';

/** The capacity of one IDC by its control planes. */
export interface IdcCapacity {
  readonly idc: string;
  readonly room: readonly GroupCapacity[];
}

/**
 * Whether capacity suffices, as far as known; names the Groups that have too little, and those without
 * declared capacity.
 */
interface RoomVerdict {
  readonly short: readonly string[];
  readonly unknown: readonly string[];
}

/**
 * Compares the largest possible load of an IDC with the limits of the others. `hosts`: Groups that leave. An
 * upper bound: neither the load of the others' own users nor the IDC's actual load is known.
 */
export function judgeCapacity(
  idc: string,
  hosts: readonly string[],
  percent: number,
  idcs: readonly IdcCapacity[],
): RoomVerdict {
  const short: string[] = [];
  const unknown: string[] = [];
  for (const host of hosts) {
    const of = (isHome: boolean) =>
      idcs
        .filter((one) => (one.idc === idc) === isHome)
        .flatMap(({ room }) => room.filter((group) => group.host === host));
    const home = of(true)[0]?.slots;
    const others = of(false).map(({ takes }) => takes);
    if (home === undefined || others.length === 0 || others.includes(undefined)) {
      unknown.push(host);
      continue;
    }
    const need = Math.ceil((home * percent) / 100);
    const takes = others.reduce((sum: number, one) => sum + (one ?? 0), 0);
    if (takes < need)
      short.push(
        `${host}: up to ${need} requests at once leave ${idc}, the others take ${Math.floor(takes)}`,
      );
  }
  return { short, unknown };
}

/** Whether an IDC can take its requests back. */
export interface ReturnVerdict {
  /** Groups that it cannot take back, as text. */
  readonly short: readonly string[];
  /** The least percentage that must stay away so that the rest fits; 100: no instance is left. */
  readonly stayAway: number;
}

/**
 * Compares an IDC's capacity with the returning load if at most `percent` stays away: Groups without
 * instances, with fewer than half of their instances healthy, or with less declared capacity than before. An
 * upper bound, as in `judgeLeaving`: the IDC at full load. If its control planes differ, the least
 * pessimistic one that knows of failures is not believed.
 */
export function judgeReturn(idc: string, percent: number, idcs: readonly IdcCapacity[]): ReturnVerdict {
  const home = new Map<string, GroupCapacity>();
  for (const room of idcs.filter((one) => one.idc === idc).flatMap((one) => one.room))
    if (room.well <= (home.get(room.host)?.well ?? room.well)) home.set(room.host, room);
  const short: string[] = [];
  let stayAway = 0;
  for (const { host, instances, well, slots = 0, slotsBefore = slots, bears = 0 } of home.values()) {
    const away = Math.ceil(100 - (100 * bears) / Math.max(1, slotsBefore));
    if (instances === 0) short.push(`${host} (no instance)`);
    else if (2 * well < instances) short.push(`${host} (${well} of ${instances} instances are healthy)`);
    else if (slotsBefore > 0 && away > percent)
      short.push(`${host} (serves ${bears} of up to ${slotsBefore} requests at once)`);
    else continue;
    stayAway = Math.max(stayAway, instances === 0 || 2 * well < instances ? 100 : away);
  }
  return { short, stayAway };
}
