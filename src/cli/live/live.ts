import { sleep } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { createEvacuationLease, type EvacuationLease } from '../../client/evacuation-lease.ts';
import { listAt, refusedAt } from '../../client/evacuation-planes.ts';
import {
  countsBetweenReadings,
  createFleetWatch,
  type FleetReading,
  type FleetWatch,
  failOnSilence,
  judgeFleet,
} from '../envoys/fleet-watch.ts';
import { countsText, type ProxyCounts } from '../envoys/proxy-counts.ts';
import type { ReadProxy } from '../envoys/proxy-reader.ts';
import { envoysOfOthers, reportEnvoysRead } from '../evacuate/evacuation-envoys.ts';
import {
  type EvacuationTarget,
  failOnRefusal,
  leaveInSteps,
  preflight,
  returnRequests,
} from '../evacuate/evacuation-steps.ts';
import type { AbortExpression, Judgement } from '../options/abort-on.ts';
import { type LiveEnd, type LivePhase, liveFigures } from './live-run.ts';

/** A live drill. Times in milliseconds. */
export interface LiveOptions extends EvacuationTarget {
  /** Rising percentages, one after the other, and how long each is held. */
  readonly steps: readonly number[];
  readonly holdMs: readonly number[];
  /** Measurement before the first step, and after the last. */
  readonly baselineMs: number;
  /** It ends this long after the last renewal. */
  readonly leaseMs: number;
  readonly ackWaitMs: number;
  readonly proxies: readonly ReadProxy[];
  readonly abortOn: AbortExpression;
  /** Even with too little capacity, another evacuation, or too few requests to judge. */
  readonly force: boolean;
  readonly dryRun: boolean;
  onPhase(phase: LivePhase): void;
  /** Aborted by signals: the evacuation is undone. */
  readonly signal: AbortSignal;
}

/** The result. `checked`: it was a dry run. */
export interface LiveOutcome {
  readonly how: LiveEnd | 'checked';
  /** Why it was not completed; else empty. */
  readonly why: string;
  /** Nothing leaves any more, as confirmed by every proxy. */
  readonly isUndone: boolean;
}

/** Times in milliseconds. */
export const liveTimes = {
  look: 1_000,
  /** Interval of progress reports. */
  progress: 10_000,
  /** The last part of a long step is also judged alone. */
  window: 30_000,
  /** Interval of asking control planes for refusals. */
  refusals: 5_000,
} as const;

/**
 * Evacuates an IDC in steps, measures, and undoes it: at the end, when a condition is met, a proxy refuses or
 * does not confirm, an Envoy or a control plane stops answering, and when `signal` aborts. Throws MeshError
 * `unavailable` if a control plane does not answer before anything was changed.
 */
export async function runLive(options: LiveOptions): Promise<LiveOutcome> {
  const { clock, say, signal, baselineMs } = options;
  const refused = (why: string): LiveOutcome => ({ how: 'refused', why, isUndone: true });
  const standing = await standingAt(options);
  if (standing !== undefined) return refused(standing);
  const [strange] = envoysOfOthers(options, options.proxies).values();
  if (strange !== undefined) return refused(strange);
  if (!(await preflight(options, options.steps, options.leaseMs, options.force)))
    return refused('control planes, or the capacity of the other IDCs, do not allow it');
  await reportEnvoysRead(options);
  if (options.dryRun) return { how: 'checked', why: '', isUndone: true };

  const fleet = createFleetWatch(options.proxies, clock);
  say(`baseline: measuring for ${baselineMs / 1_000} s`);
  try {
    const found = await watch(options, fleet, { name: 'baseline', ms: baselineMs, signal });
    if (found.outcome === 'unknown' && !options.force) return refused(unjudged(found.words));
    if (found.outcome === 'unknown') say(unjudged(found.words));
  } catch (reason) {
    if (signal.aborted) return { how: 'interrupted', why: wordsOf(signal.reason), isUndone: true };
    return refused(`before anything has left: ${wordsOf(reason)}`);
  }

  const lease = createEvacuationLease(options.name, options.leaseMs, clock, say);
  let end: Pick<LiveOutcome, 'how' | 'why'> = { how: 'done', why: '' };
  try {
    await allSteps(options, fleet, lease);
  } catch (reason) {
    const why = wordsOf(signal.aborted ? signal.reason : lease.lost.aborted ? lease.lost.reason : reason);
    end = { how: signal.aborted ? 'interrupted' : 'aborted', why };
    say(`${why}; all requests return`);
  }
  const isUndone = await goHome(options, lease);
  if (end.how !== 'interrupted')
    await watch(options, fleet, { name: 'home again', ms: baselineMs, signal, isFree: true }).catch(() => {});
  return { ...end, isUndone };
}

/** Why other evacuations prevent it; undefined: they do not. */
async function standingAt({ planes, name, force, say }: LiveOptions): Promise<string | undefined> {
  const lists = await Promise.all(planes.map(({ client }) => listAt(client)));
  const inForce = lists.flatMap(({ items }) => items).filter(({ percentNow }) => percentNow > 0);
  const own = inForce.find((item) => item.name === name);
  if (own !== undefined)
    return `evacuation ${name} is in force, by another run, or for ${Math.ceil(own.endsInMs / 1_000)} s more by one that died. Wait, or end it: isthmus evacuate ${own.idc} --name ${name} --undo`;
  const [other] = inForce;
  if (other === undefined) return undefined;
  const words = `evacuation ${other.name} is in force: ${other.percentNow} % leave ${other.idc}`;
  if (force) say(`${words}; continuing all the same`);
  return force ? undefined : `${words}. End it first, or continue all the same with --force`;
}

