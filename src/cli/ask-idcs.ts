import { sleep, systemClock } from '../base/clock.ts';
import { isNoAnswer } from '../client/answers/no-answer.ts';
import { askEvents } from '../client/events-client.ts';
import { readAddress, withoutTwins } from '../config/address.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';
import { type AdminReply, askEach, askOne, withAnyReply } from './ask-each.ts';

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

/** Those of other IDCs are asked after this time even if one of the named ones is silent. Milliseconds. */
const patienceMs = 500;

/**
 * Asks the control planes that were named and, with `all`, those that they name for the other IDCs: also
 * while a named one is silent. Throws MeshError where none of the named ones has an answer.
 */
export async function askIdcs<T extends OfIdc>(
  admin: readonly ListenAddress[],
  all: boolean,
  ask: (where: ListenAddress) => Promise<T>,
): Promise<IdcReplies<T>> {
  const replies = await hearIdcs(admin, all, ask);
  withAnyReply(replies.told.slice(0, admin.length));
  return replies;
}

/** The same; that nobody answers is a result. */
export async function hearIdcs<T extends OfIdc>(
  admin: readonly ListenAddress[],
  all: boolean,
  ask: (where: ListenAddress) => Promise<T>,
): Promise<IdcReplies<T>> {
  const heard: T[] = [];
  const first = Promise.all(
    admin.map(async (where) => {
      const one = await askOne(where, ask);
      if ('reply' in one) heard.push(one.reply);
      return one;
    }),
  );
  if (!all) return { told: await first, unknown: [] };
  const asked = new Map<string, Promise<AdminReply<T>>>();
  const askOthers = () => {
    for (const where of planesNamedBy(heard)) {
      const name = showAddress(where);
      if (!admin.some((one) => showAddress(one) === name) && !asked.has(name))
        asked.set(name, askOne(where, ask));
    }
  };
  const done = new AbortController();
  void sleep(systemClock, patienceMs, done.signal).then(askOthers, () => {});
  const told = await first;
  done.abort();
  askOthers();
  // One that was asked too early, of an IDC that a named one has answered for, is left out.
  const wanted = planesNamedBy(heard).flatMap((where) => asked.get(showAddress(where)) ?? []);
  return { told: [...told, ...(await Promise.all(wanted))], unknown: unnamedBy(heard) };
}

/** The control planes of IDCs that none of these answers is of. */
function planesNamedBy(heard: readonly OfIdc[]): readonly ListenAddress[] {
  return withoutTwins(
    othersOf(heard).flatMap(({ controlPlanes }) => controlPlanes.map((one) => readAddress(one))),
  );
}

/** Those of these IDCs whose control planes nobody names. */
function unnamedBy(heard: readonly OfIdc[]): readonly string[] {
  const others = othersOf(heard);
  const named = new Set(others.filter((one) => one.controlPlanes.length > 0).map(({ idc }) => idc));
  return [...new Set(others.map(({ idc }) => idc))].filter((idc) => !named.has(idc));
}

function othersOf(heard: readonly OfIdc[]): OfIdc['others'] {
  const known = new Set(heard.map(({ idc }) => idc));
  return heard.flatMap((one) => one.others).filter(({ idc }) => !known.has(idc));
}

/**
 * The same for a question whose answer does not name other IDCs: with `all` their control planes are looked
 * up first, and one that is silent then is not asked again. Throws MeshError where none of all has an answer.
 */
export async function askEveryIdc<T>(
  admin: readonly ListenAddress[],
  all: boolean,
  ask: (where: ListenAddress) => Promise<T>,
): Promise<IdcReplies<T>> {
  if (!all) return { told: await askEach(admin, ask), unknown: [] };
  // The cheapest answer that names the others: no event is so new.
  const { told, unknown } = await askIdcs(admin, true, (where) => askEvents(where, { sinceMs: 0 }));
  const replies = told.map((one): AdminReply<T> | Promise<AdminReply<T>> => {
    if ('error' in one && isNoAnswer(one.error)) return one;
    return askOne(readAddress(one.admin), ask);
  });
  return { told: withAnyReply(await Promise.all(replies)), unknown };
}

/** What to do about an IDC that could not be asked. */
export function notAskedText(idc: string): string {
  return `${idc} is not asked: its Idc names no control plane. Set spec.controlPlanes, or give --admin for it`;
}
