import type { Clock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { checkAt, type EvacuationPlane, endAt, type PlaneAnswer, refusedAt } from './evacuation-planes.ts';
import { type IdcRoom, judgeLeaving } from './evacuation-room.ts';

/** What leaves, and who is asked. */
export interface EvacuationTarget {
  /** All of them must obey: at least one of the IDC that is left. */
  readonly planes: readonly EvacuationPlane[];
  readonly name: string;
  readonly idc: string;
  /** Hosts or patterns; empty: all Groups. */
  readonly groups: readonly string[];
  readonly reason?: string;
  readonly clock: Clock;
  readonly say: (words: string) => void;
}

/** `spec` of the Evacuation, without its end. */
export function specOf({ idc, groups, reason }: EvacuationTarget, percent: number): object {
  return { idc, percent, ...(groups.length > 0 ? { groups } : {}), ...(reason ? { reason } : {}) };
}

/** Says what would be done in steps, for the shares that begin and end it; whether it may be. `force`: also where there is too little room. */
export async function preflight(
  target: EvacuationTarget,
  steps: readonly number[],
  forMs: number,
  force: boolean,
): Promise<boolean> {
  const { planes, idc, name, say } = target;
  const home = planes.filter((plane) => plane.idc === idc);
  if (home.length === 0) {
    const given = [...new Set(planes.map((plane) => plane.idc))].join(', ');
    say(`none of the control planes decides for ${idc}, but for ${given}: give --admin of one that does`);
    return false;
  }
  for (const other of home[0]?.idcs.filter((one) => !planes.some((plane) => plane.idc === one)) ?? [])
    say(`no control plane of ${other} was named: there ${idc} keeps its place in the order of preference`);
  const idcs = new Map<string, IdcRoom>();
  const leaving = new Set<string>();
  for (const plane of planes) {
    try {
      const effect = await checkAt(plane, name, specOf(target, steps[0] ?? 100), forMs);
      idcs.set(plane.idc, { idc: plane.idc, room: effect.room });
      if (plane.idc !== idc) continue;
      for (const { host } of effect.leave) leaving.add(host);
      const to = [...new Set(effect.leave.map((one) => one.to))];
      say(
        `${plane.name} (${idc}): ${effect.leave.length === 1 ? '1 Group leaves' : `${effect.leave.length} Groups leave`}, first for ${to.join(', ') || 'nowhere'}`,
      );
      const stay = effect.stay.map(({ host }) => host);
      if (stay.length > 0) say(`  these stay, as no DR group names another IDC for them: ${some(stay)}`);
    } catch (reason) {
      say(`refused by ${plane.name} (${plane.idc}): ${MeshError.from(reason).message}`);
      return false;
    }
  }
  if (leaving.size === 0) say('no Group would leave: nothing was done');
  return leaving.size > 0 && hasRoom(target, steps.at(-1) ?? 100, [...leaving], [...idcs.values()], force);
}

/** Says whether the other IDCs let in what leaves in the end; whether to go on. */
function hasRoom(
  { idc, say }: EvacuationTarget,
  percent: number,
  leaving: readonly string[],
  idcs: readonly IdcRoom[],
  force: boolean,
): boolean {
  const { short, unknown } = judgeLeaving(idc, leaving, percent, idcs);
  if (unknown.length > 0)
    say(
      `whether the other IDCs can take it cannot be judged, as nobody has declared a capacity, for ${some(unknown)}`,
    );
  for (const words of short) say(`too little room: ${words}`);
  if (short.length > 0 && !force) say('nothing was done; let less leave, or go on all the same with --force');
  return short.length === 0 || force;
}

/**
 * The control planes in the order in which a step goes to them. The others come first: what leaves must not meet an IDC that
 * still prefers the one that is left.
 */
export function inOrder({ planes, idc }: EvacuationTarget): readonly (readonly EvacuationPlane[])[] {
  const of = (isHome: boolean) => planes.filter((plane) => (plane.idc === idc) === isHome);
  return [of(false), of(true)].filter((group) => group.length > 0);
}

/** Throws MeshError `late` where proxies have not confirmed a share; says who was not waited for. */
export function checkConfirmed(
  answers: readonly PlaneAnswer[],
  percent: number,
  ackWaitMs: number,
  say: (words: string) => void,
): void {
  const late = answers.flatMap(owing);
  if (late.length > 0)
    throw new MeshError(
      'late',
      `${percent} % is not confirmed within ${ackWaitMs / 1_000} s by ${some(late)}`,
    );
  for (const { forgiven } of answers)
    if (forgiven.length > 0) say(`not waited for, being away: ${some(forgiven)}`);
}

/** Throws MeshError `conflict` when a proxy refuses what is not among `known`. */
export async function failOnRefusal(
  planes: readonly EvacuationPlane[],
  known: ReadonlySet<string>,
): Promise<void> {
  const refused = (await Promise.all(planes.map(refusedAt))).flat().filter((one) => !known.has(one));
  if (refused.length > 0) throw new MeshError('conflict', `a proxy refuses it: ${refused[0]}`);
}

/**
 * Ends it at every control plane; whether every proxy has confirmed in time. Throws MeshError `unavailable` naming those that did
 * not answer: there it ends by its expiry.
 */
export async function comeHome(
  { planes, idc, name, say, clock }: EvacuationTarget,
  ackWaitMs: number,
): Promise<boolean> {
  const since = clock.now();
  const ends = await Promise.allSettled(planes.map((plane) => endAt(plane, name, ackWaitMs)));
  const failed = ends.flatMap((end, i) =>
    end.status === 'rejected' ? `${planes[i]?.name}: ${MeshError.from(end.reason).message}` : [],
  );
  const late = ends.flatMap((end) => (end.status === 'fulfilled' ? owing(end.value) : []));
  if (late.length > 0) say(`not confirmed yet by ${late.join(', ')}`);
  if (failed.length > 0)
    throw new MeshError(
      'unavailable',
      `it is not ended at ${failed.join('; ')}. Try again, or it ends when it expires`,
    );
  if (late.length === 0) say(`ended: every proxy has confirmed after ${Math.round(clock.now() - since)} ms`);
  const slowly = ends.flatMap((end) =>
    end.status === 'fulfilled' && end.value.plane.idc === idc ? end.value.comingHome : [],
  );
  if (slowly.length > 0)
    say(`these come home little by little, as their DR group's failback says: ${some([...new Set(slowly)])}`);
  return late.length === 0;
}

function owing({ plane, waitingFor }: PlaneAnswer): string[] {
  return waitingFor.map((node) => `${node} (${plane.idc})`);
}

/** The first few of many names. */
export function some(names: readonly string[]): string {
  return `${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`;
}
