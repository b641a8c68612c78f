import { sleep } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { bounds } from './bounds.ts';
import { collectAccess, collectAcks, collectEntries, createRestartMarks } from './collect.ts';
import { type Outage, type OutageKind, planOutage } from './drills/outage.ts';
import { editedIdc, saveEdits } from './edits.ts';
import type { Moment } from './fault.ts';
import {
  checkEgressKnowsOthers,
  checkInstancesBehindSidecars,
  checkSidecarsKnowOnlyHome,
  type IsolationFindings,
} from './isolation.ts';
import { factsOf, type Load, type LoadShape, planLoads, type Rates, samplesOf, startLoad } from './loads.ts';
import type { LostProxy, Measurement } from './measurement.ts';
import { namesOf } from './parts.ts';
import { layPhases, type Phase, type PhaseName, type PhaseSeconds, phaseAt } from './phases.ts';
import { probe } from './probe.ts';
import { createProgressMeter } from './progress.ts';
import type { Stage } from './stage.ts';
import { machineClock } from './time.ts';
import { hostOf, type InstancePlan, listenerNames, lostIdc } from './topology.ts';
import { createUsageMeter } from './usage.ts';

/** What a run of phases needs. */
export interface RunOptions {
  readonly outage: OutageKind;
  readonly crossing: boolean;
  readonly phases: PhaseSeconds;
  readonly rates: Rates;
  readonly seed: number;
  readonly say: (line: string) => void;
}

/** The clients' processes need this long to start before the first request is due. */
const leadMs = 1000;

/**
 * The load runs this long before the first phase: fresh processes are slow, and a slow steady phase would excuse a
 * slow outage. These requests must succeed like all others; only latency is not judged by them.
 */
const warmUpMs = 2000;

/**
 * Runs the phases on a stage that was raised: load all the while, blows in the outage, healing, edits in both
 * steady phases. Resolves with what was measured. Rejects when the stage's signal aborts.
 */
export async function runPhases(stage: Stage, options: RunOptions): Promise<Measurement> {
  const { world, topology, signal, paths } = stage;
  const phases = layPhases(options.phases, machineClock.now() + leadMs + warmUpMs);
  const span = (name: PhaseName) => phases.find((phase) => phase.name === name) as Phase;
  const until = (atMs: number) => sleep(machineClock, Math.max(0, atMs - machineClock.now()), signal);

  const before = await checkIsolation(stage, 'before the load');
  const control = await checkEgressKnowsOthers(world);
  const meter = createProgressMeter(topology.idcs.map((idc) => idc.name));
  const shapes = planLoads(topology, options.outage, options.rates);
  const start = { startAtMs: span('steady').from - warmUpMs, endAtMs: span('steady again').to };
  const begin = (shape: LoadShape, from: number, number: number) =>
    startLoad(stage, shape, { ...start, startAtMs: from }, options.seed + number, meter.take);
  const loads = shapes.map((shape, i) => begin(shape, start.startAtMs, i));
  const inside = options.outage === 'site' ? loads.filter((load) => load.idc === lostIdc) : [];

  const outage = planOutage(options.outage, world, {
    clients: () => inside.map((load) => load.running),
    ...(stage.network && { network: stage.network }),
  });
  const stopProgress = showProgress(meter, phases, start.startAtMs, options.say);
  const edit = (name: PhaseName, first: number, count: number) =>
    saveEdits(
      {
        topology,
        paths,
        idc: editedIdc(topology, options.outage),
        first,
        count,
        fromMs: span(name).from,
        toMs: span(name).to,
      },
      signal,
    );
  const half = bounds.edits / 2;
  const usage = createUsageMeter(topology.id);
  try {
    await until(span('steady').from);
    usage.begin('steady');
    let edits = await edit('steady', 0, half);

    await until(span('outage').from);
    usage.begin('outage');
    const faults = await strike(outage, span('outage'), until, options.say);
    await until((span('outage').from + span('outage').to) / 2);
    const inOutage = await checkSidecarsKnowOnlyHome(world, ['caller'], 'in the outage');

    await until(span('recovery').from);
    usage.begin('recovery');
    const marks = createRestartMarks(paths);
    const dead = outage.healed.filter((part) => part.proxy && !world.running(part).alive());
    for (const part of dead) if (part.proxy && part.kind !== 'app') marks.note(part.proxy);
    options.say('healing');
    const healed = await outage.heal();
    const healthy = healthyAgain(stage, outage, span('steady again').to - machineClock.now());
    const again = inside.length > 0 ? healthy.then((at) => beginAgain(at)) : undefined;

    await until(span('steady again').from);
    usage.begin('steady again');
    edits += await edit('steady again', half, half);
    await until(span('steady again').to);
    const used = usage.end();
    const healthyAt = await healthy;
    const late = await again;
    const all = late ? [...loads, late] : loads;
    await ended(all, signal);
    // Once more: what was started again must be as closed as what was killed.
    const after = await checkIsolation(stage, 'after the load');

    const { access, counters } = await collectAccess(topology, paths, marks);
    const blow = faults[0]?.moment as Moment;
    return {
      outage: options.outage,
      crossing: options.crossing,
      lostIdc,
      phases,
      faults,
      healed,
      healthyAt,
      streams: all.map((load) => factsOf(load, inside.includes(load) ? blow : undefined)),
      samples: all.flatMap((load) => samplesOf(stage, load)),
      entries: collectEntries(topology, paths),
      access,
      counters,
      listeners: listenerNames(topology),
      lost: lostProxies(dead, faults),
      isolation: { ...before, ...after, 'sidecars in the outage': inOutage, control },
      edits,
      acks: [await collectAcks(editedIdc(topology, options.outage))],
      usage: used,
    };
  } finally {
    stopProgress();
  }

  /** Callers inside the site come back with it. */
  function beginAgain(healthyAt: number): Load | undefined {
    const shape = shapes.find((each) => each.idc === lostIdc);
    const from = machineClock.now() + leadMs;
    if (!shape || Number.isNaN(healthyAt) || from > start.endAtMs - 1000) return undefined;
    return begin({ ...shape, stream: `${shape.stream}-again` }, from, shapes.length);
  }
}

