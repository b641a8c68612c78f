import { askEvents } from '../client/events-client.ts';
import { readAddress, withoutTwins } from '../config/address.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';
import { type AdminReply, askEach, askOne } from './ask-each.ts';

/** An answer that names the other IDCs and their control planes. */
interface OfIdc {
  readonly idc: string;
  readonly others: readonly { readonly idc: string; readonly controlPlanes: readonly string[] }[];
}

/** What all control planes say. `unknown`: IDCs whose control planes no Idc names. */
export interface IdcReplies<T> {
  readonly told: readonly AdminReply<T>[];
  readonly unknown: readonly string[];
}

/**
 * Asks the control planes that were named and, with `all`, those that they name for the other IDCs. Throws
 * MeshError where none of the named ones has an answer.
 */
export async function askIdcs<T extends OfIdc>(
  admin: readonly ListenAddress[],
  all: boolean,
  ask: (where: ListenAddress) => Promise<T>,
): Promise<IdcReplies<T>> {
  const first = await askEach(admin, ask);
  if (!all) return { told: first, unknown: [] };
  const heard = first.flatMap((one) => ('reply' in one ? [one.reply] : []));
  const known = new Set(heard.map(({ idc }) => idc));
  const others = heard.flatMap((one) => one.others).filter(({ idc }) => !known.has(idc));
  const asked = new Set(admin.map(showAddress));
  const found = withoutTwins(
    others.flatMap(({ controlPlanes }) => controlPlanes.map((one) => readAddress(one))),
  );
  const second = await Promise.all(
    found.filter((one) => !asked.has(showAddress(one))).map((one) => askOne(one, ask)),
  );
  const named = new Set(others.filter((one) => one.controlPlanes.length > 0).map(({ idc }) => idc));
  const unknown = [...new Set(others.map(({ idc }) => idc))].filter((idc) => !named.has(idc));
  return { told: [...first, ...second], unknown };
}

/**
 * The same for a question whose answer does not name other IDCs: with `all` their control planes are looked
 * up first. Throws MeshError where none of all has an answer.
 */
export async function askEveryIdc<T>(
  admin: readonly ListenAddress[],
  all: boolean,
  ask: (where: ListenAddress) => Promise<T>,
): Promise<IdcReplies<T>> {
  if (!all) return { told: await askEach(admin, ask), unknown: [] };
  // The cheapest answer that names the others: no event is so new.
  const { told, unknown } = await askIdcs(admin, true, (where) => askEvents(where, { sinceMs: 0 }));
  return {
    told: await askEach(
      told.map((one) => readAddress(one.admin)),
      ask,
    ),
    unknown,
  };
}

/** What to do about an IDC that could not be asked. */
export function notAskedText(idc: string): string {
  return `${idc} is not asked: its Idc names no control plane. Set spec.controlPlanes, or give --admin for it`;
}
