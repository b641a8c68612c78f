import type { Moment } from '../faults/fault.ts';
import { faultKinds, type InjectedFault } from '../faults/loss.ts';
import type { PlannedFault } from '../faults/planned-fault.ts';
import type { LinkConditions } from '../faults/wan.ts';
import type { Load, LoadShape } from '../load/loads.ts';
import type { EjectionLook } from '../measure/ejected.ts';
import type { StepFacts } from '../measure/measurement.ts';
import type { Phase } from '../measure/phases.ts';
import { leadMs, type Scene } from '../scene.ts';
import { machineClock } from '../time.ts';
import { instancesOf, type Part, partNames } from '../world/parts.ts';
import type { Stage } from '../world/stage.ts';
import type { Cut, Evacuated, Leave, Sickness } from './measurement.ts';

/** A fault in force, with what was noted of it. */
interface InForce {
  readonly planned: PlannedFault;
  readonly fault: { -readonly [K in keyof InjectedFault]: InjectedFault[K] };
}

/** A scenario that is being played: what its actions do goes through here, and is noted. */
export interface Run {
  readonly scene: Scene;
  /** The phase that runs. */
  readonly phase: Phase;
  /** The load shapes by stream, to begin those again whose clients died with a site. */
  readonly shapes: readonly LoadShape[];
  /** Injects faults at once, as one step. */
  inject(claim: string, planned: readonly PlannedFault[]): Promise<void>;
  /** Heals the faults in force whose parts are all among these; all of them when none are given. */
  heal(claim: string, parts?: readonly Part[]): Promise<void>;
  /** Takes instances out of their registries, or puts them back. */
  leave(claim: string, parts: readonly Part[]): Promise<void>;
  comeBack(claim: string, parts: readonly Part[]): Promise<void>;
  /** Notes what packets meet on a way from a moment on. */
  linked(from: string, to: string, conditions: LinkConditions, moment: Moment): void;
  /** Notes that instances are gray, and who is ejected meanwhile. */
  sicken(sickness: Omit<Sickness, 'looks'>, looks: Promise<Sickness['looks']>): void;
  /** Notes that an IDC is evacuated from now on, or (0) no more. */
  evacuated(idc: string, percent: number, moment: Moment): void;
  /** Goes on beside the steps; the run ends when it has. */
  beside(work: Promise<unknown>): void;
  /** Edits so far in an IDC. */
  edits(idc: string): number;
  /** Counts edits, and remembers whose control plane is asked about their ACKs. */
  edited(idc: string, count: number): void;
}

/** What a run noted. */
export interface RunNotes {
  readonly faults: readonly StepFacts[];
  readonly losses: readonly InjectedFault[];
  readonly healed: Moment;
  readonly healthyAt: number;
  readonly died?: { readonly idc: string; readonly moment: Moment };
  readonly leaves: readonly Leave[];
  readonly cuts: readonly Cut[];
  readonly sicknesses: readonly Sickness[];
  readonly evacuations: readonly Evacuated[];
  readonly edits: number;
  readonly editedIdcs: readonly string[];
}

const never: Moment = { from: Number.POSITIVE_INFINITY, to: Number.POSITIVE_INFINITY };

/** A run that notes what it does. */
interface NotedRun extends Run {
  soFar(): Omit<RunNotes, 'edits' | 'editedIdcs' | 'sicknesses'>;
  notes(): Promise<RunNotes>;
}

/** A run, and what it will have noted. `endMs`: when the last phase ends; `phase` gives the one that runs. */
export function createRun(
  scene: Scene,
  options: { readonly shapes: readonly LoadShape[]; readonly endMs: number; phase(): Phase },
): NotedRun {
  return new RunOfScenario(scene, options);
}

