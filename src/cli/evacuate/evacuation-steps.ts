import { type Clock, sleep } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { didYouMean } from '../../base/text/suggest.ts';
import {
  checkAt,
  clocksApartMsMax,
  confirmAt,
  type EvacuationPlane,
  endAt,
  listAt,
  type PlaneAnswer,
  proxiesAt,
  putAt,
  refusedAt,
  type SpecWithoutEnd,
} from '../../client/evacuation-planes.ts';
import { durationText } from '../../model/values/duration.ts';
import { patternCovers } from '../../model/values/hostname.ts';
import type { EvacuationEffect, StayReason } from '../../plan/evacuation/evacuation-effect.ts';
import { type IdcCapacity, judgeCapacity, judgeReturn, type ReturnVerdict } from './idc-capacity.ts';

/** What leaves, and the control planes. */
export interface EvacuationTarget {
  /** All must apply it: at least one of the evacuated IDC. */
  readonly planes: readonly EvacuationPlane[];
  readonly name: string;
  readonly idc: string;
  /** Hosts or patterns; empty: all Groups. */
  readonly groups: readonly string[];
  readonly reason?: string;
  readonly clock: Clock;
  readonly say: (words: string) => void;
}

/** The Evacuation's `spec` without its end. */
export function specOf({ idc, groups, reason }: EvacuationTarget, percent: number): SpecWithoutEnd {
  return { idc, percent, ...(groups.length > 0 ? { groups } : {}), ...(reason ? { reason } : {}) };
}

/**
 * Reports the effect of the first and last percentages; returns whether to go on. `force`: even with too
 * little capacity.
 */
export async function preflight(
  target: EvacuationTarget,
  steps: readonly number[],
  forMs: number,
  force: boolean,
): Promise<boolean> {
  const { planes, idc, name, say } = target;
  const home = planes.filter((plane) => plane.idc === idc);
  if (home.length === 0) {
    say(homelessWords(target));
    return false;
  }
  for (const other of home[0]?.idcs.filter((one) => !planes.some((plane) => plane.idc === one)) ?? [])
    say(`no control plane of ${other} was named: there ${idc} keeps its place in the order of preference`);
  for (const words of clockWords(planes)) say(words);
  const [first = 100] = steps;
  const spec = specOf(target, first);
  const asked = await Promise.allSettled(planes.map((plane) => checkAt(plane, name, spec, forMs)));
  const idcs = new Map<string, IdcCapacity>();
  const leaving = new Set<string>();
  for (const [i, plane] of planes.entries()) {
    const effect = asked[i];
    if (effect?.status !== 'fulfilled') {
      say(`refused by ${plane.name} (${plane.idc}): ${MeshError.from(effect?.reason).message}`);
      return false;
    }
    idcs.set(plane.idc, { idc: plane.idc, room: effect.value.room });
    if (plane.idc !== idc) continue;
    for (const { host } of effect.value.leave) leaving.add(host);
    for (const words of effectWords(plane, effect.value)) say(words);
    const hosts = [...effect.value.leave, ...effect.value.stay].map(({ host }) => host);
    const unknown = target.groups.filter((group) => !hosts.some((host) => patternCovers(group, host)));
    if (unknown.length > 0) say(`  ${listSome(unknown)}: no ServiceEntry has such a host`);
  }
  if (leaving.size === 0) {
    say('no Group would leave: nothing was done');
    return false;
  }
  if (!(await mayComeBack(target, first, [...idcs.values()], force))) return false;
  return hasRoom(target, steps.at(-1) ?? 100, [...leaving], [...idcs.values()], force);
}

