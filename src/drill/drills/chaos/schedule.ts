import type { Random } from '../../../base/random.ts';
import type { Step } from '../../scenario/document/document.ts';
import type { FaultTarget } from '../../scenario/target.ts';
import type { More } from './more.ts';

/** Parts of a random world that may fail, by IDC. */
export interface StrikableParts {
  readonly idc: string;
  /** Instances by Group. */
  readonly instances: Readonly<Record<string, readonly string[]>>;
  readonly ingress: readonly string[];
  readonly egress: readonly string[];
}

/** Times between faults, how long one lasts, and how long after it its part is left alone, in seconds. */
const [gapS, lastsS, restS] = [[1, 5], [2, 10], 6] as const;

/** How many faults may be in force at once. */
const togetherMax = 3;

/**
 * An instance that left ends, starts again and comes back so long after, in seconds: its deregistration has
 * returned by then.
 */
const leaving = { kill: 3, heal: 5, announce: 8 } as const;

interface Taken {
  /** IDC, or IDC and part. */
  readonly key: string;
  readonly from: number;
  readonly to: number;
}

/** What a schedule is drawn from. */
interface ScheduleOptions {
  readonly phase: string;
  readonly seconds: number;
  readonly parts: readonly StrikableParts[];
  readonly random: Random;
  /** Which faults there are besides, drawn from `extra`. */
  readonly more: Pick<More, 'drop' | 'evacuates'>;
  readonly extra: Random;
}

/**
 * A random schedule of faults within a phase: deterministic. The first fault removes all of a Group in one
 * IDC that another has too, so that the protection is needed.
 */
export function randomSteps(options: ScheduleOptions): Step[] {
  const schedule = new Schedule(options);
  schedule.drawFaults();
  // Drawn last: what is drawn before is the same with and without.
  schedule.drawMore();
  return schedule.steps();
}

class Schedule {
  readonly #options: ScheduleOptions;
  readonly #steps: { readonly at: number; readonly what: Omit<Step, 'at' | 'after'> }[] = [];
  readonly #taken: Taken[] = [];

  constructor(options: ScheduleOptions) {
    this.#options = options;
  }