async function allSteps(options: LiveOptions, fleet: FleetWatch, lease: EvacuationLease): Promise<void> {
  const { planes, steps, holdMs, force, say } = options;
  const known = new Set((await Promise.all(planes.map(refusedAt))).flat());
  const signal = AbortSignal.any([options.signal, lease.lost]);
  for (const [index, percent] of steps.entries()) {
    const isStanding = index > 0;
    const confirmedMs = await leaveInSteps(options, {
      ...{ percent, isStanding, ackWaitMs: options.ackWaitMs, signal },
      lastsMs: () => options.leaseMs,
      onPut: (plane) => isStanding || lease.hold(plane),
    });
    await failOnRefusal(planes, known);
    say(`${percent} %: every proxy has confirmed after ${confirmedMs} ms`);
    const ms = holdMs[index] ?? 0;
    const found = await watch(options, fleet, { name: `${percent} %`, ms, signal, confirmedMs, known });
    if (found.outcome !== 'unknown') continue;
    if (!force) throw new MeshError('late', unjudged(found.words));
    say(unjudged(found.words));
  }
}

/** Ends it everywhere; returns whether every proxy has confirmed. */
async function goHome(options: LiveOptions, lease: EvacuationLease): Promise<boolean> {
  const { ackWaitMs, leaseMs, say } = options;
  await lease.stop();
  try {
    return await returnRequests(options, ackWaitMs);
  } catch (reason) {
    say(`${wordsOf(reason)}: within ${leaseMs / 1_000} s`);
    return false;
  }
}

interface WatchOptions {
  readonly name: string;
  readonly ms: number;
  readonly signal: AbortSignal;
  readonly confirmedMs?: number;
  /** Refusals that existed before; absent: refusals are not checked. */
  readonly known?: ReadonlySet<string>;
  /** Measures without judging. */
  readonly isFree?: boolean;
}

/** Measures for some time. Throws MeshError if the result, or the lack of one, must end the run. */
async function watch(
  { planes, idc, abortOn, clock, say, onPhase }: LiveOptions,
  fleet: FleetWatch,
  { name, ms, signal, confirmedMs, known, isFree = false }: WatchOptions,
): Promise<Judgement> {
  const [began, from] = [clock.now(), new Date(clock.wall()).toISOString()];
  const first = await fleet.read();
  let recent: readonly FleetReading[] = [first];
  let seen = countsBetweenReadings(first, first);
  let found: Judgement = { outcome: 'not so' };
  let [toldAt, askedAt] = [began, began];
  try {
    while (clock.now() - began < ms || (!isFree && fleet.silentFor(0).length > 0)) {
      const leftMs = began + ms - clock.now();
      await sleep(clock, leftMs > 0 ? Math.min(liveTimes.look, leftMs) : liveTimes.look, signal);
      const look = await fleet.read();
      recent = within([...recent, look], liveTimes.window);
      seen = countsBetweenReadings(first, look);
      // At the end the total is reported anyway.
      if (clock.now() - toldAt >= liveTimes.progress && clock.now() - began < ms) {
        toldAt = clock.now();
        say(`  ${name}, ${Math.round((toldAt - began) / 1_000)} s: ${seenText(seen)}`);
      }
      if (isFree) continue;
      failOnSilence(fleet);
      found = judgeFleet(seen, idc, abortOn);
      for (const one of [
        found,
        judgeFleet(countsBetweenReadings(recent[0] as FleetReading, look), idc, abortOn),
      ])
        if (one.outcome === 'so') throw new MeshError('exhausted', one.words);
      if (known === undefined || clock.now() - askedAt < liveTimes.refusals) continue;
      askedAt = clock.now();
      await failOnRefusal(planes, known);
    }
    return found;
  } finally {
    onPhase({
      ...{ name, from, seconds: Math.round((clock.now() - began) / 100) / 10 },
      ...(confirmedMs === undefined ? {} : { confirmedMs }),
      idcs: Object.fromEntries([...seen].map(([of, counts]) => [of, liveFigures(counts)])),
    });
    say(`  ${name}: ${seenText(seen)}`);
  }
}

/** Readings of the last part, and one before it. */
function within(looks: readonly FleetReading[], ms: number): readonly FleetReading[] {
  const last = looks.at(-1)?.at ?? 0;
  const keep = looks.findLastIndex(({ at }) => last - at >= ms);
  return keep <= 0 ? looks : looks.slice(keep);
}

function seenText(seen: ReadonlyMap<string, ProxyCounts>): string {
  const used = [...seen].filter(([, { requests }]) => requests > 0);
  if (used.length === 0) return 'no requests';
  return used.map(([idc, counts]) => `users of ${idc}: ${countsText(counts)}`).join('; ');
}

function unjudged(words: string): string {
  return `too few requests to judge: ${words}. Hold longer, read more Envoys, or continue all the same with --force`;
}

function wordsOf(reason: unknown): string {
  return MeshError.from(reason).message;
}