/** Control planes whose clocks are too far ahead of the slowest; none if there is none. */
function clockWords(planes: readonly EvacuationPlane[]): readonly string[] {
  const known = planes.filter(({ aheadMs }) => !Number.isNaN(aheadMs));
  const hindmost = Math.min(...known.map(({ aheadMs }) => aheadMs));
  const behind = known.find(({ aheadMs }) => aheadMs === hindmost);
  const ahead = known.filter(({ aheadMs }) => aheadMs - hindmost > clocksApartMsMax);
  if (behind === undefined || ahead.length === 0) return [];
  const apartMs = Math.max(...ahead.map(({ aheadMs }) => aheadMs)) - hindmost;
  const who = ahead.map(({ name, idc }) => `${name} (${idc})`);
  const of = who.length === 1 ? `the clock of ${who[0]} is` : `the clocks of ${listSome(who)} are up to`;
  return [
    `${of} ${durationText(apartMs)} ahead of that of ${behind.name} (${behind.idc}): Evacuations in YAML begin and end at different times there. Set them right`,
  ];
}

/** Why no control plane of the IDC was found. */
function homelessWords({ planes, idc }: EvacuationTarget): string {
  const known = [...new Set(planes.flatMap((plane) => plane.idcs))].sort();
  if (!known.includes(idc))
    return `no Idc is named ${idc}: there are ${known.join(', ')}.${didYouMean(idc, known)}`;
  const asked = [...new Set(planes.map((plane) => plane.idc))].join(', ');
  return `only control planes of ${asked} were named: give --admin of one of ${idc} as well`;
}

const stayWords: Readonly<Record<StayReason, string>> = {
  alone: 'no DR group names another IDC',
  'no-hops': 'hopLimit of the DR group, or --hop-limit of the control plane, is 0, so no request may cross',
  last: 'every other IDC of their DR group is being evacuated',
};

/** What would leave, where to, and what stays. */
function effectWords({ name, idc }: EvacuationPlane, { leave, stay }: EvacuationEffect): readonly string[] {
  const to = [...new Set(leave.map((one) => one.to))];
  const many = leave.length === 1 ? '1 Group leaves' : `${leave.length} Groups leave`;
  const reasons = Object.entries(stayWords).flatMap(([why, words]) => {
    const hosts = stay.filter((one) => one.why === why).map(({ host }) => host);
    return hosts.length === 0
      ? []
      : `  ${listSome(hosts)} ${hosts.length === 1 ? 'stays' : 'stay'}: ${words}`;
  });
  return [`${name} (${idc}): ${many}${to.length === 0 ? '' : `, first for ${to.join(', ')}`}`, ...reasons];
}

/** `ref` of the MeshError that reports that somebody else changed the evacuation: it must not be undone. */
export const takenOverReason = 'taken over';

/**
 * Throws MeshError `conflict` with the ref `takenOver` if the percentage of this name is not the one put
 * last.
 */
export async function failOnTakeover(
  { planes, idc, name }: Pick<EvacuationTarget, 'planes' | 'idc' | 'name'>,
  percent: number,
): Promise<void> {
  const home = planes.filter((plane) => plane.idc === idc);
  const items = (await Promise.all(home.map(({ client }) => listAt(client)))).flatMap((list) => list.items);
  const other = items.find(
    (item) => item.name === name && item.percentNow > 0 && item.percentNow !== percent,
  );
  if (other === undefined) return;
  const message = `somebody else has changed evacuation ${name}: ${other.percentNow} % leave, and not ${percent}; it stays as changed`;
  throw new MeshError('conflict', message, { ref: takenOverReason });
}

/**
 * Reports the existing evacuation of this name and, if less leaves than before, whether the IDC can take the
 * rest back; returns whether to go on.
 */
async function mayComeBack(
  { planes, idc, name, say }: EvacuationTarget,
  percent: number,
  idcs: readonly IdcCapacity[],
  force: boolean,
): Promise<boolean> {
  const home = planes.filter((plane) => plane.idc === idc);
  const lists = await Promise.all(home.map(({ client }) => listAt(client)));
  const items = lists.flatMap((list) => list.items).filter((item) => item.name === name);
  const leaves = Math.max(0, ...items.map(({ percentNow }) => percentNow));
  const [standing] = items.filter(({ percentNow }) => percentNow > 0);
  if (standing !== undefined)
    say(
      `evacuation ${name} exists: ${leaves} % leave ${idc}, for ${durationText(standing.endsInMs)} more; this takes it over`,
    );
  if (leaves <= percent) return true;
  const verdict = judgeReturn(idc, percent, idcs);
  for (const words of returnWords(idc, percent, verdict, force)) say(words);
  return verdict.short.length === 0 || force;
}