  steps(): Step[] {
    return this.#steps
      .sort((a, b) => a.at - b.at)
      .map(({ at, what }) => ({ at: this.#options.phase, after: `${Math.round(at * 1000)}ms`, ...what }));
  }

  drawFaults(): void {
    const { random, seconds } = this.#options;
    this.#whole(1, 7);
    for (let at = 3; at < seconds - lastsS[1]; at += this.#between(gapS)) {
      if (this.#inForce(at) >= togetherMax) continue;
      const to = at + this.#between(lastsS);
      const chance = random();
      if (chance < 0.2) this.#leave(at);
      else if (chance < 0.4) this.#whole(at, to);
      else this.#one(at, to);
    }
  }

  drawMore(): void {
    const { extra, seconds, parts, more } = this.#options;
    const chosen = <T>(list: readonly T[]): T => list[Math.floor(extra() * list.length)] as T;
    for (let at = 2; at < seconds - lastsS[1]; at += 2 + 6 * extra()) {
      const to = at + lastsS[0] + (lastsS[1] - lastsS[0]) * extra();
      const [wantsDrop, idc, percent] = [extra() < 0.5, chosen(parts).idc, chosen([20, 50, 100])];
      const free = Object.entries(parts.find((each) => each.idc === more.drop)?.instances ?? {}).filter(
        ([, all]) => all.length > 0 && all.every((name) => this.#isFree(`${more.drop} ${name}`, at, to)),
      );
      const [group, all] = chosen(free) ?? ['', []];
      if (wantsDrop) {
        if (more.drop === undefined || all.length === 0 || !this.#isFree(`${more.drop} leaving`, at, to))
          continue;
        this.#take([...all.map((name) => `${more.drop} ${name}`), `${more.drop} any`], at, to);
        this.#add(at, { drop: { idc: more.drop, group } });
        this.#add(to, { heal: { idc: more.drop, group } });
      } else if (more.evacuates && this.#isFree(`${idc} evacuated`, at, to)) {
        this.#take([`${idc} evacuated`], at, to);
        this.#add(at, { evacuate: { idc, percent } });
        this.#add(to, { evacuate: { idc, percent: 0 } });
      }
    }
  }

  /** How many faults last at a moment. */
  #inForce(at: number): number {
    return this.#taken.filter(
      (each) => each.from <= at && each.to - restS > at && !/ (?:any|leaving)$/.test(each.key),
    ).length;
  }

  /** Injects a fault into all of a Group in an IDC, where another has some of it. */
  #whole(at: number, to: number): void {
    const { parts } = this.#options;
    const shared = parts.flatMap(({ idc, instances }) =>
      Object.entries(instances)
        .filter(
          ([group, own]) => own.length > 0 && parts.some((p) => p.idc !== idc && p.instances[group]?.length),
        )
        .map(([group, own]) => ({ idc, group, own })),
    );
    if (shared.length === 0) return;
    const { idc, group, own } = this.#pick(shared);
    if (
      own.some((name) => !this.#isFree(`${idc} ${name}`, at, to)) ||
      !this.#isFree(`${idc} leaving`, at, to)
    )
      return;
    this.#inject(at, to, idc, { idc, group }, own);
  }

  /** Injects a fault into one part. */
  #one(at: number, to: number): void {
    const { idc, instances, ingress, egress } = this.#pick(this.#options.parts);
    const what = this.#pick(['instances', 'instances', 'ingress', 'egress', 'control'] as const);
    const all = Object.values(instances).flat();
    const name = what === 'control' ? idc : this.#pick({ instances: all, ingress, egress }[what]);
    if (
      name === undefined ||
      !this.#isFree(`${idc} ${name}`, at, to) ||
      !this.#isFree(`${idc} leaving`, at, to)
    )
      return;
    this.#inject(at, to, idc, what === 'control' ? { idc, what } : { idc, what, only: [name] }, [name]);
  }

  /** Lets an instance deregister, end, start again and come back. */
  #leave(at: number): void {
    const { idc, instances } = this.#pick(this.#options.parts);
    const name = this.#pick(Object.values(instances).flat());
    const to = at + leaving.announce;
    // Its deregistration waits for every proxy of its IDC, so nothing there may be struck.
    if (name === undefined || !this.#isFree(`${idc} any`, at, to) || !this.#isFree(`${idc} leaving`, at, to))
      return;
    this.#take([`${idc} ${name}`, `${idc} leaving`], at, to);
    const target = { idc, only: [name] };
    this.#add(at, { withdraw: target });
    this.#add(at + leaving.kill, { kill: target });
    this.#add(at + leaving.heal, { heal: target });
    this.#add(at + leaving.announce, { announce: target });
  }

  #inject(at: number, to: number, idc: string, target: FaultTarget, names: readonly string[]): void {
    const kind = this.#options.random() < 0.6 ? 'kill' : 'stop';
    this.#take([...names.map((name) => `${idc} ${name}`), `${idc} any`], at, to);
    this.#add(at, { [kind]: target });
    this.#add(to, { heal: target });
  }

  #between([least, most]: readonly [number, number]): number {
    return least + (most - least) * this.#options.random();
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#options.random() * list.length)] as T;
  }

  #isFree(key: string, from: number, to: number): boolean {
    return !this.#taken.some((each) => each.key === key && each.from < to && each.to > from);
  }

  #take(keys: readonly string[], from: number, to: number): void {
    for (const key of keys) this.#taken.push({ key, from, to: to + restS });
  }

  #add(at: number, what: Omit<Step, 'at' | 'after'>): void {
    this.#steps.push({ at, what });
  }
}