class RunOfScenario implements NotedRun {
  readonly scene: Scene;
  readonly #options: { readonly shapes: readonly LoadShape[]; readonly endMs: number; phase(): Phase };
  readonly #stage: Stage;
  readonly #faults: StepFacts[] = [];
  readonly #losses: InForce['fault'][] = [];
  readonly #leaves: { -readonly [K in keyof Leave]: Leave[K] }[] = [];
  readonly #cuts: { -readonly [K in keyof Cut]: Cut[K] }[] = [];
  readonly #sicknesses: Promise<Sickness>[] = [];
  readonly #evacuations: { -readonly [K in keyof Evacuated]: Evacuated[K] }[] = [];
  readonly #works: Promise<unknown>[] = [];
  readonly #healths: Promise<number>[] = [];
  readonly #edits = new Map<string, number>();
  #inForce: InForce[] = [];
  #healed: Moment | undefined;
  #died: RunNotes['died'];
  #dead: readonly Load[] = [];
  readonly shapes: NotedRun['shapes'];

  constructor(
    scene: Scene,
    options: { readonly shapes: readonly LoadShape[]; readonly endMs: number; phase(): Phase },
  ) {
    this.scene = scene;
    this.#options = options;
    const { stage } = scene;
    this.#stage = stage;
    this.shapes = options.shapes;
  }

  soFar(): Omit<RunNotes, 'edits' | 'editedIdcs' | 'sicknesses'> {
    return {
      ...{
        faults: this.#faults,
        losses: this.#losses,
        leaves: this.#leaves,
        cuts: this.#cuts,
        evacuations: this.#evacuations,
      },
      healed: this.#healed ?? never,
      healthyAt: Number.NaN,
      ...(this.#died && { died: this.#died }),
    };
  }

  get phase() {
    return this.#options.phase();
  }

  async inject(claim: string, planned: readonly PlannedFault[]): Promise<void> {
    const moments: Moment[] = [];
    const parts = [...new Set(planned.flatMap((each) => each.parts))];
    const facts = await this.scene.step(
      claim,
      async () => {
        for (const each of planned) moments.push(await each.inject());
        return { from: moments[0]?.from ?? Number.NaN, to: moments.at(-1)?.to ?? Number.NaN };
      },
      parts,
    );
    this.#faults.push(facts);
    planned.forEach((each, i) => {
      const { kind } = each;
      const injected = moments[i] as Moment;
      const planes = each.parts.flatMap((part) => (part.kind === 'control' ? (part.idc ?? []) : []));
      const struck = partNames(each.parts);
      const fault = { kind, injected, struck, planes, healed: never, healthyAt: Number.NaN };
      this.#losses.push(fault);
      this.#inForce.push({ planned: each, fault });
      const site = siteOf(each.parts, this.#stage.world.parts);
      if (site === undefined) return;
      this.#died = { idc: site, moment: injected };
      this.#dead = this.scene.loads.filter(({ idc, running }) => idc === site && !running.alive());
      for (const load of this.#dead) this.scene.lose(load, injected);
    });
  }

  async heal(claim: string, parts: readonly Part[] | undefined): Promise<void> {
    const toHeal = this.#inForce.filter(
      ({ planned }) => parts === undefined || planned.parts.every((part) => parts.includes(part)),
    );
    if (toHeal.length === 0) return;
    this.#inForce = this.#inForce.filter((each) => !toHeal.includes(each));
    // Stopped ones first: they need no time.
    toHeal.sort((a, b) => faultKinds.indexOf(b.planned.kind) - faultKinds.indexOf(a.planned.kind));
    const { moment } = await this.scene.step(claim, async () => {
      const moments: Moment[] = [];
      for (const { planned } of toHeal) moments.push(await planned.heal());
      this.scene.prioritize();
      return { from: moments[0]?.from ?? Number.NaN, to: moments.at(-1)?.to ?? Number.NaN };
    });
    this.#healed ??= moment;
    for (const { fault } of toHeal) fault.healed = moment;
    const all = toHeal.flatMap(({ planned }) => planned.parts);
    const again = this.#dead;
    this.#dead = [];
    this.#healths.push(
      this.scene.healthy(all, this.#options.endMs - machineClock.now()).then((at) => {
        for (const { fault } of toHeal) fault.healthyAt = at;
        if (Number.isNaN(at)) return at;
        this.scene.note('everything that was struck answers again', at);
        for (const load of again) this.#beginAgain(load);
        return at;
      }),
    );
  }

