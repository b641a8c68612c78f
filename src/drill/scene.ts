import { sleep } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { killHard, type Moment, pause, resume } from './faults/fault.ts';
import { type Load, type LoadShape, lastEndOf, type Rates } from './load/loads.ts';
import type { IsolationFindings } from './measure/isolation.ts';
import type { LostProxy, StepFacts } from './measure/measurement.ts';
import type { Phase } from './measure/phases.ts';
import type { Running } from './process/process.ts';
import { machineClock } from './time.ts';
import { askAdmin } from './world/envoy.ts';
import { probeGroup } from './world/group-probe.ts';
import { instancesOf, namesOf, type Part } from './world/parts.ts';
import { removeInstance, saveInstance } from './world/registry-files.ts';
import type { Stage } from './world/stage.ts';
import { hostOf, type InstancePlan, idcOf } from './world/topology.ts';

/** The clients' processes need this long to start before the first request is due. */
export const leadMs = 1000;

/** A drill's hands and its watch: what its `play` does to the world goes through here, and is noted. */
export interface Scene {
  readonly stage: Stage;
  readonly rates: Rates;
  /** All loads so far. */
  readonly loads: readonly Load[];
  /** All steps so far, in their order. */
  readonly steps: readonly StepFacts[];
  say(line: string): void;
  /** A phase of the plan. Throws RangeError when it has none of that name. */
  span(phase: string): Phase;
  /** Resolves with a phase when it begins. Phases are begun in their order, each once. */
  begin(phase: string): Promise<Phase>;
  /** Resolves at a moment of the machine's clock, or at once when it has passed. */
  until(atMs: number): Promise<void>;
  /**
   * Does a step: says it, notes when it was done and, with `struck`, what it silenced. `act` may resolve with
   * the moment itself; otherwise that is from its call to its end. Use the four below where they do.
   */
  step(claim: string, act: () => Promise<Moment | undefined>, struck?: readonly Part[]): Promise<StepFacts>;
  /** A step: kill -9 of parts, all at once. */
  kill(claim: string, parts: readonly Part[]): Promise<StepFacts>;
  /** A step: SIGSTOP of parts. */
  pause(claim: string, parts: readonly Part[]): Promise<StepFacts>;
  /** A step: SIGCONT of parts. */
  resume(claim: string, parts: readonly Part[]): Promise<StepFacts>;
  /** A step: starts parts that have ended, again. */
  restart(claim: string, parts: readonly Part[]): Promise<StepFacts>;
  /**
   * A step: takes instances out of their IDC's registry; resolves when no proxy that had them has them any
   * more, so that they can go in peace. Rejects with MeshError 'unavailable' when one still has them after
   * `timeoutMs` (default 30 s).
   */
  withdraw(claim: string, instances: readonly InstancePlan[], timeoutMs?: number): Promise<StepFacts>;
  /** Puts instances back into their IDC's registry. */
  announce(instances: readonly InstancePlan[]): void;
  /** Gives processes that were started again the priority of the others. */
  prioritize(): void;
  /** Notes that something came true, for the report. */
  note(claim: string, atMs: number): void;
  /**
   * When all these parts answer again: Envoys ready, and each instance through its sidecar; NaN if not in
   * time.
   */
  healthy(parts: readonly Part[], timeoutMs: number): Promise<number>;
  /** Starts one more load, from a moment (at least `leadMs` ahead) to the end of the last phase. */
  startLoad(shape: LoadShape, fromMs: number): Load;
  /** Notes that a load's client died with what was broken: what it was waiting for has no record. */
  lose(load: Load, moment: Moment): void;
  /** Adds what was looked at to the findings of the isolation checks. */
  found(findings: IsolationFindings): void;
  /** Resolves when the last phase is over and all load clients have ended. */
  ended(): Promise<void>;
}

/** What a scene noted. */
export interface SceneNotes {
  readonly steps: StepFacts[];
  readonly lost: LostProxy[];
  readonly killedLoads: Map<Load, Moment>;
  readonly isolation: IsolationFindings;
}

/** What a scene is made of. */
export interface SceneOptions {
  readonly stage: Stage;
  readonly phases: readonly Phase[];
  readonly rates: Rates;
  readonly loads: Load[];
  say(line: string): void;
  startLoad(shape: LoadShape, fromMs: number): Load;
  prioritize(): void;
  /** Called when a phase begins. */
  onPhase(phase: Phase): void;
  /** Called when the last phase is over. */
  onEnd(): void;
}