/** What an IDC cannot take back, and what to do; empty if nothing. */
export function returnWords(
  idc: string,
  percent: number,
  { short, stayAway }: ReturnVerdict,
  force: boolean,
): readonly string[] {
  if (short.length === 0) return [];
  const cannot = `${idc} cannot take back the requests of ${listSome(short)}`;
  if (force) return [`${cannot}; continuing all the same`];
  const fits = stayAway < 100 && stayAway > percent ? `, return what fits with --percent ${stayAway}` : '';
  return [
    cannot,
    `nothing was done: start more instances there${fits}, or continue all the same with --force`,
  ];
}

/** Reports whether the other IDCs have capacity for the final percentage; returns whether to go on. */
function hasRoom(
  { idc, say }: EvacuationTarget,
  percent: number,
  leaving: readonly string[],
  idcs: readonly IdcCapacity[],
  force: boolean,
): boolean {
  const { short, unknown } = judgeCapacity(idc, leaving, percent, idcs);
  if (unknown.length > 0)
    say(
      `whether the other IDCs can take it is unknown, as no capacity is declared, for ${listSome(unknown)}`,
    );
  for (const words of short) say(`too little capacity: ${words}`);
  if (short.length > 0 && !force)
    say('nothing was done; evacuate less, or continue all the same with --force');
  return short.length === 0 || force;
}

/**
 * The order in which a step is sent to control planes. Other IDCs first: leaving requests must not meet one
 * that still prefers the evacuated IDC.
 */
function inOrder({ planes, idc }: EvacuationTarget): readonly (readonly EvacuationPlane[])[] {
  const of = (isHome: boolean) => planes.filter((plane) => (plane.idc === idc) === isHome);
  return [of(false), of(true)].filter((group) => group.length > 0);
}

/** A step. Times in milliseconds. */
interface StepOptions {
  /** The percentage that leaves. */
  readonly percent: number;
  /** Remaining time, by the control planes' clocks; throws MeshError if there is none. */
  readonly lastsMs: () => number;
  readonly ackWaitMs: number;
  /** It must be in force already: one that somebody ended meanwhile is not restarted. */
  readonly isStanding: boolean;
  readonly signal: AbortSignal;
  /** A control plane has accepted it. */
  onPut?(plane: EvacuationPlane): void;
}

/** Interval of progress reports, in milliseconds. */
const progressMs = 2_000;

/**
 * Applies a percentage, at the other IDCs first; resolves to the time until every proxy has confirmed, in
 * milliseconds. Throws MeshError `late` if one has not in time, `conflict` and `unavailable` of the control
 * planes.
 */
export async function leaveInSteps(target: EvacuationTarget, options: StepOptions): Promise<number> {
  const { name, clock } = target;
  const { percent, lastsMs, isStanding, signal, onPut } = options;
  const since = clock.now();
  const spec = specOf(target, percent);
  for (const planes of inOrder(target)) {
    signal.throwIfAborted();
    const put = await Promise.allSettled(
      planes.map(async (plane) => {
        await putAt(plane, name, spec, lastsMs(), isStanding);
        onPut?.(plane);
      }),
    );
    // After all have answered: a pending request must not arrive after its end.
    for (const one of put) if (one.status === 'rejected') throw one.reason;
    await untilConfirmed(target, planes, options);
  }
  return Math.round(clock.now() - since);
}

