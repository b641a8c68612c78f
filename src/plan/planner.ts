import { sameContent } from '../index/equal.ts';
import type { GroupView, MeshView, ViewDelta } from '../index/view.ts';
import { isFor } from '../model/evacuation.ts';
import { checkIntervalMsMin } from './checks.ts';
import { planHost } from './declarations.ts';
import { evacuationsAt, type Leaving } from './evacuation.ts';
import type { PlanContext } from './group.ts';
import type { GroupPlan } from './types.ts';

/** Plans by host; an empty list: the Group is gone, or nobody can reach it. */
export type PlannedGroups = ReadonlyMap<string, readonly GroupPlan[]>;

/** What a planner is told once. */
export type PlannerOptions = Pick<PlanContext, 'own' | 'hopLimit' | 'loopPrevention' | 'heldShare'>;

/** Plans what changed, and what depends on it. */
export interface Planner {
  /**
   * The plans of all Groups that this change of the view concerns, or the time, in milliseconds since the Unix epoch: when an
   * evacuation begins, goes on a step or ends.
   */
  update(view: MeshView, delta: Pick<ViewDelta, 'groups' | 'idcs'>, wallMs: number): PlannedGroups;
  /** Takes in how many ingress gateways of the own IDC are alive (undefined: not known); the plans that this changes. */
  ingress(live: number | undefined, view: MeshView): PlannedGroups;
  /** Whether there is a Group of which this IDC takes so much and no more: else nobody cares how many gateways are alive. */
  hasLimits(): boolean;
}

function keep(set: Set<string>, host: string, is: boolean): void {
  if (is) set.add(host);
  else set.delete(host);
}

function isCriticalHere({ spill, instances }: GroupPlan): boolean {
  return spill?.isCritical === true && instances.length > 0;
}

/** Creates a planner that has planned nothing yet. */
export function createPlanner(options: PlannerOptions): Planner {
  /** Hosts that the egress gateways check in other IDCs: how often they may depends on how many there are. */
  const checked = new Set<string>();
  /** Hosts of which this IDC takes so much from others and no more, and the critical ones that have instances here. */
  const limited = new Set<string>();
  const critical = new Set<string>();
  let intervalMsMin = 0;
  let leaving: readonly Leaving[] = [];
  let besideCritical = false;
  let ingressLive: number | undefined;

  function plan(view: MeshView, hosts: Iterable<string>): Map<string, readonly GroupPlan[]> {
    const context: PlanContext = {
      ...options,
      idcs: view.idcs,
      checkIntervalMsMin: intervalMsMin,
      leaving,
      besideCritical,
      ...(ingressLive === undefined ? {} : { ingressLive }),
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
      keep(
        limited,
        host,
        planned.some(({ spill }) => spill !== undefined),
      );
      keep(critical, host, planned.some(isCriticalHere));
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
    ingress(live, view) {
      if (live === ingressLive) return new Map();
      ingressLive = live;
      return plan(view, [...limited]);
    },
  };
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