/** The scene of one run, and what it will have noted by the end of the play. */
export function createScene(options: SceneOptions): { scene: Scene; notes: SceneNotes } {
  const { stage, phases, loads } = options;
  const { world, signal } = stage;
  let isolation: IsolationFindings = {};
  const notes = {
    steps: [] as StepFacts[],
    lost: [] as LostProxy[],
    killedLoads: new Map<Load, Moment>(),
    get isolation() {
      return isolation;
    },
  };
  let next = 0;
  let over = false;
  const until = (atMs: number) => sleep(machineClock, Math.max(0, atMs - machineClock.now()), signal);
  const all = (parts: readonly Part[]): Running[] => parts.map((part) => world.running(part));
  const span = (name: string): Phase => {
    const phase = phases.find((each) => each.name === name);
    if (!phase) throw new RangeError(`the drill has no phase ${name}`);
    return phase;
  };
  const add = (facts: StepFacts): StepFacts => {
    notes.steps.push(facts);
    notes.steps.sort((a, b) => a.moment.from - b.moment.from);
    return facts;
  };
  const step: Scene['step'] = async (claim, act, struck = []) => {
    options.say(claim);
    const from = machineClock.now();
    const moment = (await act()) ?? { from, to: machineClock.now() };
    // Their counters and the last lines of their logs are gone.
    const dead = struck.filter(({ kind, proxy }) => proxy && kind !== 'app');
    for (const proxy of namesOf(dead.filter((part) => !world.running(part).alive()))) {
      notes.lost.push({ proxy, killed: moment });
    }
    return add({ claim, moment, struck: namesOf(struck) });
  };
  const scene: Scene = {
    stage,
    rates: options.rates,
    loads,
    steps: notes.steps,
    say: options.say,
    span,
    async begin(name) {
      const phase = phases[next];
      if (phase?.name !== name) throw new RangeError(`${phase?.name ?? 'no phase'} is next, not ${name}`);
      next += 1;
      await until(phase.from);
      options.onPhase(phase);
      return phase;
    },
    until,
    step,
    kill: (claim, parts) => step(claim, () => killHard(all(parts)), parts),
    pause: (claim, parts) => step(claim, async () => pause(all(parts)), parts),
    resume: (claim, parts) => step(claim, async () => resume(all(parts))),
    restart: (claim, parts) =>
      step(claim, async () => {
        world.start(parts);
        options.prioritize();
        return undefined;
      }),
    prioritize: options.prioritize,
    withdraw: (claim, instances, timeoutMs = 30_000) =>
      step(claim, async () => {
        for (const instance of instances) removeInstance(stage.paths.registry(instance.idc), instance);
        const deadline = machineClock.now() + timeoutMs;
        await Promise.all(instances.map((instance) => forgotten(stage, instance, deadline)));
        return undefined;
      }),
    announce(instances) {
      for (const instance of instances) {
        saveInstance(stage.paths.registry(instance.idc), stage.topology, instance, 1);
      }
    },
    note: (claim, atMs) => {
      add({ claim, moment: { from: atMs, to: atMs }, struck: [] });
    },
    healthy: (parts, timeoutMs) => healthyAgain(stage, parts, timeoutMs),
    startLoad(shape, fromMs) {
      const load = options.startLoad(shape, fromMs);
      loads.push(load);
      return load;
    },
    lose: (load, moment) => {
      notes.killedLoads.set(load, moment);
    },
    found: (findings) => {
      isolation = { ...isolation, ...findings };
    },
    async ended() {
      await until(phases.at(-1)?.to ?? 0);
      if (!over) options.onEnd();
      over = true;
      await loadsEnded(loads, signal);
    },
  };
  return { scene, notes };
}

async function healthyAgain(stage: Stage, parts: readonly Part[], timeoutMs: number): Promise<number> {
  const deadline = machineClock.now() + timeoutMs;
  const instances = instancesOf(parts);
  const answers = async (instance: InstancePlan) => {
    while (
      (await probeGroup(instance.inbound, instance.group, hostOf(stage.topology, instance.group))) !== ''
    ) {
      if (machineClock.now() > deadline)
        throw new MeshError('unavailable', `${instance.name} does not answer`);
      await sleep(machineClock, 25, stage.signal);
    }
  };
  try {
    await Promise.all([stage.world.ready(parts, timeoutMs), ...instances.map(answers)]);
    return machineClock.now();
  } catch {
    // Not a fault of the drill: the verdict says that it did not come back.
    return Number.NaN;
  }
}

/** Resolves when no proxy of its IDC that may use an instance has it among its endpoints. */
async function forgotten(stage: Stage, instance: InstancePlan, deadline: number): Promise<void> {
  const { ingress, caller } = idcOf(stage.topology, instance.idc);
  const endpoint = `${instance.inbound.address}:${instance.inbound.port}`;
  for (const proxy of [...ingress, caller]) {
    while ((await askAdmin(proxy.admin, '/clusters')).includes(`::${endpoint}::`)) {
      if (machineClock.now() > deadline)
        throw new MeshError('unavailable', `${proxy.idc}/${proxy.name} still has ${instance.name}`);
      await sleep(machineClock, 25, stage.signal);
    }
  }
}

/** Rejects when a load client outlives the last request's time limit, or on abort. */
async function loadsEnded(loads: readonly Load[], signal: AbortSignal): Promise<void> {
  const last = Math.max(...loads.map(lastEndOf));
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