/** Waits for the proxies of these control planes, and reports progress. Throws MeshError `late`. */
async function untilConfirmed(
  target: EvacuationTarget,
  planes: readonly EvacuationPlane[],
  { percent, lastsMs, ackWaitMs, signal }: StepOptions,
): Promise<void> {
  const { name, say } = target;
  const done = new AbortController();
  void tellProgress(target, planes, percent, done.signal).catch(() => {});
  try {
    const answers = await Promise.all(
      planes.map((plane) => confirmAt(plane, name, lastsMs(), ackWaitMs, signal)),
    );
    const late = answers.flatMap(owing);
    if (late.length > 0)
      throw new MeshError(
        'late',
        `${percent} % is not confirmed within ${ackWaitMs / 1_000} s by ${listSome(late)}`,
      );
    for (const { forgiven } of answers)
      if (forgiven.length > 0) say(`not waited for, as disconnected: ${listSome(forgiven)}`);
  } finally {
    done.abort();
  }
}

/** Reports repeatedly which proxies are not in sync. Rejects when `signal` aborts. */
async function tellProgress(
  { clock, say }: EvacuationTarget,
  planes: readonly EvacuationPlane[],
  percent: number,
  signal: AbortSignal,
): Promise<never> {
  const since = clock.now();
  for (;;) {
    await sleep(clock, progressMs, signal);
    const proxies = (await Promise.all(planes.map(proxiesAt))).flat();
    const late = proxies.filter(({ types }) => Object.values(types).some(({ state }) => state !== 'SYNCED'));
    signal.throwIfAborted();
    if (late.length === 0) continue;
    const seconds = Math.round((clock.now() - since) / 1_000);
    say(
      `  ${percent} %: ${proxies.length - late.length} of ${proxies.length} proxies are in sync after ${seconds} s; waiting for ${listSome(late.map(({ id, idc }) => `${id} (${idc})`))}`,
    );
  }
}

/** Throws MeshError `conflict` if a proxy refuses something not among `known`. */
export async function failOnRefusal(
  planes: readonly EvacuationPlane[],
  known: ReadonlySet<string>,
): Promise<void> {
  const refused = (await Promise.all(planes.map(refusedAt))).flat().filter((one) => !known.has(one));
  if (refused.length > 0) throw new MeshError('conflict', `a proxy refuses it: ${refused[0]}`);
}

/**
 * Ends it at every control plane; returns whether every proxy has confirmed in time. Throws MeshError
 * `unavailable` naming those that did not answer: there it ends by its expiry.
 */
export async function returnRequests(
  { planes, idc, name, say, clock }: EvacuationTarget,
  ackWaitMs: number,
): Promise<boolean> {
  const since = clock.now();
  const ends = await Promise.allSettled(planes.map((plane) => endAt(plane, name, ackWaitMs)));
  const refusals = ends.flatMap((end, i) =>
    end.status === 'rejected' ? { name: planes[i]?.name, error: MeshError.from(end.reason) } : [],
  );
  const failed = refusals.map(({ name, error }) => `${name}: ${error.message}`);
  const isAway = refusals.some(({ error }) => error.code === 'unavailable');
  const late = ends.flatMap((end) => (end.status === 'fulfilled' ? owing(end.value) : []));
  if (late.length > 0) say(`not confirmed yet by ${late.join(', ')}`);
  if (failed.length > 0)
    throw new MeshError(
      'unavailable',
      `it is not ended at ${failed.join('; ')}. It ends when it expires${isAway ? '; or try again' : ''}`,
    );
  if (late.length === 0) say(`ended: every proxy has confirmed after ${Math.round(clock.now() - since)} ms`);
  const slowly = ends.flatMap((end) =>
    end.status === 'fulfilled' && end.value.plane.idc === idc ? end.value.comingHome : [],
  );
  if (slowly.length > 0)
    say(`these return gradually, by their DR group's failback: ${listSome([...new Set(slowly)])}`);
  return late.length === 0;
}

function owing({ plane, waitingFor }: PlaneAnswer): string[] {
  return waitingFor.map((node) => `${node} (${plane.idc})`);
}

/** The first few of many names. */
export function listSome(names: readonly string[]): string {
  return `${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`;
}
