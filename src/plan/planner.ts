import { sameContent } from '../index/equal.ts';
import type { GroupView, MeshView, ViewDelta } from '../index/view.ts';
import { isFor } from '../model/evacuation.ts';
import { addressName, type Reach, type Watched, type Word } from '../model/reach.ts';
import { addressKind } from '../model/values/address.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';
import { planHost } from './declarations.ts';
import { evacuationsAt, type Leaving } from './evacuation/evacuation.ts';
import { peersOf, planHungIdcs } from './gateways.ts';
import type { PlanContext } from './group.ts';
import { checkIntervalMsMin } from './health/checks.ts';
import type { GroupPlan } from './types.ts';

/** Plans by host; an empty list: the Group is gone, or nobody can reach it. */
export type PlannedGroups = ReadonlyMap<string, readonly GroupPlan[]>;

/** What a planner is told once. */
export type PlannerOptions = Pick<
  PlanContext,
  'own' | 'hopLimit' | 'loopPrevention' | 'heldShare' | 'mirrored'
>;

/** Plans what changed, and what depends on it. */
export interface Planner {
  /**
   * The plans of all Groups that this change of the view concerns, or the time, in milliseconds since the
   * Unix epoch: when an evacuation begins, goes on a step or ends.
   */
  update(view: MeshView, delta: Pick<ViewDelta, 'groups' | 'idcs'>, wallMs: number): PlannedGroups;
  /** Whether there is a Group of which this IDC takes so much and no more. */
  hasLimits(): boolean;
  /**
   * Hosts with instances here of which this IDC takes whatever comes from others, as nobody has said what
   * they bear.
   */
  unbounded(): readonly string[];
  /**
   * What these limits rest on: their instances, and the own IDC's ingress gateways; none while there is no
   * limit.
   */
  watched(view: MeshView): readonly Watched[];
  /**
   * Takes in which of these, and of the gateways of all IDCs, are not reached; the plans that this changes.
   */
  reached(reach: Reach, view: MeshView): PlannedGroups;
  /** Which of them are not reached, as was taken in last. */
  dead(): ReadonlySet<string>;
}

function keep(set: Set<string>, host: string, is: boolean): void {
  if (is) set.add(host);
  else set.delete(host);
}

/**
 * Instances that others can connect to: one on a unix socket is taken for alive. They are asked for a word
 * where it is known what they understand.
 */
function instancesOf(plan: GroupPlan): Watched[] {
  const all = plan.instances.flatMap(({ endpoints }) => endpoints);
  const say = wordOf(plan);
  return all
    .filter(({ address }) => addressKind(address) === 'ip')
    .map(({ address, port }) => ({ address, port, ...(say && { say }) }));
}

function wordOf({ tls, protocol, sidecars, health, group }: GroupPlan): Word | undefined {
  if (tls !== undefined) return undefined;
  if (protocol === 'http2' || sidecars) return { kind: 'http2' };
  if (health?.question.kind !== 'http' || health.port !== undefined) return undefined;
  return { kind: 'get', host: group.host, path: health.question.path };
}

function gatewaysOf({ idcs }: MeshView, own: string): readonly ListenAddress[] {
  const idc = idcs.get(own);
  return idc === undefined ? [] : peersOf(idc);
}

function isUnbounded({ crossing, spill, instances, lookup, protocol }: GroupPlan): boolean {
  const canBe = crossing !== undefined && protocol !== 'tcp' && lookup === undefined;
  return canBe && spill === undefined && instances.length > 0;
}

function isCriticalHere({ spill, instances }: GroupPlan): boolean {
  return spill?.isCritical === true && instances.length > 0;
}

