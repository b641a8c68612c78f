import { hasOwnScope } from '../../plan/routes/route-scope.ts';
import type { GroupPlan } from '../../plan/types.ts';
import { type BuiltResource, isEncoded } from '../resources.ts';

/**
 * Makes resources equal to those of a template but for the host, which has the same length; `names`: strings
 * to be used for equal names.
 */
export type FillAlike = (host: string, names: string[]) => readonly BuiltResource[];

/** Makes a template of resources that were built for a host; undefined if they cannot be one. */
export type TemplateOf = (built: readonly BuiltResource[], host: string) => FillAlike | undefined;

/** What is built for a reader or a listener, for hosts of one length. */
type Filling = FillAlike | 'seen once' | 'not alike';

interface Slot {
  readonly around: object | undefined;
  readonly byLength: Map<number, Filling>;
}

/** Groups whose plans are equal but for their hosts and instances. */
export class GroupKind {
  readonly #templateOf: TemplateOf;
  readonly #slots = new Map<string, Slot>();
  /** Texts that are the same for every host; 'differs': there is none. */
  readonly #texts = new Map<string, { readonly text: string | undefined } | 'differs'>();

  constructor(templateOf: TemplateOf) {
    this.#templateOf = templateOf;
  }

  /**
   * The text that `build` makes of a Group's plans: built once, if it is that of a host that is nobody's,
   * too. `slot`: as for `build`, of nothing but the plans without their instances.
   */
  textOf(
    slot: string,
    plans: readonly GroupPlan[],
    build: (plans: readonly GroupPlan[]) => string | undefined,
  ): string | undefined {
    const known = this.#texts.get(slot);
    if (known !== undefined && known !== 'differs') return known.text;
    const text = build(plans);
    if (known === undefined)
      this.#texts.set(slot, build(withHost(plans, nobodysHost(shownLength))) === text ? { text } : 'differs');
    return text;
  }

  /**
   * What `build` makes of a Group's plans: from the third Group on by a template. `slot`: what is built, of
   * nothing but the plans without their instances, and `around`, an object that another one replaces when
   * what else it depends on changes.
   */
  build(
    slot: string,
    around: object | undefined,
    plans: readonly GroupPlan[],
    names: string[],
    build: (plans: readonly GroupPlan[]) => readonly BuiltResource[],
  ): readonly BuiltResource[] {
    const host = plans[0]?.group.host ?? '';
    const { byLength } = this.#slot(slot, around);
    const known = byLength.get(host.length);
    if (typeof known === 'function') return known(host, names);
    const built = build(plans);
    if (known === 'not alike') return built;
    if (known === undefined) {
      byLength.set(host.length, 'seen once');
      return built;
    }
    const fill = this.#templateFor(plans, host, built, build);
    byLength.set(host.length, fill ?? 'not alike');
    return fill === undefined ? built : fill(host, names);
  }

  #slot(name: string, around: object | undefined): Slot {
    const known = this.#slots.get(name);
    if (known !== undefined && known.around === around) return known;
    const made: Slot = { around, byLength: new Map() };
    this.#slots.set(name, made);
    return made;
  }

  /**
   * A template of what is built for a host that is nobody's, if it makes of it what was built for this one:
   * then the host is in it as text alone.
   */
  #templateFor(
    plans: readonly GroupPlan[],
    host: string,
    built: readonly BuiltResource[],
    build: (plans: readonly GroupPlan[]) => readonly BuiltResource[],
  ): FillAlike | undefined {
    const nobodys = nobodysHost(host.length);
    const fill = this.#templateOf(build(withHost(plans, nobodys)), nobodys);
    const filled = fill?.(host, []) ?? [];
    return filled.length === built.length && filled.every((one, i) => isEqual(one, built[i]))
      ? fill
      : undefined;
  }
}

function isEqual(a: BuiltResource, b: BuiltResource | undefined): boolean {
  if (b === undefined || a.kind !== b.kind || !isEncoded(a.message) || !isEncoded(b.message)) return false;
  return a.message.equals(b.message) && a.message.refs.join() === b.message.refs.join();
}

const shownLength = 20;

function withHost(plans: readonly GroupPlan[], host: string): readonly GroupPlan[] {
  return plans.map((plan) => ({ ...plan, group: { ...plan.group, host } }));
}

/** A host of a length, of letters that are rare in others' text. */
function nobodysHost(length: number): string {
  return 'zqxjkvwqz.'
    .repeat(Math.ceil(length / 10))
    .slice(0, length)
    .replace(/\.$/, 'z');
}

// Some KiB each where templates are made. Worlds have a few: one for each policy, port and protocol. Beyond
// that all are forgotten, and found anew.
const kindsMax = 1_000;

/** Finds Groups that are alike, whose resources need not all be built. */
export class AlikeGroups {
  readonly #templateOf: TemplateOf | undefined;
  readonly #kinds = new Map<string, GroupKind>();
  readonly #ids = new WeakMap<object, number>();
  #lastId = 0;

  /** Without `templateOf` none are. */
  constructor(templateOf?: TemplateOf) {
    this.#templateOf = templateOf;
  }

  /** The kind of a Group with these plans, all of one host; undefined: it is like no other. */
  kindOf(plans: readonly GroupPlan[]): GroupKind | undefined {
    const host = plans[0]?.group.host;
    if (this.#templateOf === undefined || host === undefined) return undefined;
    // Instances that are looked up are in clusters.
    if (!hasOwnScope(host) || !isAscii(host) || plans.some(({ lookup }) => lookup !== undefined))
      return undefined;
    const key = plans.map((plan) => this.#keyOf(plan)).join('\n');
    const known = this.#kinds.get(key);
    if (known !== undefined) return known;
    const made = new GroupKind(this.#templateOf);
    if (this.#kinds.size >= kindsMax) this.#kinds.clear();
    this.#kinds.set(key, made);
    return made;
  }

  /** Everything in a plan but its host, namespace, callers and instances, which are in no such resource. */
  #keyOf(plan: GroupPlan): string {
    const { group, namespace: _, seenBy: _seenBy, instances: _instances, drained: _drained, ...rest } = plan;
    const { spill, closedPorts, ...parts } = rest;
    let key = `${group.port} ${JSON.stringify([spill, closedPorts])}`;
    for (const name in parts) {
      const value = parts[name as keyof typeof parts];
      if (value !== undefined) key += ` ${name}=${typeof value === 'object' ? this.#idOf(value) : value}`;
    }
    return key;
  }

  /** Equal parts of plans are one object (`plan/planner.ts`): its number. */
  #idOf(part: object): number {
    const known = this.#ids.get(part);
    if (known !== undefined) return known;
    this.#lastId += 1;
    this.#ids.set(part, this.#lastId);
    return this.#lastId;
  }
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) if (text.charCodeAt(i) > 0x7e) return false;
  return true;
}
