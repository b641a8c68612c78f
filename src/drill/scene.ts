import { sleep } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { killHard, type Moment, pause, resume } from './faults/fault.ts';
import { type Load, type LoadShape, lastEndOf, type Rates } from './load/loads.ts';
import type { IsolationFindings } from './measure/isolation.ts';
import type { LostProxy, StepFacts } from './measure/measurement.ts';
import type { Phase } from './measure/phases.ts';
import type { RunningProcess } from './process/process.ts';
import { machineClock } from './time.ts';
import { askAdmin } from './world/envoy.ts';
import { probeGroup } from './world/group-probe.ts';
import { instancesOf, type Part, partNames } from './world/parts.ts';
import { removeInstance, saveInstance } from './world/registry-files.ts';
import type { Stage } from './world/stage.ts';
import { hostOf, type InstancePlan, idcOf } from './world/topology.ts';
import type { World } from './world/world.ts';

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
interface SceneNotes {
  readonly steps: StepFacts[];
  readonly lost: LostProxy[];
  readonly killedLoads: Map<Load, Moment>;
  isolation: IsolationFindings;
}

/** What a scene is made of. */
interface SceneOptions {
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

/** A scene that notes what was done in it. */
export interface NotedScene extends Scene {
  readonly notes: SceneNotes;
}

/** The scene of one run, and what it will have noted by the end of the play. */
export function createScene(options: SceneOptions): NotedScene {
  return new SceneOfRun(options);
}

class SceneOfRun implements NotedScene {
  readonly #options: SceneOptions;
  readonly stage: Stage;
  readonly #phases: readonly Phase[];
  readonly loads: Load[];
  readonly #world: World;
  readonly #signal: AbortSignal;
  readonly notes: SceneNotes = {
    steps: [],
    lost: [],
    killedLoads: new Map(),
    isolation: {},
  };
  #next = 0;
  #over = false;
  readonly rates: NotedScene['rates'];
  readonly steps: NotedScene['steps'] = this.notes.steps;
  readonly say: NotedScene['say'];
  readonly prioritize: NotedScene['prioritize'];

  constructor(options: SceneOptions) {
    this.#options = options;
    const { stage, phases, loads } = options;
    this.stage = stage;
    this.#phases = phases;
    this.loads = loads;
    const { world, signal } = stage;
    this.#world = world;
    this.#signal = signal;
    this.rates = options.rates;
    this.say = options.say;
    this.prioritize = options.prioritize;
  }

  until(atMs: number): Promise<void> {
    return sleep(machineClock, Math.max(0, atMs - machineClock.now()), this.#signal);
  }

  span(name: string): Phase {
    const phase = this.#phases.find((each) => each.name === name);
    if (!phase) throw new RangeError(`the drill has no phase ${name}`);
    return phase;
  }

  async step(
    claim: string,
    act: () => Promise<Moment | undefined>,
    struck: readonly Part[] = [],
  ): Promise<StepFacts> {
    this.#options.say(claim);
    const from = machineClock.now();
    const moment = (await act()) ?? { from, to: machineClock.now() };
    // Their counters and the last lines of their logs are gone.
    const dead = struck.filter(({ kind, proxy }) => proxy && kind !== 'app');
    for (const proxy of partNames(dead.filter((part) => !this.#world.running(part).alive()))) {
      this.notes.lost.push({ proxy, killed: moment });
    }
    return this.#add({ claim, moment, struck: partNames(struck) });
  }

  async begin(name: string): Promise<Phase> {
    const phase = this.#phases[this.#next];
    if (phase?.name !== name) throw new RangeError(`${phase?.name ?? 'no phase'} is next, not ${name}`);
    this.#next += 1;
    await this.until(phase.from);
    this.#options.onPhase(phase);
    return phase;
  }

  kill(claim: string, parts: readonly Part[]): Promise<StepFacts> {
    return this.step(claim, () => killHard(this.#all(parts)), parts);
  }

  pause(claim: string, parts: readonly Part[]): Promise<StepFacts> {
    return this.step(claim, async () => pause(this.#all(parts)), parts);
  }

  resume(claim: string, parts: readonly Part[]): Promise<StepFacts> {
    return this.step(claim, async () => resume(this.#all(parts)));
  }

  restart(claim: string, parts: readonly Part[]): Promise<StepFacts> {
    return this.step(claim, async () => {
      this.#world.start(parts);
      this.#options.prioritize();
      return undefined;
    });
  }

  withdraw(claim: string, instances: readonly InstancePlan[], timeoutMs = 30_000): Promise<StepFacts> {
    return this.step(claim, async () => {
      for (const instance of instances) removeInstance(this.stage.paths.registry(instance.idc), instance);
      const deadline = machineClock.now() + timeoutMs;
      await Promise.all(instances.map((instance) => forgotten(this.stage, instance, deadline)));
      return undefined;
    });
  }

  announce(instances: readonly InstancePlan[]): void {
    for (const instance of instances) {
      saveInstance(this.stage.paths.registry(instance.idc), this.stage.topology, instance, 1);
    }
  }

  note(claim: string, atMs: number): void {
    this.#add({ claim, moment: { from: atMs, to: atMs }, struck: [] });
  }

  healthy(parts: readonly Part[], timeoutMs: number): Promise<number> {
    return healthyAgain(this.stage, parts, timeoutMs);
  }

  startLoad(shape: LoadShape, fromMs: number): Load {
    const load = this.#options.startLoad(shape, fromMs);
    this.loads.push(load);
    return load;
  }

  lose(load: Load, moment: Moment): void {
    this.notes.killedLoads.set(load, moment);
  }

  found(findings: IsolationFindings): void {
    this.notes.isolation = { ...this.notes.isolation, ...findings };
  }

  async ended(): Promise<void> {
    await this.until(this.#phases.at(-1)?.to ?? 0);
    if (!this.#over) this.#options.onEnd();
    this.#over = true;
    await loadsEnded(this.loads, this.#signal);
  }

  #all(parts: readonly Part[]): RunningProcess[] {
    return parts.map((part) => this.#world.running(part));
  }

  #add(facts: StepFacts): StepFacts {
    this.notes.steps.push(facts);
    this.notes.steps.sort((a, b) => a.moment.from - b.moment.from);
    return facts;
  }
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