/** Creates a planner that has planned nothing yet. */
export function createPlanner(options: PlannerOptions): Planner {
  /** Hosts that the egress gateways check in other IDCs: how often they may depends on how many there are. */
  const checked = new Set<string>();
  /**
   * Instances by host, where this IDC takes so much from others and no more; and critical hosts that have
   * instances here.
   */
  const limited = new Map<string, readonly Watched[]>();
  const critical = new Set<string>();
  const unbounded = new Set<string>();
  let intervalMsMin = 0;
  let leaving: readonly Leaving[] = [];
  let besideCritical = false;
  let unreached: ReadonlySet<string> = new Set();
  let hung: ReadonlySet<string> = new Set();

  function plan(view: MeshView, hosts: Iterable<string>): Map<string, readonly GroupPlan[]> {
    const context: PlanContext = {
      ...options,
      idcs: view.idcs,
      checkIntervalMsMin: intervalMsMin,
      leaving,
      besideCritical,
      unreached,
      hung,
    };
    const plans = new Map<string, readonly GroupPlan[]>();
    for (const host of hosts) {
      const group = view.groups.get(host);
      const planned =
        group === undefined ? [] : [group, ...(group.others ?? [])].flatMap((one) => planHost(one, context));
      plans.set(host, planned);
      keep(
        checked,
        host,
        planned.some(({ crossing }) => crossing?.check !== undefined),
      );
      const bounded = planned.filter(({ spill }) => spill !== undefined).flatMap(instancesOf);
      if (planned.some(({ spill }) => spill !== undefined)) limited.set(host, bounded);
      else limited.delete(host);
      keep(critical, host, planned.some(isCriticalHere));
      keep(unbounded, host, planned.some(isUnbounded));
    }
    return plans;
  }

  return {
    update(view, delta, wallMs) {
      const was = leaving;
      leaving = evacuationsAt(view, wallMs);
      const moved = differing(was, leaving);
      // Where an IDC's gateways are is part of every Group that may cross to it.
      const all = () => new Set([...view.groups.keys(), ...delta.groups]);
      const plans = plan(
        view,
        delta.idcs.size > 0 ? all() : new Set([...delta.groups, ...hostsOf(view, moved)]),
      );
      const needed = checkIntervalMsMin(checked.size);
      const beside = critical.size > 0;
      if (needed === intervalMsMin && beside === besideCritical) return plans;
      intervalMsMin = needed;
      besideCritical = beside;
      return plan(view, all());
    },
    hasLimits: () => limited.size > 0,
    unbounded: () => [...unbounded].sort(),
    watched(view) {
      if (limited.size === 0) return [];
      const gateways = gatewaysOf(view, options.own).map(
        (one): Watched => ({ ...one, say: { kind: 'http2' } }),
      );
      return [...gateways, ...[...limited.values()].flat()];
    },
    dead: () => unreached,
    reached(reach, view) {
      const [was, wereHung] = [unreached, hung];
      unreached = reach.unreached;
      hung = planHungIdcs(view.idcs, options.own, reach);
      const differs = (one: ListenAddress) => was.has(addressName(one)) !== unreached.has(addressName(one));
      const all = gatewaysOf(view, options.own).some(differs);
      const bounded = [...limited].filter(([, instances]) => all || instances.some(differs));
      const moved = new Set([...wereHung, ...hung].filter((name) => wereHung.has(name) !== hung.has(name)));
      return plan(view, new Set([...bounded.map(([host]) => host), ...hostsWithChoice(view, moved)]));
    },
  };
}

/** Groups for which one of these IDCs is one of several others. */
function hostsWithChoice({ groups }: MeshView, moved: ReadonlySet<string>): readonly string[] {
  if (moved.size === 0) return [];
  const hasChoice = ({ drGroup }: GroupView) =>
    drGroup !== undefined &&
    drGroup.spec.idcs.length > 2 &&
    drGroup.spec.idcs.some(({ name }) => moved.has(name));
  return [...groups]
    .filter(([, view]) => [view, ...(view.others ?? [])].some(hasChoice))
    .map(([host]) => host);
}

/** What is in one of the two lists alone. */
function differing(a: readonly Leaving[], b: readonly Leaving[]): readonly Leaving[] {
  const without = (list: readonly Leaving[], others: readonly Leaving[]) =>
    list.filter((one) => !others.some((other) => sameContent(one, other)));
  return [...without(a, b), ...without(b, a)];
}

/** The Groups that any of these evacuations is for. */
function hostsOf({ groups }: MeshView, moved: readonly Leaving[]): readonly string[] {
  if (moved.length === 0) return [];
  const concerns = ({ host, entry, siblings = [] }: GroupView) =>
    [entry, ...siblings.map((one) => one.entry)].some(({ meta }) =>
      moved.some((one) => isFor(one, host, meta.labels)),
    );
  return [...groups]
    .filter(([, view]) => [view, ...(view.others ?? [])].some(concerns))
    .map(([host]) => host);
}
