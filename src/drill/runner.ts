import { sleep } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { DrillPlan } from './definition.ts';
import {
  factsOf,
  type LoadClient,
  type LoadShape,
  type Rates,
  samplesOf,
  startClient,
} from './load/loads.ts';
import { createProgressMeter } from './load/progress.ts';
import { collectAccess, collectEntries } from './measure/collect.ts';
import {
  checkEgressKnowsOthers,
  checkInstancesBehindSidecars,
  checkSidecarsKnowOnlyHome,
  type IsolationFindings,
} from './measure/isolation.ts';
import type { Measurement } from './measure/measurement.ts';
import { layPhases, type Phase, type PhaseSeconds, phaseAt } from './measure/phases.ts';
import { createUsageMeter } from './measure/usage.ts';
import { raiseToRealtime } from './process/realtime.ts';
import { createScene, leadMs, type NotedScene } from './scene.ts';
import { machineClock } from './time.ts';
import type { Stage } from './world/stage.ts';
import { listenerNames, type ProxyPlan } from './world/topology.ts';

/** What a run of phases needs. */
interface RunOptions {
  readonly phases: PhaseSeconds;
  readonly rates: Rates;
  readonly seed: number;
  readonly say: (line: string) => void;
}

/**
 * The load runs this long before the first phase: fresh processes are slow, and a slow steady phase would
 * excuse a slow outage. These requests must succeed like all others; only latency is not judged by them.
 */
const warmUpMs = 2000;

/** What the loads, the instances and the proxies have logged and counted, and what the scene noted. */
async function collected({ stage, loads, steps, notes }: NotedScene) {
  const { world, topology, paths } = stage;
  const dead = new Set(
    world.parts
      .filter((part) => part.kind !== 'app' && !world.running(part).alive())
      .map((part) => part.proxy),
  );
  const runs = (proxy: ProxyPlan) => !dead.has(proxy);
  const { access, counters } = await collectAccess(topology, paths, stage.marks, runs);
  return {
    steps,
    streams: loads.map((load) => factsOf(load, notes.killedLoads.get(load))),
    samples: loads.flatMap((load) => samplesOf(stage, load)),
    entries: collectEntries(topology, paths),
    access,
    counters,
    listeners: listenerNames(topology, runs),
    lost: notes.lost,
  };
}

/**
 * Plays a drill on a stage that was raised, with its loads all the while, and collects what was logged and
 * counted. Resolves with what was measured. Rejects when the stage's signal aborts.
 */
export async function runPhases<F extends object>(
  stage: Stage,
  plan: DrillPlan<F>,
  options: RunOptions,
): Promise<Measurement & F> {
  const { world, topology } = stage;
  const idcs = topology.idcs.map((idc) => idc.name);
  const meter = createProgressMeter(idcs);
  let begun = 0;
  const start = (shape: LoadShape, durationMs: number) =>
    startClient(stage, shape, durationMs, options.seed + begun++, meter.take);
  const lasts = 1000 * Object.values(options.phases).reduce((sum, seconds) => sum + seconds, 0);
  const clients = plan.loads(topology, options.rates).map((shape) => start(shape, warmUpMs + lasts));
  const before = await checkIsolation(stage, 'before the load');
  const control = await checkEgressKnowsOthers(world);
  await ready(clients, stage.signal);

  const startAtMs = machineClock.now() + leadMs;
  const phases = layPhases(options.phases, startAtMs + warmUpMs);
  const endAtMs = (phases.at(-1) as Phase).to;
  const loads = clients.map((client) => client.begin(startAtMs));
  const usage = createUsageMeter(topology.id);
  let used: Measurement['usage'] = [];
  const realtime = plan.realtime ? raiseToRealtime(topology.id) : undefined;
  const scene = createScene({
    stage,
    phases,
    rates: options.rates,
    loads,
    say: options.say,
    prioritize: () => {
      if (plan.realtime) raiseToRealtime(topology.id);
    },
    startLoad: (shape, from) => start(shape, endAtMs - from).begin(from),
    onPhase: ({ name }) => usage.begin(name),
    onEnd: () => {
      used = usage.end();
    },
  });
  const stopProgress = showProgress(meter, phases, startAtMs, options.say);
  try {
    const facts = await plan.play(scene);
    await scene.ended();
    // Once more: what was started again must be as closed as what was killed.
    const after = await checkIsolation(stage, 'after the load');

    return {
      idcs,
      phases,
      ...(await collected(scene)),
      isolation: { ...before, ...after, ...scene.notes.isolation, control },
      usage: used,
      ...(realtime !== undefined && { realtime }),
      ...facts,
    };
  } finally {
    stopProgress();
  }
}

/** Generous, as all waiting for a busy machine is. */
const readyTimeoutMs = 60_000;

/** Resolves when all load clients can begin. */
async function ready(clients: readonly LoadClient[], signal: AbortSignal): Promise<void> {
  const limit = new AbortController();
  const all = Promise.all(clients.map((client) => client.ready)).then(() => true);
  const tooLong = sleep(machineClock, readyTimeoutMs, AbortSignal.any([signal, limit.signal])).then(
    () => false,
  );
  try {
    if (!(await Promise.race([all, tooLong])))
      throw new MeshError('unavailable', `the load clients were not ready within ${readyTimeoutMs / 1000} s`);
  } finally {
    tooLong.catch(() => {});
    limit.abort();
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

/** A line for each second of a short drill; of a long one for each ten. */
const [lineMs, longLineMs, longMs] = [1000, 10_000, 180_000] as const;

/** Prints a line every so often until the returned function is called. */
function showProgress(
  meter: ReturnType<typeof createProgressMeter>,
  phases: readonly Phase[],
  start: number,
  say: (line: string) => void,
): () => void {
  let stopped = false;
  let before = start;
  const everyMs = (phases.at(-1)?.to ?? 0) - start > longMs ? longLineMs : lineMs;
  const again = () => {
    if (stopped) return;
    const now = machineClock.now();
    if (now > start) {
      const name = phaseAt(phases, before)?.name ?? (before < start + warmUpMs ? 'warm-up' : 'ending');
      say(meter.line(now - start, name, now - before));
      before = now;
    }
    machineClock.after(everyMs, again);
  };
  machineClock.after(Math.max(0, start - machineClock.now()) + everyMs, again);
  return () => {
    stopped = true;
  };
}
