import type { Moment } from '../faults/fault.ts';
import { type Fault, faultKinds } from '../faults/loss.ts';
import type { Strike } from '../faults/strike.ts';
import type { LinkConditions } from '../faults/wan.ts';
import type { Load, LoadShape } from '../load/loads.ts';
import type { StepFacts } from '../measure/measurement.ts';
import type { Phase } from '../measure/phases.ts';
import { leadMs, type Scene } from '../scene.ts';
import { machineClock } from '../time.ts';
import { instancesOf, namesOf, type Part } from '../world/parts.ts';
import type { Cut, Evacuated, Leave, Sickness } from './measurement.ts';

/** A strike in force, with what was noted of it. */
interface InForce {
  readonly strike: Strike;
  readonly fault: { -readonly [K in keyof Fault]: Fault[K] };
}

/** A scenario that is being played: what its actions do goes through here, and is noted. */
export interface Run {
  readonly scene: Scene;
  /** The phase that runs. */
  readonly phase: Phase;
  /** The load shapes by stream, to begin those again whose clients died with a site. */
  readonly shapes: readonly LoadShape[];
  /** Does strikes at once, as one step. */
  strike(claim: string, strikes: readonly Strike[]): Promise<void>;
  /** Undoes the strikes in force whose parts are all among these; all of them when none are given. */
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
  readonly losses: readonly Fault[];
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

/** A run, and what it will have noted. `endMs`: when the last phase ends; `phase` gives the one that runs. */
export function createRun(
  scene: Scene,
  options: { readonly shapes: readonly LoadShape[]; readonly endMs: number; phase(): Phase },
): {
  run: Run;
  soFar(): Omit<RunNotes, 'edits' | 'editedIdcs' | 'sicknesses'>;
  notes(): Promise<RunNotes>;
} {
  const { stage } = scene;
  const faults: StepFacts[] = [];
  const losses: InForce['fault'][] = [];
  const leaves: { -readonly [K in keyof Leave]: Leave[K] }[] = [];
  const cuts: { -readonly [K in keyof Cut]: Cut[K] }[] = [];
  const sicknesses: Promise<Sickness>[] = [];
  const evacuations: { -readonly [K in keyof Evacuated]: Evacuated[K] }[] = [];
  const works: Promise<unknown>[] = [];
  const healths: Promise<number>[] = [];
  const edits = new Map<string, number>();
  let inForce: InForce[] = [];
  let healed: Moment | undefined;
  let died: RunNotes['died'];
  let dead: readonly Load[] = [];

  const run: Run = {
    scene,
    get phase() {
      return options.phase();
    },
    shapes: options.shapes,
    async strike(claim, strikes) {
      const moments: Moment[] = [];
      const parts = [...new Set(strikes.flatMap((each) => each.parts))];
      const facts = await scene.step(
        claim,
        async () => {
          for (const each of strikes) moments.push(await each.strike());
          return { from: moments[0]?.from ?? Number.NaN, to: moments.at(-1)?.to ?? Number.NaN };
        },
        parts,
      );
      faults.push(facts);
      strikes.forEach((strike, i) => {
        const { kind } = strike;
        const blow = moments[i] as Moment;
        const planes = strike.parts.flatMap((part) => (part.kind === 'control' ? (part.idc ?? []) : []));
        const struck = namesOf(strike.parts);
        const fault = { kind, blow, struck, planes, healed: never, healthyAt: Number.NaN };
        losses.push(fault);
        inForce.push({ strike, fault });
        const site = siteOf(strike.parts, stage.world.parts);
        if (site === undefined) return;
        died = { idc: site, moment: blow };
        dead = scene.loads.filter(({ idc, running }) => idc === site && !running.alive());
        for (const load of dead) scene.lose(load, blow);
      });
    },
    async heal(claim, parts) {
      const own = inForce.filter(
        ({ strike }) => parts === undefined || strike.parts.every((part) => parts.includes(part)),
      );
      if (own.length === 0) return;
      inForce = inForce.filter((each) => !own.includes(each));
      // Stopped ones first: they need no time.
      own.sort((a, b) => faultKinds.indexOf(b.strike.kind) - faultKinds.indexOf(a.strike.kind));
      const { moment } = await scene.step(claim, async () => {
        const moments: Moment[] = [];
        for (const { strike } of own) moments.push(await strike.heal());
        scene.prioritize();
        return { from: moments[0]?.from ?? Number.NaN, to: moments.at(-1)?.to ?? Number.NaN };
      });
      healed ??= moment;
      for (const { fault } of own) fault.healed = moment;
      const all = own.flatMap(({ strike }) => strike.parts);
      const again = dead;
      dead = [];
      healths.push(
        scene.healthy(all, options.endMs - machineClock.now()).then((at) => {
          for (const { fault } of own) fault.healthyAt = at;
          if (Number.isNaN(at)) return at;
          scene.note('all that was lost answers again', at);
          for (const load of again) beginAgain(load);
          return at;
        }),
      );
    },
    async leave(claim, parts) {
      const instances = instancesOf(parts);
      const { moment } = await scene.withdraw(claim, instances);
      for (const { idc, name } of instances) {
        leaves.push({ instance: `${idc}/${name}`, from: moment.to, to: Number.POSITIVE_INFINITY });
      }
    },
    async comeBack(claim, parts) {
      const instances = instancesOf(parts);
      const { moment } = await scene.step(claim, async () => {
        scene.announce(instances);
        return undefined;
      });
      const names = instances.map(({ idc, name }) => `${idc}/${name}`);
      for (const leave of leaves)
        if (names.includes(leave.instance) && leave.to > moment.from) leave.to = moment.from;
    },
    linked(from, to, { cut }, moment) {
      const last = cuts.findLast((each) => each.from === from && each.to === to);
      const isCut = last?.healed === never;
      if (cut && !isCut) cuts.push({ from, to, blow: moment, healed: never });
      if (!cut && isCut) last.healed = moment;
    },
    sicken(sickness, looks) {
      const whole = looks.then((all) => ({ ...sickness, looks: all }));
      sicknesses.push(whole);
      whole.catch(() => {});
    },
    evacuated(idc, percent, { from, to }) {
      const last = evacuations.findLast((each) => each.idc === idc && each.to === Number.POSITIVE_INFINITY);
      if (percent > 0 && last === undefined) evacuations.push({ idc, from, to: Number.POSITIVE_INFINITY });
      if (percent === 0 && last !== undefined) last.to = to;
    },
    beside(work) {
      works.push(work);
      work.catch(() => {});
    },
    edits: (idc) => edits.get(idc) ?? 0,
    edited(idc, count) {
      edits.set(idc, (edits.get(idc) ?? 0) + count);
    },
  };
  const soFar = () => ({
    ...{ faults, losses, leaves, cuts, evacuations },
    healed: healed ?? never,
    healthyAt: Number.NaN,
    ...(died && { died }),
  });
  return {
    run,
    soFar,
    async notes() {
      await Promise.all(works);
      const times = await Promise.all(healths);
      return {
        ...soFar(),
        sicknesses: await Promise.all(sicknesses),
        healthyAt: times.length === 0 ? Number.NaN : Math.max(...times),
        edits: [...edits.values()].reduce((sum, count) => sum + count, 0),
        editedIdcs: [...edits.keys()],
      };
    },
  };

  /** Callers inside a site come back with it. */
  function beginAgain({ plan }: Load): void {
    const from = machineClock.now() + leadMs;
    const shape = options.shapes.find(({ stream }) => stream === plan.stream);
    if (!shape || from > options.endMs - 1000) return;
    scene.startLoad({ ...shape, stream: `${plan.stream}-again` }, from);
  }
}

/** The IDC of which these are all parts; undefined when there is none. */
function siteOf(parts: readonly Part[], all: readonly Part[]): string | undefined {
  const idc = parts[0]?.idc;
  const whole = all.filter((part) => part.idc === idc);
  return whole.length > 0 && whole.every((part) => parts.includes(part)) ? idc : undefined;
}
