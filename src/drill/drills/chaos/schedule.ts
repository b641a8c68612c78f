import type { Random } from '../../../base/random.ts';
import type { Step } from '../../scenario/document/document.ts';
import type { Target } from '../../scenario/target.ts';
import type { More } from './more.ts';

/** What may be struck: the parts of a random world, by IDC. */
export interface Parts {
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
export interface ScheduleOptions {
  readonly phase: string;
  readonly seconds: number;
  readonly parts: readonly Parts[];
  readonly random: Random;
  /** Which faults there are besides, drawn from `extra`. */
  readonly more: Pick<More, 'drop' | 'evacuates'>;
  readonly extra: Random;
}

/**
 * A random schedule of faults over so many seconds of a phase: the same for the same numbers. The first takes
 * all of a Group in one IDC that another has too, so that what is protected is needed.
 */
export function randomSteps({ phase, seconds, parts, random, more, extra }: ScheduleOptions): Step[] {
  const steps: { readonly at: number; readonly what: Omit<Step, 'at' | 'after'> }[] = [];
  const taken: Taken[] = [];
  const between = ([least, most]: readonly [number, number]) => least + (most - least) * random();
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const isFree = (key: string, from: number, to: number) =>
    !taken.some((each) => each.key === key && each.from < to && each.to > from);
  const take = (keys: readonly string[], from: number, to: number) => {
    for (const key of keys) taken.push({ key, from, to: to + restS });
  };
  const add = (at: number, what: Omit<Step, 'at' | 'after'>) => steps.push({ at, what });

  const strike = (at: number, to: number, idc: string, target: Target, names: readonly string[]) => {
    const kind = random() < 0.6 ? 'kill' : 'stop';
    take([...names.map((name) => `${idc} ${name}`), `${idc} any`], at, to);
    add(at, { [kind]: target });
    add(to, { heal: target });
  };
  const whole = (at: number, to: number): boolean => {
    const shared = parts.flatMap(({ idc, instances }) =>
      Object.entries(instances)
        .filter(
          ([group, own]) => own.length > 0 && parts.some((p) => p.idc !== idc && p.instances[group]?.length),
        )
        .map(([group, own]) => ({ idc, group, own })),
    );
    if (shared.length === 0) return false;
    const { idc, group, own } = pick(shared);
    if (own.some((name) => !isFree(`${idc} ${name}`, at, to)) || !isFree(`${idc} leaving`, at, to))
      return false;
    strike(at, to, idc, { idc, group }, own);
    return true;
  };
  const one = (at: number, to: number): boolean => {
    const { idc, instances, ingress, egress } = pick(parts);
    const what = pick(['instances', 'instances', 'ingress', 'egress', 'control'] as const);
    const all = Object.values(instances).flat();
    const name = what === 'control' ? idc : pick({ instances: all, ingress, egress }[what]);
    if (name === undefined || !isFree(`${idc} ${name}`, at, to) || !isFree(`${idc} leaving`, at, to))
      return false;
    strike(at, to, idc, what === 'control' ? { idc, what } : { idc, what, only: [name] }, [name]);
    return true;
  };
  const leave = (at: number): boolean => {
    const { idc, instances } = pick(parts);
    const name = pick(Object.values(instances).flat());
    const to = at + leaving.announce;
    // Its deregistration waits for every proxy of its IDC, so nothing there may be struck.
    if (name === undefined || !isFree(`${idc} any`, at, to) || !isFree(`${idc} leaving`, at, to))
      return false;
    take([`${idc} ${name}`, `${idc} leaving`], at, to);
    const target = { idc, only: [name] };
    add(at, { withdraw: target });
    add(at + leaving.kill, { kill: target });
    add(at + leaving.heal, { heal: target });
    add(at + leaving.announce, { announce: target });
    return true;
  };

  whole(1, 7);
  for (let at = 3; at < seconds - lastsS[1]; at += between(gapS)) {
    const now = at;
    if (
      taken.filter((each) => each.from <= now && each.to - restS > now && !/ (?:any|leaving)$/.test(each.key))
        .length >= togetherMax
    )
      continue;
    const to = at + between(lastsS);
    const chance = random();
    if (chance < 0.2) leave(at);
    else if (chance < 0.4) whole(at, to);
    else one(at, to);
  }
  // Drawn last: what is drawn before is the same with and without.
  const chosen = <T>(list: readonly T[]): T => list[Math.floor(extra() * list.length)] as T;
  for (let at = 2; at < seconds - lastsS[1]; at += 2 + 6 * extra()) {
    const to = at + lastsS[0] + (lastsS[1] - lastsS[0]) * extra();
    const [wantsDrop, idc, percent] = [extra() < 0.5, chosen(parts).idc, chosen([20, 50, 100])];
    const free = Object.entries(parts.find((each) => each.idc === more.drop)?.instances ?? {}).filter(
      ([, all]) => all.length > 0 && all.every((name) => isFree(`${more.drop} ${name}`, at, to)),
    );
    const [group, all] = chosen(free) ?? ['', []];
    if (wantsDrop) {
      if (more.drop === undefined || all.length === 0 || !isFree(`${more.drop} leaving`, at, to)) continue;
      take([...all.map((name) => `${more.drop} ${name}`), `${more.drop} any`], at, to);
      add(at, { drop: { idc: more.drop, group } });
      add(to, { heal: { idc: more.drop, group } });
    } else if (more.evacuates && isFree(`${idc} evacuated`, at, to)) {
      take([`${idc} evacuated`], at, to);
      add(at, { evacuate: { idc, percent } });
      add(to, { evacuate: { idc, percent: 0 } });
    }
  }
  return steps
    .sort((a, b) => a.at - b.at)
    .map(({ at, what }) => ({ at: phase, after: `${Math.round(at * 1000)}ms`, ...what }));
}