async function checkIsolation(
  { world, paths }: Stage,
  when: 'before the load' | 'after the load',
): Promise<IsolationFindings> {
  return {
    [`sidecars ${when}`]: await checkSidecarsKnowOnlyHome(world, ['sidecar', 'caller'], when),
    [`instances ${when}`]: checkInstancesBehindSidecars(world, paths, when),
  };
}

async function strike(
  outage: Outage,
  phase: Phase,
  until: (atMs: number) => Promise<void>,
  say: (line: string) => void,
): Promise<Measurement['faults'][number][]> {
  const faults: Measurement['faults'][number][] = [];
  for (const step of outage.steps) {
    await until(phase.from + step.at * (phase.to - phase.from));
    say(step.claim);
    faults.push({ claim: step.claim, moment: await step.strike(), struck: namesOf(step.parts) });
  }
  return faults;
}

/** When all that was healed answers again: Envoys ready, and each instance through its sidecar; NaN if not in time. */
async function healthyAgain(stage: Stage, outage: Outage, timeoutMs: number): Promise<number> {
  const deadline = machineClock.now() + timeoutMs;
  const instances = outage.healed
    .filter((part) => part.kind === 'sidecar')
    .map((part) => part.proxy as InstancePlan);
  const answers = async (instance: InstancePlan) => {
    while ((await probe(instance.inbound, hostOf(stage.topology, instance.group))) !== '') {
      if (machineClock.now() > deadline)
        throw new MeshError('unavailable', `${instance.name} does not answer`);
      await sleep(machineClock, 25, stage.signal);
    }
  };
  try {
    await Promise.all([stage.world.ready(outage.healed, timeoutMs), ...instances.map(answers)]);
    return machineClock.now();
  } catch {
    // Not a fault of the drill: the verdict says that the IDC did not come back.
    return Number.NaN;
  }
}

/** Envoys that were killed, and when: their last lines are lost. */
function lostProxies(dead: Outage['healed'], faults: Measurement['faults']): LostProxy[] {
  return namesOf(dead).flatMap((proxy) => {
    const fault = faults.findLast(({ struck }) => struck.includes(proxy));
    return fault ? [{ proxy, killed: fault.moment }] : [];
  });
}

/** Resolves when all load clients have ended. Rejects when one outlives the last request's time limit, or on abort. */
async function ended(loads: readonly Load[], signal: AbortSignal): Promise<void> {
  const last = Math.max(...loads.map(({ plan }) => plan.startAtMs + plan.durationMs + plan.timeoutMs));
  const limit = new AbortController();
  const tooLong = sleep(
    machineClock,
    last + 5000 - machineClock.now(),
    AbortSignal.any([signal, limit.signal]),
  );
  const all = Promise.all(loads.map((load) => load.running.exited)).then(() => 'ended' as const);
  const first = await Promise.race([all, tooLong.then(() => 'too long' as const)]);
  tooLong.catch(() => {});
  limit.abort();
  if (first === 'too long')
    throw new MeshError('internal', 'a load client outlived the time limit of its last request');
}

/** Prints a line a second until the returned function is called. */
function showProgress(
  meter: ReturnType<typeof createProgressMeter>,
  phases: readonly Phase[],
  start: number,
  say: (line: string) => void,
): () => void {
  let stopped = false;
  let before = start;
  const again = () => {
    if (stopped) return;
    const now = machineClock.now();
    if (now > start) {
      const name = phaseAt(phases, before)?.name ?? (before < start + warmUpMs ? 'warm-up' : 'ending');
      say(meter.line(now - start, name, now - before));
      before = now;
    }
    machineClock.after(1000, again);
  };
  machineClock.after(Math.max(0, start - machineClock.now()) + 1000, again);
  return () => {
    stopped = true;
  };
}
