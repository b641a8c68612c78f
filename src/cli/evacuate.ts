import { type Clock, sleep } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { ListenAddress } from '../model/node.ts';
import { showAddress } from './address.ts';
import {
  checkAt,
  type EvacuationPlane,
  endAt,
  type PlaneAnswer,
  putAt,
  refusedAt,
} from './evacuation-planes.ts';
import { type IdcRoom, judgeLeaving, judgeReturn } from './evacuation-room.ts';
import {
  type AbortCondition,
  countsBetween,
  type ProxyCounts,
  p99Of,
  readProxy,
  sumOf,
  violationOf,
} from './evacuation-watch.ts';

/** What is to be done. Times in milliseconds. */
export interface EvacuateOptions {
  /** All of them must obey: at least one of the IDC that is left. */
  readonly planes: readonly EvacuationPlane[];
  readonly name: string;
  readonly idc: string;
  readonly groups: readonly string[];
  /** Shares, one after the other, rising; the last one stays. */
  readonly steps: readonly number[];
  readonly stepWaitMs: number;
  readonly forMs: number;
  readonly ackWaitMs: number;
  readonly reason?: string;
  readonly dryRun: boolean;
  /** Also where what is declared says that there is too little room. */
  readonly force: boolean;
  /** Admin interfaces of Envoys of the IDC that is left. */
  readonly envoys: readonly ListenAddress[];
  readonly abortOn: readonly AbortCondition[];
  readonly clock: Clock;
  readonly say: (words: string) => void;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** How it ended; but for `done`, nothing has left any more. */
export type EvacuateEnd = 'done' | 'checked' | 'refused' | 'aborted' | 'interrupted';

/** Between two looks while a step lasts, and the longest that an Envoy may take. Milliseconds. */
const lookMs = 1_000;
const envoyMsMax = 2_000;

/**
 * Lets requests leave an IDC, step by step, and takes it back where a proxy refuses a step or does not confirm it in time, or what
 * the Envoys count meets a condition. Throws MeshError when a control plane does not answer before anything was changed.
 */
export async function evacuate(options: EvacuateOptions): Promise<EvacuateEnd> {
  const { planes, steps, clock, say, signal } = options;
  if (!(await preflight(options))) return 'refused';
  if (options.dryRun) return 'checked';
  const expires = new Date(clock.wall() + options.forMs).toISOString();
  const known = new Set((await Promise.all(planes.map(refusedAt))).flat());
  try {
    for (const [index, percent] of steps.entries()) {
      await step(options, percent, expires, known);
      const isLast = index === steps.length - 1;
      if (!isLast || options.envoys.length > 0) await watch(options, known);
    }
  } catch (reason) {
    say(
      signal.aborted
        ? 'interrupted; everybody comes home'
        : `${MeshError.from(reason).message}; everybody comes home`,
    );
    await comeHome(options);
    return signal.aborted ? 'interrupted' : 'aborted';
  }
  say(`${steps.at(-1)} % leave ${options.idc} until ${expires}; end it sooner with --undo`);
  await tellUnderWay(options);
  return 'done';
}

/** Ends it at every control plane; throws MeshError `unavailable` naming those that did not answer: there it ends by its expiry. */
export async function comeHome(
  options: Pick<EvacuateOptions, 'planes' | 'idc' | 'name' | 'ackWaitMs' | 'say' | 'clock'>,
): Promise<void> {
  const { planes, idc, name, ackWaitMs, say, clock } = options;
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
}

/** What would be done, in words; whether it may be. */
async function preflight(options: EvacuateOptions): Promise<boolean> {
  const { planes, idc, name, steps, say } = options;
  const home = planes.filter((plane) => plane.idc === idc);
  if (home.length === 0) {
    const given = [...new Set(planes.map((plane) => plane.idc))].join(', ');
    say(`none of the control planes decides for ${idc}, but for ${given}: give --admin of one that does`);
    return false;
  }
  for (const other of home[0]?.idcs.filter((one) => !planes.some((plane) => plane.idc === one)) ?? [])
    say(`no control plane of ${other} was named: there ${idc} keeps its place in the order of preference`);
  const spec = specOf(options, steps[0] ?? 100, new Date(options.clock.wall() + options.forMs).toISOString());
  const idcs = new Map<string, IdcRoom>();
  const leaving = new Set<string>();
  for (const plane of planes) {
    try {
      const effect = await checkAt(plane, name, spec);
      idcs.set(plane.idc, { idc: plane.idc, room: effect.room });
      if (plane.idc !== idc) continue;
      for (const { host } of effect.leave) leaving.add(host);
      const to = [...new Set(effect.leave.map((one) => one.to))];
      say(
        `${plane.name} (${idc}): ${effect.leave.length} Groups leave, first for ${to.join(', ') || 'nowhere'}`,
      );
      const stay = effect.stay.map(({ host }) => host);
      if (stay.length > 0) say(`  these stay, as no DR group names another IDC for them: ${some(stay)}`);
    } catch (reason) {
      say(`refused by ${plane.name} (${plane.idc}): ${MeshError.from(reason).message}`);
      return false;
    }
  }
  if (leaving.size === 0) say('no Group would leave: nothing was done');
  return leaving.size > 0 && hasRoom(options, [...leaving], [...idcs.values()]);
}

/** Says whether the other IDCs let in what leaves in the end; whether to go on. */
function hasRoom(
  { idc, steps, force, say }: EvacuateOptions,
  leaving: readonly string[],
  idcs: readonly IdcRoom[],
): boolean {
  const { short, unknown } = judgeLeaving(idc, leaving, steps.at(-1) ?? 100, idcs);
  if (unknown.length > 0)
    say(
      `whether the other IDCs can take it cannot be judged, as nobody has declared a capacity, for ${some(unknown)}`,
    );
  for (const words of short) say(`too little room: ${words}`);
  if (short.length > 0 && !force) say('nothing was done; let less leave, or go on all the same with --force');
  return short.length === 0 || force;
}

/** Ends it where somebody is there to come home to; whether it did. Throws MeshError as `comeHome`. */
export async function undo(
  options: Pick<
    EvacuateOptions,
    'planes' | 'idc' | 'groups' | 'name' | 'ackWaitMs' | 'force' | 'say' | 'clock'
  >,
): Promise<boolean> {
  const { planes, idc, name, clock, force, say } = options;
  const spec = specOf(options, 100, new Date(clock.wall() + 60_000).toISOString());
  const home = planes.filter((plane) => plane.idc === idc);
  const effects = await Promise.allSettled(home.map((plane) => checkAt(plane, name, spec)));
  const idcs = effects.flatMap((end) => (end.status === 'fulfilled' ? { idc, room: end.value.room } : []));
  const empty = judgeReturn(idc, idcs);
  if (empty.length > 0 && !force) {
    say(
      `${idc} cannot take its requests back of ${some(empty)}: nothing was done; end it all the same with --force`,
    );
    return false;
  }
  await comeHome(options);
  return true;
}

async function step(
  options: EvacuateOptions,
  percent: number,
  expires: string,
  known: ReadonlySet<string>,
): Promise<void> {
  const { planes, idc, name, ackWaitMs, clock, say, signal } = options;
  signal.throwIfAborted();
  const since = clock.now();
  // The others first: what leaves must not meet an IDC that still prefers the one that is left.
  const of = (isHome: boolean) => planes.filter((plane) => (plane.idc === idc) === isHome);
  for (const group of [of(false), of(true)]) {
    const answers = await Promise.all(
      group.map((plane) => putAt(plane, name, specOf(options, percent, expires), ackWaitMs)),
    );
    const late = answers.flatMap(owing);
    if (late.length > 0)
      throw new MeshError(
        'late',
        `${percent} % is not confirmed within ${ackWaitMs / 1_000} s by ${some(late)}`,
      );
    for (const { forgiven } of answers)
      if (forgiven.length > 0) say(`not waited for, being away: ${some(forgiven)}`);
  }
  await failOnRefusal(planes, known);
  say(`${percent} %: every proxy has confirmed after ${Math.round(clock.now() - since)} ms`);
}

async function failOnRefusal(planes: readonly EvacuationPlane[], known: ReadonlySet<string>): Promise<void> {
  const refused = (await Promise.all(planes.map(refusedAt))).flat().filter((one) => !known.has(one));
  if (refused.length > 0) throw new MeshError('conflict', `a proxy refuses it: ${refused[0]}`);
}

/** Looks on while a step lasts. Throws MeshError when it is to be taken back. */
async function watch(options: EvacuateOptions, known: ReadonlySet<string>): Promise<void> {
  const { planes, envoys, abortOn, stepWaitMs, clock, say, signal } = options;
  const until = clock.now() + stepWaitMs;
  const first = await readAll(envoys);
  let seen: ProxyCounts | undefined;
  while (clock.now() < until) {
    await sleep(clock, Math.min(lookMs, until - clock.now()), signal);
    await failOnRefusal(planes, known);
    if (first === undefined) continue;
    const now = await readAll(envoys);
    if (now === undefined) continue;
    seen = countsBetween(first, now);
    const why = violationOf(seen, abortOn);
    if (why !== undefined) throw new MeshError('exhausted', why);
  }
  if (seen === undefined) return;
  const errors = seen.requests === 0 ? 0 : (100 * seen.errors) / seen.requests;
  say(`  ${seen.requests} requests, ${errors.toFixed(2)} % errors, p99 at most ${p99Of(seen)} ms`);
}

/** What all Envoys that answer have counted; undefined: none does. */
async function readAll(envoys: readonly ListenAddress[]): Promise<ProxyCounts | undefined> {
  const read = await Promise.allSettled(envoys.map((envoy) => readProxy(envoy, envoyMsMax)));
  const counts = read.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
  return counts.length === 0 ? undefined : sumOf(counts);
}

/** Streams and connections to instances at home that began before: nothing ends them. */
async function tellUnderWay({ envoys, idc, say }: EvacuateOptions): Promise<void> {
  for (const envoy of envoys) {
    try {
      const { underWay } = await readProxy(envoy, envoyMsMax);
      say(
        `  ${showAddress(envoy)}: ${underWay.requests} requests or streams and ${underWay.connections} connections to instances of ${idc} stay until they end`,
      );
    } catch (reason) {
      say(`  ${MeshError.from(reason).message}`);
    }
  }
  const asked = envoys.length === 0 ? 'no Envoy was asked (--envoy)' : 'other Envoys were not asked';
  say(`  ${asked}: which of their requests and connections stay is not known`);
}

function specOf(
  { idc, groups, reason }: Pick<EvacuateOptions, 'idc' | 'groups' | 'reason'>,
  percent: number,
  expires: string,
): object {
  return { idc, percent, expires, ...(groups.length > 0 ? { groups } : {}), ...(reason ? { reason } : {}) };
}

function owing({ plane, waitingFor }: PlaneAnswer): string[] {
  return waitingFor.map((node) => `${node} (${plane.idc})`);
}

function some(names: readonly string[]): string {
  return `${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`;
}
