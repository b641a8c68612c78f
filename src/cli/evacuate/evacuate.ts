import { sleep } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { checkAt, listAt, refusedAt } from '../../client/evacuation-planes.ts';
import { durationText } from '../../model/values/duration.ts';
import type { ListenAddress } from '../../model/values/listen-address.ts';
import {
  countsBetweenReadings,
  createFleetWatch,
  type FleetWatch,
  failOnSilence,
  judgeFleet,
} from '../envoys/fleet-watch.ts';
import { countsText, sumOfCounts } from '../envoys/proxy-counts.ts';
import type { AbortExpression } from '../options/abort-on.ts';
import { findEnvoys, reportCounts, reportUnderWay } from './evacuation-envoys.ts';
import {
  type EvacuationTarget,
  failOnRefusal,
  failOnTakeover,
  leaveInSteps,
  listSome,
  preflight,
  returnRequests,
  returnWords,
  specOf,
  takenOverReason,
} from './evacuation-steps.ts';
import { judgeReturn } from './idc-capacity.ts';

/** Input. Times in milliseconds. */
export interface EvacuateOptions extends EvacuationTarget {
  /** Rising percentages, one after the other; the last one stays. */
  readonly steps: readonly number[];
  readonly stepWaitMs: number;
  readonly forMs: number;
  readonly ackWaitMs: number;
  readonly dryRun: boolean;
  /** Even if the declared capacity is too small, and without Envoys that cannot be read. */
  readonly force: boolean;
  /** Admin interfaces of Envoys to read. */
  readonly envoys: readonly ListenAddress[];
  readonly abortOn: AbortExpression;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** The result; except for `done`, this command leaves no evacuation behind. */
export type EvacuateEnd = 'done' | 'checked' | 'refused' | 'aborted' | 'interrupted';

/** Interval of readings during a step, in milliseconds. */
const lookMs = 1_000;

/**
 * Evacuates an IDC step by step, and undoes it if a proxy refuses a step or does not confirm it in time, an
 * Envoy that is read stops answering, or their counts meet a condition. Throws MeshError if a control plane
 * does not answer before anything was changed.
 */
export async function evacuate(options: EvacuateOptions): Promise<EvacuateEnd> {
  const { planes, steps, clock, say, signal, forMs } = options;
  const isAllowed = await preflight(options, steps, forMs, options.force);
  const proxies = await findEnvoys(options);
  if (!isAllowed || proxies === undefined) return 'refused';
  if (options.dryRun) {
    await reportCounts(options, proxies);
    if (proxies.length > 0) await reportUnderWay(options, proxies);
    return 'checked';
  }
  const until = clock.now() + forMs;
  const known = new Set((await Promise.all(planes.map(refusedAt))).flat());
  const fleet = createFleetWatch(proxies, clock);
  try {
    for (const [index, percent] of steps.entries()) {
      const before = steps[index - 1];
      if (before !== undefined) await failOnTakeover(options, before);
      const tookMs = await leaveInSteps(options, {
        ...{ percent, ackWaitMs: options.ackWaitMs, isStanding: index > 0, signal },
        lastsMs: () => leftUntil(until, clock.now()),
      });
      await failOnRefusal(planes, known);
      say(`${percent} %: every proxy has confirmed after ${tookMs} ms`);
      const isLast = index === steps.length - 1;
      if (!isLast || proxies.length > 0) await watch(options, percent, fleet, known);
    }
  } catch (reason) {
    const { message: why, ref } = MeshError.from(signal.aborted ? signal.reason : reason);
    if (ref === takenOverReason) {
      say(why);
      return 'aborted';
    }
    say(`${why}; all requests return`);
    await returnRequests(options, options.ackWaitMs);
    return signal.aborted ? 'interrupted' : 'aborted';
  }
  await tellEnd(options);
  await reportUnderWay(options, proxies);
  return 'done';
}

/** Remaining time, in milliseconds. Throws MeshError `late` if there is none. */
function leftUntil(until: number, now: number): number {
  if (until - now < 1) throw new MeshError('late', 'its time (--for) was over before its last step');
  return Math.ceil(until - now);
}

/** Reports the end, by the control planes' clocks, which decide it. */
async function tellEnd({ planes, idc, name, clock, say }: EvacuateOptions): Promise<void> {
  const lists = await Promise.all(
    planes.filter((plane) => plane.idc === idc).map(({ client }) => listAt(client)),
  );
  const item = lists.flatMap(({ items }) => items).find((one) => one.name === name);
  if (item === undefined) return;
  const at = new Date(clock.wall() + item.endsInMs).toISOString().slice(0, 19);
  say(
    `${item.percentNow} % leave ${idc}, for ${durationText(item.endsInMs)} from now on (until ${at}Z by this machine's clock); end it sooner with --undo`,
  );
}

/**
 * Ends it if the IDC has capacity for the return; returns whether it did, or nothing leaves the IDC.
 * Evacuations of other names continue, and are reported. Throws MeshError as `comeHome`.
 */
export async function undo(
  target: EvacuationTarget,
  {
    ackWaitMs,
    force,
    dryRun,
  }: Pick<EvacuateOptions, 'ackWaitMs' | 'force'> & Partial<Pick<EvacuateOptions, 'dryRun'>>,
): Promise<boolean> {
  const { planes, idc, name, say } = target;
  const lists = await Promise.all(planes.map(({ client }) => listAt(client)));
  const items = lists.flatMap((list) => list.items).filter((item) => item.idc === idc);
  const others = [...new Set(items.map((item) => item.name))].filter((other) => other !== name).sort();
  if (!items.some((item) => item.name === name)) {
    say(`nothing to end: no evacuation of ${idc} is named ${name}`);
    if (others.length > 0) say(`there is ${listSome(others)}: end one with --undo --name ${others[0]}`);
    return others.length === 0;
  }
  const home = planes.filter((plane) => plane.idc === idc);
  const spec = specOf(target, 100);
  const effects = await Promise.allSettled(home.map((plane) => checkAt(plane, name, spec, 60_000)));
  const idcs = effects.flatMap((end) => (end.status === 'fulfilled' ? { idc, room: end.value.room } : []));
  const verdict = judgeReturn(idc, 0, idcs);
  for (const words of returnWords(idc, 0, verdict, force)) say(words);
  if (verdict.short.length > 0 && !force) return false;
  if (dryRun) say(`evacuation ${name} would end, and all requests return to ${idc}`);
  else await returnRequests(target, ackWaitMs);
  if (others.length > 0) say(`still there: ${listSome(others)}; end one with --undo --name ${others[0]}`);
  return true;
}

/** Watches during a step, and until each Envoy to read has answered. Throws MeshError to undo it. */
async function watch(
  options: EvacuateOptions,
  percent: number,
  fleet: FleetWatch,
  known: ReadonlySet<string>,
): Promise<void> {
  const { planes, idc, abortOn, stepWaitMs, clock, say, signal } = options;
  const until = clock.now() + stepWaitMs;
  const first = await fleet.read();
  let seen = countsBetweenReadings(first, first);
  while (clock.now() < until || fleet.silentFor(0).length > 0) {
    const leftMs = until - clock.now();
    await sleep(clock, leftMs > 0 ? Math.min(lookMs, leftMs) : lookMs, signal);
    await failOnTakeover(options, percent);
    await failOnRefusal(planes, known);
    seen = countsBetweenReadings(first, await fleet.read());
    failOnSilence(fleet);
    const found = judgeFleet(seen, idc, abortOn);
    if (found.outcome === 'so') throw new MeshError('exhausted', found.words);
  }
  if (seen.size > 0) say(`  ${countsText(sumOfCounts([...seen.values()]))}`);
}