  async leave(claim: string, parts: readonly Part[]): Promise<void> {
    const instances = instancesOf(parts);
    const { moment } = await this.scene.withdraw(claim, instances);
    for (const { idc, name } of instances) {
      this.#leaves.push({ instance: `${idc}/${name}`, from: moment.to, to: Number.POSITIVE_INFINITY });
    }
  }

  async comeBack(claim: string, parts: readonly Part[]): Promise<void> {
    const instances = instancesOf(parts);
    const { moment } = await this.scene.step(claim, async () => {
      this.scene.announce(instances);
      return undefined;
    });
    const names = instances.map(({ idc, name }) => `${idc}/${name}`);
    for (const leave of this.#leaves)
      if (names.includes(leave.instance) && leave.to > moment.from) leave.to = moment.from;
  }

  linked(from: string, to: string, { cut }: LinkConditions, moment: Moment): void {
    const last = this.#cuts.findLast((each) => each.from === from && each.to === to);
    const isCut = last?.healed === never;
    if (cut && !isCut) this.#cuts.push({ from, to, injected: moment, healed: never });
    if (!cut && isCut) last.healed = moment;
  }

  sicken(sickness: Omit<Sickness, 'looks'>, looks: Promise<readonly EjectionLook[]>): void {
    const whole = looks.then((all) => ({ ...sickness, looks: all }));
    this.#sicknesses.push(whole);
    whole.catch(() => {});
  }

  evacuated(idc: string, percent: number, { from, to }: Moment): void {
    const last = this.#evacuations.findLast(
      (each) => each.idc === idc && each.to === Number.POSITIVE_INFINITY,
    );
    if (percent > 0 && last === undefined)
      this.#evacuations.push({ idc, from, to: Number.POSITIVE_INFINITY });
    if (percent === 0 && last !== undefined) last.to = to;
  }

  beside(work: Promise<unknown>): void {
    this.#works.push(work);
    work.catch(() => {});
  }

  edits(idc: string): number {
    return this.#edits.get(idc) ?? 0;
  }

  edited(idc: string, count: number): void {
    this.#edits.set(idc, (this.#edits.get(idc) ?? 0) + count);
  }

  async notes(): Promise<{
    faults: readonly StepFacts[];
    losses: readonly InjectedFault[];
    healed: Moment;
    died?: { readonly idc: string; readonly moment: Moment };
    leaves: readonly Leave[];
    cuts: readonly Cut[];
    evacuations: readonly Evacuated[];
    sicknesses: Sickness[];
    healthyAt: number;
    edits: number;
    editedIdcs: string[];
  }> {
    await Promise.all(this.#works);
    const times = await Promise.all(this.#healths);
    return {
      ...this.soFar(),
      sicknesses: await Promise.all(this.#sicknesses),
      healthyAt: times.length === 0 ? Number.NaN : Math.max(...times),
      edits: [...this.#edits.values()].reduce((sum, count) => sum + count, 0),
      editedIdcs: [...this.#edits.keys()],
    };
  }

  /** Callers inside a site come back with it. */
  #beginAgain({ plan }: Load): void {
    const from = machineClock.now() + leadMs;
    const shape = this.#options.shapes.find(({ stream }) => stream === plan.stream);
    if (!shape || from > this.#options.endMs - 1000) return;
    this.scene.startLoad({ ...shape, stream: `${plan.stream}-again` }, from);
  }
}

/** The IDC of which these are all parts; undefined when there is none. */
function siteOf(parts: readonly Part[], all: readonly Part[]): string | undefined {
  const idc = parts[0]?.idc;
  const whole = all.filter((part) => part.idc === idc);
  return whole.length > 0 && whole.every((part) => parts.includes(part)) ? idc : undefined;
}
