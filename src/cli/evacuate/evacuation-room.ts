import type { GroupRoom } from '../../plan/evacuation/evacuation-room.ts';

/** What the control planes of one IDC say that it has. */
export interface IdcRoom {
  readonly idc: string;
  readonly room: readonly GroupRoom[];
}

/**
 * Whether there is room, as far as that can be told; in words for each Group that has too little, and for
 * those of which nobody knows.
 */
interface RoomVerdict {
  readonly short: readonly string[];
  readonly unknown: readonly string[];
}

/**
 * Holds what may leave, at full load of an IDC, against what the other IDCs let in. `hosts`: the Groups that
 * leave. An upper bound: what the others' own users take up is not known, nor how busy the IDC is.
 */
export function judgeLeaving(
  idc: string,
  hosts: readonly string[],
  percent: number,
  idcs: readonly IdcRoom[],
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
  /** Each Group that it cannot take back, in words. */
  readonly short: readonly string[];
  /**
   * The least share that must stay away so that the rest fits, percent; 100: nobody is there to come home to.
   */
  readonly stayAway: number;
}

/**
 * Holds what an IDC bears against what comes home when no more than `percent` stays away: the Groups that
 * come home to nobody, to fewer than half of their instances, or, where a capacity is declared, to less than
 * they had before they left. An upper bound, as in
 * `judgeLeaving`: the IDC at full load. Where several control planes of the IDC differ, what the one that
 * knows least of failures says is not believed.
 */
export function judgeReturn(idc: string, percent: number, idcs: readonly IdcRoom[]): ReturnVerdict {
  const home = new Map<string, GroupRoom>();
  for (const room of idcs.filter((one) => one.idc === idc).flatMap((one) => one.room))
    if (room.well <= (home.get(room.host)?.well ?? room.well)) home.set(room.host, room);
  const short: string[] = [];
  let stayAway = 0;
  for (const { host, instances, well, slots = 0, slotsBefore = slots, bears = 0 } of home.values()) {
    const away = Math.ceil(100 - (100 * bears) / Math.max(1, slotsBefore));
    if (instances === 0) short.push(`${host} (no instance)`);
    else if (2 * well < instances) short.push(`${host} (${well} of ${instances} instances are well)`);
    else if (slotsBefore > 0 && away > percent)
      short.push(`${host} (bears ${bears} of up to ${slotsBefore} requests at once)`);
    else continue;
    stayAway = Math.max(stayAway, instances === 0 || 2 * well < instances ? 100 : away);
  }
  return { short, stayAway };
}
